"""Everything that a store tells beside its inventory: events in batches, alerts that were missed, drills, standings."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from drill_shop import call, result_of
from shops import Clock

from agent.assess.look import Look
from agent.assess.run import assess_and_keep
from agent.inventory.records import Alert
from agent.link.outbox import FullError, Outbox
from agent.link.settings import SETTINGS_FILE, Enrolment
from agent.link.spool import Spool
from agent.reporting import report_alert, tell_alerts
from agent.reporting.due import tell_due
from agent.reporting.events import tell_events
from agent.reporting.standings import tell_assessment, tell_training, tell_vendors
from agent.training.records import Staff
from agent.training.store import Register
from agent.vendors.records import Vendor
from agent.vendors.store import vendors
from agent.watch.api import AccessEvent, Crossing, Gap
from agent.wiring import build_agent
from central.documents import read_report
from config.errors import ClocheError
from config.home import find_home
from config.schema import Settings

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
PHONE = "13800001111"


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def agent(tmp_path, clock):
    home = find_home(tmp_path / "store")
    home.create()
    with build_agent(home, Settings.model_validate({}), now=clock) as built:
        enrolment = Enrolment(url="https://x.invalid", authority_pem="", store="s-1", name="测试店", hq="测试总部")
        built.outbox.place(SETTINGS_FILE, enrolment.encode())
        yield built


def told(agent, kind):
    """Documents of a kind that wait, each as head office takes it."""
    spool = Spool(agent.home.outbox)
    try:
        found = [spool.read(number, of).body for number, of in spool.pending() if of == kind]
    finally:
        spool.close()
    for body in found:
        read_report(body)
    return [json.loads(body)["document"] for body in found]


def kinds_of(agent):
    return [event["kind"] for document in told(agent, "events") for event in document["events"]]


def test_what_was_on_record_before_the_store_enrolled_is_past(agent):
    agent.audit.append("scan", "王测试", persons=3)
    assert tell_events(agent) == 0
    agent.audit.append("open", "王测试", file=f"/srv/{PHONE}.csv")
    assert tell_events(agent)
    assert kinds_of(agent) == ["open"]
    assert tell_events(agent) == 0, "told once"


def test_acts_gaps_and_crossed_bounds_go_in_one_batch_masked_and_in_order(agent):
    tell_events(agent)
    agent.audit.append("open", f"u{PHONE}", file=f"/srv/{PHONE}.csv", count=2)
    event = AccessEvent(
        at=NOW.timestamp() - 60, monotonic_ns=1, key="k", path=f"/srv/{PHONE}.csv".encode(), operation="open",
        program=b"/usr/bin/tar", user="cashier",
    )  # fmt: skip
    agent.events.add(event, agent.mask)
    crossing = Crossing(
        event=event, rule="bound", subject="session", keys=("k",), persons=40, response="stop", outcome="stopped"
    )
    agent.events.add(crossing, agent.mask)
    agent.events.add(Gap(at=NOW.timestamp() - 30, cause="kernel_queue", lost=7), agent.mask)
    assert tell_events(agent)
    (document,) = told(agent, "events")
    assert [event["kind"] for event in document["events"]] == ["watch.bound", "watch.gap", "open"]
    assert [event["count"] for event in document["events"]] == [40, 7, 2]
    assert document["events"][0]["severity"] == "critical"
    assert PHONE not in json.dumps(document)


def test_batches_are_bounded_and_go_on_where_they_ended(agent):
    tell_events(agent)
    for number in range(1200):
        agent.audit.append("open", "王测试", number=number)
    rounds = 0
    while tell_events(agent):
        rounds += 1
    documents = told(agent, "events")
    assert [len(document["events"]) for document in documents] == [500, 500, 200]
    assert rounds == 3
    texts = [event["text"] for document in documents for event in document["events"]]
    assert texts == [f"number: {number}" for number in range(1200)]


def test_a_full_outbox_reads_nothing_and_the_next_batch_has_it(agent, monkeypatch):
    tell_events(agent)
    agent.audit.append("open", "王测试")

    def full(*_arguments):
        raise FullError("full")

    with monkeypatch.context() as patched:
        patched.setattr(agent.outbox, "put", full)
        with pytest.raises(FullError):
            tell_events(agent)
        agent.audit.append("scan", "王测试")
    assert tell_events(agent)
    assert kinds_of(agent) == ["open", "scan"]


def test_a_record_that_was_cut_and_lines_that_are_no_entries_end_nothing(agent):
    agent.audit.append("open", "王测试")
    tell_events(agent)
    agent.audit.append("open", "王测试")
    with agent.home.audit_log.open("ab") as log:
        log.write(b"no entry\n[]\n")
    assert tell_events(agent)
    agent.home.audit_log.write_bytes(agent.home.audit_log.read_bytes().splitlines(keepends=True)[0])
    tell_events(agent)
    agent.audit.append("scan", "王测试")
    assert tell_events(agent)
    assert kinds_of(agent)[-1] == "scan"


def test_an_alert_that_could_not_be_put_is_put_later_and_once(agent, clock, monkeypatch):
    assert tell_alerts(agent) == 0
    seen = Alert(at=NOW, kind="bound", severity="critical", text="x")
    first = agent.inventory.add_alert(seen)
    report_alert(agent, first)
    second = agent.inventory.add_alert(replace(seen, text="y"))

    def broken(*_arguments):
        raise ClocheError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(agent.outbox, "put", broken)
        with pytest.raises(ClocheError):
            report_alert(agent, second)
    assert tell_alerts(agent) == 0, "whoever made it may be telling it just now"
    clock.turn(1)
    assert tell_alerts(agent) == 1
    assert tell_alerts(agent) == 0
    assert sorted(document["id"] for document in told(agent, "alert")) == [str(first.id), str(second.id)]


def test_an_assessment_is_told_when_there_is_a_new_one(agent):
    assert tell_assessment(agent, NOW) == 0
    assess_and_keep(agent, "王测试", Look(agent=agent, now=NOW))
    assert tell_assessment(agent, NOW)
    assert tell_assessment(agent, NOW) == 0
    (document,) = told(agent, "assessment")
    assert {risk["id"] for risk in document["risks"]} == {"attack", "mistake", "storage", "vendor"}
    assert all(0 <= measure["score"] <= 100 and measure["why"] for measure in document["measures"])
    assess_and_keep(agent, "王测试", Look(agent=agent, now=NOW))
    assert tell_assessment(agent, NOW)
    assert len(told(agent, "assessment")) == 1, "the newest alone waits"


def test_training_is_told_in_numbers_and_only_when_they_change(agent):
    day = NOW.date() - timedelta(days=300)
    people = [
        Staff(
            number=str(n), name=f"测试{n}", role="cashier", title="收银员", store="测试店", phone=PHONE, since=day,
            added=day,
        )
        for n in range(4)
    ]  # fmt: skip
    Register(agent).save(people)
    assert tell_training(agent, NOW)
    assert tell_training(agent, NOW) == 0
    (document,) = told(agent, "training")
    assert (document["staff"], document["done"]) == (4, 0)
    assert document["overdue"] == sum(course["overdue"] for course in document["courses"]) > 0
    assert "测试0" not in json.dumps(document, ensure_ascii=False)
    assert PHONE not in json.dumps(document)
    Register(agent).leave(["0"], NOW.date() - timedelta(days=1))
    assert tell_training(agent, NOW)


def test_vendors_are_told_with_what_they_have(agent):
    assert tell_vendors(agent, NOW)
    vendors(agent).add(
        Vendor(
            id="", name=f"测试外卖{PHONE}", service="配送", contacts=(), added_at=NOW, added_by="王测试", public_key="",
        )
    )  # fmt: skip
    assert tell_vendors(agent, NOW)
    (document,) = told(agent, "vendors")
    assert [(one["id"], one["state"], one["shared"]) for one in document["vendors"]] == [("V001", "idle", 0)]
    assert PHONE not in json.dumps(document)


def test_a_drill_that_ended_is_told_and_again_when_somebody_acknowledged_in_time(agent, clock):
    from agent.drill.store import DrillStore
    from agent.reporting.drills import tell_drills

    begun = call(agent, "drill.begin", scenario="wrong_group").document
    assert tell_drills(agent, clock()) == 0, "it runs"
    call(agent, "drill.finish", id=begun["id"], result=result_of(contain=9.0))
    assert tell_drills(agent, clock()) == 1
    assert tell_drills(agent, clock()) == 0
    (document,) = told(agent, "drill")
    assert (document["id"], document["scenario"], document["contain_seconds"]) == (begun["id"], "wrong_group", 9.0)
    assert 0 <= document["score"] <= 100
    assert document["ended_at"] is not None
    drill = DrillStore(agent).get(begun["id"])
    assert document["ok"] == drill.passed
    clock.turn(60 * 24 * 40)
    assert tell_drills(agent, clock()) == 0


def test_a_store_without_head_office_tells_nothing_and_one_bad_part_does_not_stop_the_others(
    tmp_path, agent, monkeypatch
):
    home = find_home(tmp_path / "alone")
    home.create()
    with build_agent(home, Settings.model_validate({})) as alone:
        alone.audit.append("open", "王测试")
        tell_due(alone, NOW)
        tell_due(alone, NOW)
        assert alone.outbox.pending() == []
    tell_due(agent, NOW)
    agent.audit.append("open", "王测试")
    agent.reporting.looked.clear()
    real = Outbox.put

    def broken(self, kind, document):
        if kind == "vendors":
            raise RuntimeError(PHONE)
        return real(self, kind, document)

    vendors(agent).add(
        Vendor(id="", name="测试外卖", service="", contacts=(), added_at=NOW, added_by="王测试", public_key="")
    )
    monkeypatch.setattr(Outbox, "put", broken)
    tell_due(agent, NOW)
    assert "open" in kinds_of(agent)
    assert told(agent, "training")
