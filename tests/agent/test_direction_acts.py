"""What orders of head office do at a store: the acts of its own people, once each, whatever is cut when."""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from order_shop import SigningOffice, deliver, restart, standing, told
from shops import Clock, inventoried, opened, snapshot

from agent.approvals import approve
from agent.direction.carrying import keep
from agent.direction.models import OrderRow
from agent.incident.store import incidents
from agent.isolation.state import Isolations
from agent.people import People
from agent.purge.carrying import look_after
from agent.purge.store import Purges
from agent.wiring import build_agent
from config.direction import PACKS
from config.home import find_home
from config.load import load_settings
from config.packs import prefer, read_pack
from config.schema import Person, Settings

CASE = "c-20261126-abcdef"
DECLARE = {"kind": "insider", "summary": "有人在拷贝会员名单", "scope": "all"}
PEOPLE = [
    {"name": "测试店长", "roles": ["store_manager"], "email": "dian@example.com"},
    {"name": "测试法务", "roles": ["legal"], "email": "fa@example.com"},
]


@pytest.fixture
def office():
    return SigningOffice()


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "srv"
    folder.mkdir()
    for number in range(3):
        (folder / f"会员{number}.csv").write_text("姓名,电话\n测试甲,13800138000\n" * 20)
    return folder


@pytest.fixture
def agent(tmp_path, office, files):
    home = find_home(tmp_path / "store")
    home.create()
    settings = {"scan": {"roots": [str(files)]}, "people": PEOPLE}
    with opened(home, settings=settings) as made:
        office.pin(made)
        inventoried(made, files)
        yield made


def answer_of(row):
    return json.loads(row.answer)


def test_a_declaration_quarantines_what_is_affected_and_binds_the_case(agent, office, files):
    row = deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    assert row.state == "done"
    (incident,) = incidents(agent).all()
    assert incident.declared_at is not None
    assert incident.by.startswith("总部")
    assert answer_of(row)["files"] == 3
    assert len(agent.quarantine.entries("vaulted")) == 3
    again = deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    assert again.state == "done"
    assert answer_of(again)["already"]
    assert len(incidents(agent).all()) == 1


def test_a_store_that_reported_in_the_case_is_declared_by_its_own_report(agent, office):
    deliver(agent, office, office.order("report", {"kind": "insider", "summary": "x"}, case=CASE))
    deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    (incident,) = incidents(agent).all()
    assert incident.declared_at is not None


def test_named_places_are_found_by_their_identifiers_and_nothing_else_goes(agent, office, files):
    from agent.reporting.places import draw

    sections = draw(agent).sections.values()
    place = next(place for section in sections for place in section if place["path"].endswith("1.csv"))
    row = deliver(agent, office, office.order("declare", {**DECLARE, "scope": "named", "places": [place["id"]]}))
    assert answer_of(row)["files"] == 1
    assert not (files / "会员1.csv").exists()
    gone = deliver(agent, office, office.order("declare", {**DECLARE, "scope": "named", "places": ["0" * 16]}))
    assert gone.state == "refused"


def test_inside_an_incident_of_the_case(agent, office):
    deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    (incident,) = incidents(agent).all()
    given = deliver(
        agent, office,
        office.order("direct", {"role": "store_manager", "text": "封存监控录像", "minutes": 30}, case=CASE),
    )  # fmt: skip
    assert given.state == "done", given.reason
    assert deliver(agent, office, office.order("note", {"text": "已通知法务"}, case=CASE)).state == "done"
    graded = deliver(agent, office, office.order("grade", {"level": "serious", "reason": "人数多"}, case=CASE))
    assert graded.state in ("done", "refused")
    moved = deliver(agent, office, office.order("advance", {"to": "directed"}, case=CASE))
    assert moved.state in ("done", "refused"), moved.reason
    steps = [step.act for step in incidents(agent).get(incident.id).steps]
    assert "note" in steps


def test_an_order_about_an_incident_that_is_not_here_is_refused(agent, office):
    for kind, params in (("note", {"text": "x"}), ("advance", {})):
        assert deliver(agent, office, office.order(kind, params, case="c-other")).state == "refused"
    assert deliver(agent, office, office.order("note", {"incident": "I20", "text": "x"})).state == "refused"


def test_a_release_by_two_officers_gives_everything_back_bit_for_bit(agent, office, files):
    before = snapshot(files)
    deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    assert not [path for path in files.iterdir() if path.suffix == ".csv"]
    row = deliver(agent, office, office.order("release", {}, case=CASE), "p-1", "p-2")
    assert row.state == "done", row.reason
    assert answer_of(row) == {"released": 3, "left": 0}
    assert snapshot(files) == before
    again = deliver(agent, office, office.order("release", {}, case=CASE), "p-1", "p-2")
    assert answer_of(again)["already"]


def test_a_false_alarm_is_undone_by_two_officers(agent, office, files):
    before = snapshot(files)
    deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    row = deliver(agent, office, office.order("dismiss", {"reason": "是盘点"}, case=CASE), "p-1", "p-2")
    assert row.state == "done"
    assert answer_of(row)["phase"] == "dismissed"
    assert snapshot(files) == before
    again = deliver(agent, office, office.order("dismiss", {"reason": "是盘点"}, case=CASE), "p-1", "p-2")
    assert answer_of(again)["already"]


@pytest.fixture
def clocked(tmp_path, office, files):
    """A store whose clock is turned."""
    clock = Clock()
    home = find_home(tmp_path / "clocked")
    home.create()
    settings = Settings.model_validate({"scan": {"roots": [str(files)]}, "people": PEOPLE})
    with build_agent(home, settings, now=clock) as made:
        from config.identity import make_identity

        made.keyring.adopt(make_identity("recovery").public)
        office.pin(made)
        inventoried(made, files)
        yield made, clock


def test_a_purge_by_two_officers_waits_a_day_for_a_veto_and_is_told_when_it_is_done(clocked, office, files):
    agent, clock = clocked
    deliver(agent, office, office.order("declare", {**DECLARE, "kind": "staff_mistake", "scope": "strays"}, case=CASE))
    row = deliver(
        agent, office, office.order("purge", {"reason": "副本"}, case=CASE, lasts=timedelta(days=3)), "p-2", "p-1"
    )
    assert row.state == "done", row.reason
    assert answer_of(row)["state"] == "waiting", answer_of(row)
    assert len(agent.quarantine.entries("vaulted")) == 3
    clock.turn(24 * 60 + 1)
    look_after(agent, clock())
    keep(agent, clock())
    assert not agent.quarantine.entries("vaulted")
    assert answer_of(standing(agent, row.id))["state"] == "done"
    assert told(agent)[-1]["answer"]["destroyed"] == 3


def test_a_veto_at_the_store_stops_a_purge_and_head_office_hears_of_it(clocked, office):
    from agent.purge.carrying import cancel

    agent, clock = clocked
    deliver(agent, office, office.order("declare", {**DECLARE, "kind": "staff_mistake", "scope": "strays"}, case=CASE))
    row = deliver(agent, office, office.order("purge", {"reason": "副本"}, case=CASE), "p-2", "p-1")
    cancel(agent, Purges(agent).get(answer_of(row)["purge"]), "测试店长", "这是原件")
    keep(agent, clock())
    assert told(agent)[-1]["answer"]["state"] == "cancelled"
    assert told(agent)[-1]["reason"] == "这是原件"
    assert len(agent.quarantine.entries("vaulted")) == 3


def test_what_the_police_may_need_goes_on_the_lawyers_word_at_the_store_alone(clocked, office):
    agent, _clock = clocked
    deliver(agent, office, office.order("declare", DECLARE, case=CASE))  # insider: the police may need it
    row = deliver(agent, office, office.order("purge", {"reason": "副本"}, case=CASE), "p-2", "p-1")
    assert row.state == "refused"
    params = {"reason": "副本", "originals": True, "statement": "警方已取证"}
    row = deliver(agent, office, office.order("purge", params, case=CASE), "p-2", "p-1")
    assert answer_of(row)["state"] == "asked"
    assert answer_of(row)["missing"]
    found = Purges(agent).get(answer_of(row)["purge"])
    approve(agent, found.originals_subject, agent.people.named("测试法务"), "account")
    look_after(agent, agent.now())
    assert Purges(agent).get(found.id).state == "waiting"


def test_people_made_up_by_head_office_alone_cannot_approve_a_destruction_by_codes(clocked, office):
    agent, _clock = clocked
    made_up = [
        {"name": "假人甲", "roles": ["legal"], "email": "a@evil.example"},
        {"name": "假人乙", "roles": ["store_manager"], "email": "b@evil.example"},
        PEOPLE[0],
    ]
    assert deliver(agent, office, office.order("people", {"version": 2, "people": made_up})).state == "done"
    assert [person.name for person in agent.people.everybody] == ["假人甲", "假人乙", "测试店长"]
    deliver(agent, office, office.order("declare", {**DECLARE, "kind": "staff_mistake", "scope": "strays"}, case=CASE))
    from agent.purge.carrying import approve_or_ask, ask
    from config.errors import RefusedError

    purge = ask(agent, list(agent.quarantine.entries("vaulted")), "x", reason="x")
    with pytest.raises(RefusedError):
        approve_or_ask(agent, purge, "x")
    for name in ("假人甲", "假人乙"):
        approve(agent, purge.subject, agent.people.named(name), "code")
    look_after(agent, agent.now())
    assert Purges(agent).get(purge.id).state == "asked"
    # two officers vouch for the same list
    signed = office.order("people", {"version": 3, "people": made_up})
    assert deliver(agent, office, signed, "p-1", "p-2").state == "done"
    look_after(agent, agent.now())
    assert Purges(agent).get(purge.id).state == "waiting"


def test_the_list_of_people_is_replaced_whole_and_an_older_one_is_refused(agent, office):
    people = [{"name": "测试新店长", "roles": ["store_manager"], "phone": "13900000000"}]
    assert deliver(agent, office, office.order("people", {"version": 7, "people": people})).state == "done"
    assert agent.people == People(tuple(Person.model_validate(one) for one in people))
    loaded = load_settings(agent.home.settings_file, direction=agent.home.direction)
    assert [person.name for person in loaded.people] == ["测试新店长"]
    assert deliver(agent, office, office.order("people", {"version": 6, "people": []})).state == "refused"
    assert answer_of(deliver(agent, office, office.order("people", {"version": 7, "people": people})))["already"]


def test_settings_are_laid_over_the_stores_own_and_hold_from_the_next_start(agent, office):
    agent.home.settings_file.write_text("[watch]\nmax_files = 9\n")
    row = deliver(agent, office, office.order("policy", {"settings": {"watch.response": "stop", "watch.max_files": 3}}))
    assert row.state == "done", row.reason
    assert agent.orders.again
    loaded = load_settings(agent.home.settings_file, direction=agent.home.direction)
    assert (loaded.watch.response, loaded.watch.max_files) == ("stop", 3)
    # what the environment of the machine says still goes before head office
    forced = load_settings(agent.home.settings_file, {"CLOCHE_WATCH__MAX_FILES": "4"}, direction=agent.home.direction)
    assert forced.watch.max_files == 4


def test_giving_a_setting_back_to_a_weaker_file_is_loosening(agent, office):
    agent.home.settings_file.write_text("[watch]\nmax_files = 50\n")
    deliver(agent, office, office.order("policy", {"settings": {"watch.max_files": 3}}))
    agent.settings = load_settings(agent.home.settings_file, direction=agent.home.direction)
    back = {"settings": {"watch.max_files": None}}
    assert deliver(agent, office, office.order("policy", back)).state == "refused"
    assert deliver(agent, office, office.order("policy", back), "p-1", "p-2").state == "done"
    assert load_settings(agent.home.settings_file, direction=agent.home.direction).watch.max_files == 50


def pack(path, content, version=1):
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"path": path, "version": version, "sha256": digest, "content": content}


def test_a_law_pack_goes_before_the_shipped_one_and_a_broken_one_is_refused(agent, office, restored_packs):
    shipped = (Path("config") / "data" / "law" / "cn-faces.toml").read_text(encoding="utf-8")
    changed = shipped.replace('date = "', 'date = "2027-01-01" # "', 1)
    row = deliver(agent, office, office.order("pack", pack("law/cn-faces.toml", changed, 2)))
    assert row.state == "done", row.reason
    prefer(agent.home.direction / PACKS)
    assert read_pack("law", "cn-faces.toml")["date"] == "2027-01-01"
    older = office.order("pack", pack("law/cn-faces.toml", shipped, 1))
    assert deliver(agent, office, older).state == "refused"
    for content in ("not = [toml", 'title = "x"', shipped.replace("[[", "[[zzz", 1)):
        broken = office.order("pack", pack("law/cn-faces.toml", content, 3))
        assert deliver(agent, office, broken).state == "refused"
    lied = {**pack("law/cn-faces.toml", shipped, 4), "sha256": "0" * 64}
    assert deliver(agent, office, office.order("pack", lied)).state == "refused"


def test_a_text_pack_changes_words_and_never_what_fills_them(agent, office, restored_packs):
    good = '[expired]\nzh-CN = "过期了"\nen = "Over"\n'
    assert deliver(agent, office, office.order("pack", pack("text/direction.toml", good))).state == "done"
    bad = '[expired]\nzh-CN = "{secret}"\nen = "Over"\n'
    assert deliver(agent, office, office.order("pack", pack("text/direction.toml", bad, 2))).state == "refused"


def test_no_pack_of_detectors_is_taken_from_head_office(agent, office):
    row = deliver(agent, office, office.order("pack", pack("detect/evidence.toml", "x = 1")), "p-1", "p-2")
    assert row.state == "refused"


@pytest.fixture
def restored_packs():
    from config import packs

    before = list(packs._preferred)
    yield
    packs._preferred[:] = before


@pytest.mark.needs("root", "nft")
def test_one_store_is_isolated_for_a_bounded_time(agent, office):
    row = deliver(agent, office, office.order("isolate_on", {"minutes": 1}))
    try:
        current = Isolations(agent.journal).current()
        assert (row.state == "done") == (current is not None and current.everything)
    finally:
        deliver(agent, office, office.order("isolate_off", {}), "p-1", "p-2")


def cut(agent, row_id):
    """What a SIGKILL in the middle of an act leaves: `running` on disk and no end."""
    with agent.inventory.sessions.begin() as session:
        row = session.get_one(OrderRow, row_id)
        row.state, row.answer, row.told = "running", "{}", ""


def test_a_declaration_cut_off_after_its_act_is_found_and_not_made_twice(agent, office):
    for case in (CASE, None):
        body = office.order("declare", {**DECLARE, "summary": f"拷贝 {case}"}, case=case)
        row = deliver(agent, office, body)
        count = len(incidents(agent).all())
        cut(agent, row.id)
        restart(agent)
        assert standing(agent, row.id).state == "done"
        assert answer_of(standing(agent, row.id))["already"]
        assert len(incidents(agent).all()) == count


def test_a_remark_cut_off_is_told_as_interrupted_and_not_made_twice(agent, office):
    deliver(agent, office, office.order("declare", DECLARE, case=CASE))
    row = deliver(agent, office, office.order("note", {"text": "一次"}, case=CASE))
    cut(agent, row.id)
    restart(agent)
    assert standing(agent, row.id).state == "failed"
    assert told(agent)[-1]["state"] == "failed"
    (incident,) = incidents(agent).all()
    assert [step.act for step in incidents(agent).get(incident.id).steps].count("note") == 1


def test_an_end_that_was_not_told_is_told_after_the_start(agent, office):
    row = deliver(agent, office, office.order("report", {"kind": "other", "summary": "x"}))
    with agent.inventory.sessions.begin() as session:
        session.get_one(OrderRow, row.id).told = ""
    before = len(told(agent))
    restart(agent)
    restart(agent)
    assert len(told(agent)) == before + 1


def test_a_drill_is_kept_until_its_time_has_come(agent, office):
    soon = datetime.now(UTC) + timedelta(minutes=30)
    row = deliver(agent, office, office.order("drill", {"scenario": "insider", "at": soon.isoformat()}))
    assert row.state == "received"


def test_sealing_by_policy_and_a_rescan(agent, office, files):
    row = deliver(agent, office, office.order("rescan", {"full": True}))
    assert row.state == "done", row.reason
    assert answer_of(row)["listed"] == 3
    row = deliver(agent, office, office.order("seal", {}))
    assert row.state == "done", row.reason


def test_no_customers_value_is_in_what_head_office_is_told(agent, office, files):
    params = {"kind": "insider", "summary": "电话13800138000的会员名单", "scope": "all"}
    deliver(agent, office, office.order("declare", params, case=CASE, reason="电话13800138000投诉"))
    words = "".join(json.dumps(word, ensure_ascii=False) for word in told(agent))
    assert "13800138000" not in words
    assert "13800138000" not in agent.home.audit_log.read_text()
    assert os.fsdecode(files) not in words
