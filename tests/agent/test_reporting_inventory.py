"""Deltas of the inventory: only what changed is told, nothing counts as told before it arrived, all on request."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.link.outbox import Outbox
from agent.link.settings import SETTINGS_FILE, Enrolment
from agent.link.spool import Spool
from agent.reporting import continue_inventory, inventory_document, report_inventory, want_inventory
from agent.reporting import inventory as inventory_reports
from agent.reporting.places import section_digest
from agent.wiring import build_agent
from config.home import find_home
from config.load import load_settings
from scanners.records import FileIdentity, Finding, Item

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PHONE = "13800001111"


class HeadOfficeStandIn:
    """Keeps sections as head office does: by the documents that the spool's reader hands over, in order."""

    def __init__(self, agent):
        self.agent = agent
        self.sections, self.digests, self.numbers = {}, {}, []

    def take(self, *, refuse=False):
        """Take what waits and acknowledge it, as the link would."""
        spool = Spool(self.agent.home.outbox)
        spool.open_state()
        try:
            for number, kind in spool.pending():
                report = spool.read(number, kind)
                if kind == "inventory" and not refuse:
                    document = json.loads(report.body)["document"]
                    self.sections |= document["sections"]
                    self.digests = document["section_digests"]
                    self.sections = {name: self.sections[name] for name in self.digests}
                    self.numbers.append(number)
                    self.last = document
                state = spool.state()
                refused = (*state.refused, (number, 422)) if refuse else state.refused
                spool.write_state(replace(state, acknowledged=number, refused=refused))
        finally:
            spool.close()

    @property
    def has_all(self):
        return {name: section_digest(places) for name, places in self.sections.items()} == self.digests

    @property
    def paths(self):
        return sorted(place["path"] for places in self.sections.values() for place in places)


@pytest.fixture
def agent(tmp_path):
    home = find_home(tmp_path / "store")
    home.create()
    with build_agent(home, load_settings(home.settings_file)) as built:
        yield built


def items(count, **more):
    made = []
    for number in range(count):
        identity = FileIdentity(
            filesystem="f", inode=number + 1, birth_ns=1, device=1, mtime_ns=1, size=10, links=1, uid=0, mode=0o100644
        )
        values = {
            "path": f"/srv/会员{number}.xlsx".encode(), "kind": "spreadsheet", "status": "read", "size": 10, "level": 4,
            "score": 80.0, "persons": 30, "identity": identity,
            "findings": (Finding(entity="PHONE_NUMBER", count=30, distinct=30, confidence=1.0),),
        }  # fmt: skip
        made.append(Item(**values | more))
    return made


def fill(agent, count, **more):
    agent.inventory.record_run(items(count, **more), roots=[b"/srv"], at=NOW)


def test_the_first_picture_is_whole_and_the_next_tells_the_changed_section_alone(agent):
    office = HeadOfficeStandIn(agent)
    fill(agent, 300)
    assert report_inventory(agent)
    office.take()
    assert len(office.paths) == 300
    assert office.has_all
    agent.inventory.set_state("/srv/会员7.xlsx".encode(), "sealed", sealed_path="/srv/会员7.xlsx.cloche".encode())
    assert report_inventory(agent)
    office.take()
    assert len(office.last["sections"]) == 1
    assert office.has_all
    states = {place["path"]: place["state"] for places in office.sections.values() for place in places}
    assert [path for path, state in states.items() if state == "sealed"] == ["/srv/会员7.xlsx"]


def test_where_nothing_changed_nothing_is_reported_and_the_inventory_is_not_read(agent, monkeypatch):
    office = HeadOfficeStandIn(agent)
    fill(agent, 20)
    report_inventory(agent)
    assert report_inventory(agent) == 0, "what waits says it all"
    office.take()
    monkeypatch.setattr(agent.inventory, "items", lambda: pytest.fail("the inventory was read"))
    assert report_inventory(agent) == 0
    assert agent.outbox.pending() == []


def test_a_place_is_known_by_a_digest_that_says_nothing_and_by_what_people_call_it(agent):
    finding = Finding(entity="PHONE_NUMBER", count=30, distinct=30, confidence=1.0)
    fill(
        agent, 1, path=f"/srv/美团订单{PHONE}.xlsx".encode(), about="meituan_orders", records=1204, findings=(finding,)
    )
    (places,) = inventory_document(agent)["sections"].values()
    assert len(places[0]["id"]) == 16
    assert places[0]["label"] == agent.text("scan.place_meituan_orders")
    assert PHONE not in json.dumps(places)
    key = agent.home.keys / "places.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_bytes(b"\x01" * 32)
    (others,) = inventory_document(agent)["sections"].values()
    assert others[0]["id"] != places[0]["id"]


def test_what_was_replaced_before_it_was_sent_does_not_count_as_told(agent):
    office = HeadOfficeStandIn(agent)
    fill(agent, 100)
    first = report_inventory(agent)
    agent.inventory.set_state("/srv/会员1.xlsx".encode(), "gone")
    second = report_inventory(agent)
    assert second > first
    assert [kind for _number, kind in agent.outbox.pending()] == ["inventory"]
    office.take()
    assert office.numbers == [second]
    assert len(office.paths) == 99
    assert office.has_all


def test_what_changed_back_while_it_was_under_way_is_put_right(agent):
    """Head office took the second picture, and its answer was lost when the store had changed back."""
    office = HeadOfficeStandIn(agent)
    fill(agent, 30)
    report_inventory(agent)
    office.take()
    agent.inventory.set_state("/srv/会员1.xlsx".encode(), "gone")
    report_inventory(agent)
    spool = Spool(agent.home.outbox)
    (waiting,) = spool.pending()
    document = json.loads(spool.read(*waiting).body)["document"]
    spool.close()
    office.sections |= document["sections"]
    fill(agent, 30)
    report_inventory(agent)
    office.take()
    assert len(office.paths) == 30
    assert office.has_all


def test_what_head_office_refused_does_not_count_as_told(agent):
    office = HeadOfficeStandIn(agent)
    fill(agent, 10)
    report_inventory(agent)
    office.take(refuse=True)
    fill(agent, 11)
    report_inventory(agent)
    office.take()
    assert len(office.paths) == 11
    assert office.has_all


def test_a_picture_that_is_too_large_goes_in_parts_one_after_the_other(agent, monkeypatch):
    monkeypatch.setattr(inventory_reports, "ROOM", 8_000)
    office = HeadOfficeStandIn(agent)
    fill(agent, 300)
    parts = 0
    assert report_inventory(agent)
    while agent.outbox.pending():
        assert continue_inventory(agent) == 0, "the next part waits until this one has arrived"
        office.take()
        parts += 1
        assert office.has_all, "head office never lacks what it is told that it should have"
        continue_inventory(agent)
    assert parts > 5
    assert len(office.paths) == 300
    assert report_inventory(agent) == 0


def test_everything_is_told_again_when_head_office_asks_but_not_all_the_time(agent):
    office = HeadOfficeStandIn(agent)
    fill(agent, 50)
    report_inventory(agent)
    office.take()
    office.sections, office.digests = {}, {}
    assert want_inventory(agent, 100.0)
    assert continue_inventory(agent)
    office.take()
    assert len(office.paths) == 50
    assert not want_inventory(agent, 130.0)
    assert want_inventory(agent, 161.0)


def test_another_head_office_is_told_everything(agent):
    office = HeadOfficeStandIn(agent)
    fill(agent, 5)
    report_inventory(agent)
    office.take()
    enrolment = Enrolment(url="https://x.invalid", authority_pem="", store="s-1", name="测试店", hq="测试总部")
    agent.outbox.place(SETTINGS_FILE, enrolment.encode())
    assert report_inventory(agent)
    office.take()
    assert len(office.last["sections"]) == len(office.sections)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"store": "", "sections": 3, "counts": "", "moment": ""}'])
def test_a_damaged_note_of_what_was_told_costs_a_whole_picture_and_nothing_else(agent, damage):
    office = HeadOfficeStandIn(agent)
    fill(agent, 9)
    report_inventory(agent)
    office.take()
    (agent.home.outbox / "sections.json").write_bytes(damage)
    assert report_inventory(agent)
    office.take()
    assert len(office.paths) == 9


def test_a_crash_between_the_report_and_the_note_of_it_loses_no_section(agent, monkeypatch):
    office = HeadOfficeStandIn(agent)
    fill(agent, 40)
    report_inventory(agent)
    agent.inventory.set_state("/srv/会员3.xlsx".encode(), "gone")
    real = Outbox.keep

    def cut(self, name, content):
        if json.loads(content)["sent"] is not None:
            raise KeyboardInterrupt
        real(self, name, content)

    monkeypatch.setattr(Outbox, "keep", cut)
    with pytest.raises(KeyboardInterrupt):
        report_inventory(agent)
    monkeypatch.setattr(Outbox, "keep", real)
    office.take()  # the report that nobody noted
    report_inventory(agent)
    office.take()
    assert len(office.paths) == 39
    assert office.has_all


def test_ten_thousand_places_fit_and_the_rest_is_counted(agent, monkeypatch):
    monkeypatch.setattr("agent.reporting.places.MOST", 100)
    fill(agent, 130)
    document = inventory_document(agent)
    assert sum(len(places) for places in document["sections"].values()) == 100
    assert (document["omitted"], document["places"]) == (30, 130)
