"""Declare and undo over real files, with the real inventory, vault, keys, record and outbox."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from shops import NOW, declaration, inventoried, opened, snapshot

from agent.audit import verify
from agent.incident.declare import declare, preview, report
from agent.incident.evidence import as_json, crossing_facts, event_facts, process_facts
from agent.incident.life import Move, advance
from agent.incident.store import IncidentStore, incidents
from agent.incident.undo import dismiss
from agent.inventory.records import Alert
from agent.watch.api import AccessEvent, Crossing, NoWatch
from agent.watch.behaviour import respond
from agent.watch.decoys import plant_decoys
from config.errors import ClocheError, UsageError
from config.home import find_home
from config.identity import make_identity
from containment.evidence import verify_chain
from containment.processes import Holder, start_time, state
from scanners.records import FileIdentity, Finding, Item

PLANTED = "13800001111"


class GuardStandIn(NoWatch):
    """Speaks the watch's protocol and remembers what is denied; blocking itself is tested with the real guard."""

    def __init__(self):
        self.denied = set()
        self.pardoned = []

    @property
    def tier(self):
        return "permission"

    def deny(self, keys):
        self.denied |= set(keys)
        return frozenset(keys)

    def allow(self, keys):
        self.denied -= set(keys)

    def pardon(self, session):
        self.pardoned.append(session)


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    for name, count in (("会员.csv", 300), ("预订.csv", 40), (f"{PLANTED}.txt", 1)):
        (folder / name).write_text("姓名,电话\n" + "测试甲,13800001111\n" * count, encoding="utf-8")
    (folder / "会员.csv").chmod(0o640)
    os.utime(folder / "会员.csv", ns=(1_700_000_000_123_456_789, 1_700_000_001_987_654_321))
    return folder


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    yield home
    for path in (tmp_path / "share").rglob("*"):
        subprocess.run(["chattr", "-i", str(path)], check=False, capture_output=True)


PEOPLES = ("grade", "phase", "orders", "messages", "duties", "reports", "notice")


def acts(incident):
    """What was done to files, in order; what people were told and asked is tested in its own rooms."""
    return [step.act for step in incident.steps if not step.act.startswith(PEOPLES)]


def test_a_declaration_vaults_what_is_named_and_a_false_alarm_brings_it_back_bit_for_bit(home, share):
    before = snapshot(share)
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40})
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert incident.complete, [step for step in incident.steps if not step.ok]
        assert (incident.phase, incident.scope, incident.files) == ("responding", "named", 3)
        assert {item.state for item in incident.items} == {"vault"}
        assert not set(before) & set(os.listdir(share))
        assert agent.inventory.item_at(os.fsencode(share / "会员.csv")).state == "vault"

        undone = dismiss(agent, incident.id, "测试乙", "演练", None)
        last = acts(undone).index("dismiss")
        assert all(step.ok for step in undone.steps[last:]), undone.steps[last:]
        assert undone.phase == "dismissed"
        assert snapshot(share) == before
        assert not watch.denied & set(keys.values())
        assert agent.inventory.item_at(os.fsencode(share / "会员.csv")).state == "plain"
        assert agent.keyring.held(incident.id) is None
        assert {item.state for item in undone.items} == {"released"}
    assert verify(home.audit_log, agent.keyring.public_key).ok


@pytest.mark.papers
def test_every_step_stands_in_the_record_and_the_evidence_is_signed(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        states = verify_chain(home.evidence / incident.id, agent.keyring.public_key)
        assert [state.intact for state in states] == [True]
        recorded = [json.loads(line) for line in home.audit_log.read_bytes().splitlines()]
        every = [entry["act"] for entry in recorded if entry["details"].get("incident") == incident.id]
        assert every == [f"incident.{step.act}" for step in incident.steps]
        mine = [act for act in every if not act.removeprefix("incident.").startswith(PEOPLES)]
        wanted = ["declare", "deny", "stop", "vault", "evidence", "documents", "outbox"]
        assert mine == [f"incident.{act}" for act in wanted] == [f"incident.{act}" for act in acts(incident)]
        assert [kind for _number, kind in agent.outbox.pending()] == ["incident"]
        assert len(list((home.documents / incident.id).iterdir())) == 6
        assert verify(home.audit_log, agent.keyring.public_key).signed_to == len(recorded)


def test_no_name_or_summary_carries_a_value_out(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        words = f"顾客 {PLANTED} 来电投诉"
        incident = declare(agent, declaration(summary=words, place=words, paths=(os.fsencode(share),)))
        dismiss(agent, incident.id, "测试乙", words, None)
        places = [home.audit_log, *home.documents.rglob("*.html")]
        for folder in (home.evidence, home.outbox, home.timelines):
            places += [path for path in folder.rglob("*") if path.is_file()]
        for path in places:
            assert PLANTED.encode() not in path.read_bytes(), path
        for path in home.documents.rglob("*.docx"):
            folder = path.with_suffix("")
            shutil.unpack_archive(path, folder, "zip")
            assert PLANTED not in (folder / "word" / "document.xml").read_text(encoding="utf-8")


def test_evidence_masks_what_it_is_given_whoever_forgot_to(home):
    raw = f"/s/{PLANTED}.csv".encode()
    with opened(home) as agent:
        event = AccessEvent(at=0.0, monotonic_ns=0, key="k", path=raw, operation="read", program=raw, command=raw)
        held = Holder(pid=9, started=1, program=raw, command=raw, uid=0, session=1, paths=(raw,))
        crossing = Crossing(
            event=event, rule="bound", subject="user", keys=("k",), persons=1, response="alert", outcome="alerted"
        )
        facts = [event_facts(event, agent.mask), crossing_facts(crossing, agent.mask), process_facts(held, agent.mask)]
        assert PLANTED.encode() not in as_json(facts)


def test_a_report_contains_nothing_and_fills_in_what_is_known(home, share):
    before = snapshot(share)
    with opened(home) as agent:
        inventoried(agent, share, {"会员.csv": 300})
        incident = report(agent, declaration(paths=(os.fsencode(share / "会员.csv"),)))
        assert (incident.phase, incident.types, incident.persons) == ("reported", ("PHONE_NUMBER",), 300)
        assert acts(incident) == ["report", "documents", "outbox"]
        assert incident.declared_at is None
    assert snapshot(share) == before


def test_a_hurried_report_of_something_that_is_not_there_is_not_turned_away(home, tmp_path):
    with opened(home) as agent:
        assert report(agent, declaration(paths=(os.fsencode(tmp_path / "nowhere"),))).phase == "reported"


def test_a_reported_incident_is_declared_under_its_own_number_and_only_once(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        first = report(agent, declaration())
        incident = declare(agent, declaration(paths=(os.fsencode(share),)), first.id)
        assert (incident.id, incident.phase) == (first.id, "responding")
        with pytest.raises(UsageError, match=f"{first.id} .*疑似上报"):
            declare(agent, declaration(paths=(os.fsencode(share),)), first.id)


def test_a_declaration_of_a_path_that_does_not_exist_does_nothing(home, share, tmp_path):
    with opened(home) as agent:
        with pytest.raises(UsageError, match="nowhere"):
            declare(agent, declaration(paths=(os.fsencode(share), os.fsencode(tmp_path / "nowhere"))))
        assert incidents(agent).all() == []
    assert "会员.csv" in os.listdir(share)


def test_without_keys_files_are_fenced_and_the_lack_is_named(home, share):
    before = snapshot(share)
    with opened(home, keys=False) as agent:
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        (vault,) = [step for step in incident.steps if step.act == "vault"]
        assert not vault.ok
        assert vault.details["reason_key"] == "incident.no_keys"
        assert {item.state for item in incident.items} == {"fenced"}
        assert stat.S_IMODE((share / "会员.csv").stat().st_mode) == 0
        undone = dismiss(agent, incident.id, "测试乙", "", None)
        since = [step.act for step in undone.steps].index("dismiss")
        assert all(step.ok for step in undone.steps[since:])
    assert snapshot(share) == before


def test_a_part_that_fails_is_named_and_the_rest_goes_on(home, share, monkeypatch):
    def broken(*_arguments, **_more):
        raise ClocheError(f"no space for {PLANTED}")

    with opened(home) as agent:
        inventoried(agent, share)
        monkeypatch.setattr("agent.incident.evidence.write_bundle", broken)
        monkeypatch.setattr(agent.watch, "deny", broken, raising=False)
        monkeypatch.setattr(agent.outbox, "put", broken)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        failed = {step.act: step.details["reason"] for step in incident.steps if not step.ok}
        assert set(failed) == {"deny", "evidence", "outbox"}
        assert not any(PLANTED in reason for reason in failed.values())
        assert {item.state for item in incident.items} == {"vault"}
        assert "documents" in acts(incident)


def test_what_the_guard_refuses_is_allowed_again_even_where_the_vault_never_had_it(home, share, monkeypatch):
    def broken(*_arguments, **_more):
        raise ClocheError("the journal cannot be written")

    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = set(inventoried(agent, share).values())
        monkeypatch.setattr(agent.quarantine, "fence", broken)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert {step.act for step in incident.steps if not step.ok} == {"vault"}
        assert "stop" in acts(incident)
        assert watch.denied == keys
        dismiss(agent, incident.id, "测试乙", "", None)
        assert watch.denied == set()


def test_a_release_without_a_key_says_so_and_a_second_try_with_the_sheet_finishes_it(home, share):
    before = snapshot(share)
    recovery = make_identity("recovery")
    with opened(home) as agent:
        agent.keyring.adopt(recovery.public)
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
    with opened(home, keys=False) as agent:
        undone = dismiss(agent, incident.id, "测试乙", "", None)
        (released,) = [step for step in undone.steps if step.act == "release"]
        assert released.details["reason_key"] == "incident.no_release_key"
        sheet = home.state / "sheet.txt"
        sheet.write_text(recovery.sheet())
        dismiss(agent, incident.id, "测试乙", "", agent.keyring.unlocker(sheet))
    assert snapshot(share) == before


def some_file(inode):
    return FileIdentity(
        filesystem="u", inode=inode, birth_ns=1, device=1, mtime_ns=1, size=1, links=1, uid=0, mode=0o100644
    )


def test_persons_and_types_of_a_file_count_what_lies_in_it_and_no_person_twice_in_one_scan(home, share):
    with opened(home) as agent:
        items = [
            Item(
                path=path, kind="other", status="read", level=3, persons=persons,
                findings=(Finding(entity=entity, count=1, distinct=1, confidence=0.9),),
                person_keys=frozenset(range(persons)), identity=some_file(inode) if inode else None,
            )
            for path, inode, persons, entity in (
                (b"/s/shop.zip", 1, 0, "PHONE_NUMBER"), (b"/s/shop.zip!a.csv", 0, 70, "CN_RESIDENT_ID"),
                (b"/s/copy.csv", 2, 70, "PHONE_NUMBER"),
            )
        ]  # fmt: skip
        agent.inventory.record_run(items, roots=[b"/s"], at=NOW)
        chosen = preview(agent, declaration(scope="strays"))
        by_path = {item.path: item for item in chosen.items}
        assert by_path[b"/s/shop.zip"].persons == 70
        assert by_path[b"/s/shop.zip"].types == ("CN_RESIDENT_ID", "PHONE_NUMBER")
        assert chosen.persons == 70


def test_the_default_scope_is_alerts_when_nothing_is_named_and_strays_when_there_is_none(home, share):
    with opened(home) as agent:
        keys = inventoried(agent, share)
        assert preview(agent, declaration()).scope == "strays"
        assert len(preview(agent, declaration()).items) == 3
        alert = Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["会员.csv"],), session="c1")
        agent.inventory.add_alert(alert)
        chosen = preview(agent, declaration())
        assert (chosen.scope, [item.path for item in chosen.items]) == ("alerts", [os.fsencode(share / "会员.csv")])
        assert preview(agent, declaration(paths=(os.fsencode(share / "预订.csv"),))).scope == "named"


def test_what_left_out_of_a_live_database_counts_though_it_stays_where_it_is(home, share):
    database = share / "orders.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    with opened(home) as agent:
        keys = inventoried(agent, share, {"orders.db": 600, "会员.csv": 90})
        touched = (keys["orders.db"], keys["会员.csv"])
        agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=touched, session="c9")
        )
        for number, key in enumerate(touched):
            agent.events.add(
                AccessEvent(
                    at=NOW.timestamp() - 9 + number, monotonic_ns=number, key=key, path=b"/x", operation="open",
                    session="c9", decision="allow",
                ),
                agent.mask,
            )  # fmt: skip
        incident = declare(agent, declaration())
        assert (incident.files, incident.persons) == (2, 690)
        assert (incident.left_files, incident.left_persons) == (2, 690)
        states = {os.path.basename(item.path): item.state for item in incident.items}
        assert states == {b"orders.db": "left", "会员.csv".encode(): "vault"}
    assert database.exists()


def test_a_live_database_stays_where_it_is_unless_a_person_names_it(home, share):
    database = share / "orders.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    with opened(home) as agent:
        inventoried(agent, share)
        folder = preview(agent, declaration(paths=(os.fsencode(share),)))
        assert [left.why for left in folder.left_out] == ["live"]
        assert database.name not in {os.fsdecode(os.path.basename(item.path)) for item in folder.items}
        assert preview(agent, declaration()).left_out
        assert not preview(agent, declaration(paths=(os.fsencode(database),))).left_out
        assert not preview(agent, declaration(scope="all")).left_out
        assert preview(agent, declaration(paths=(os.fsencode(database),), machine=True)).left_out
        assert preview(agent, declaration(scope="all", machine=True)).left_out
        incident = declare(agent, declaration(scope="strays"))
        assert incident.complete
    assert database.exists()


def test_a_file_that_the_tills_program_holds_stays_where_it_is(home, share):
    held = share / "会员.csv"
    with held.open("rb") as file:
        till = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE,
                                pass_fds=(file.fileno(),))  # fmt: skip
        try:
            program = os.path.realpath(f"/proc/{till.pid}/exe")
            with opened(home, settings={"watch": {"protected_programs": [program]}}) as agent:
                inventoried(agent, share)
                chosen = preview(agent, declaration())
                assert [left.why for left in chosen.left_out] == ["protected"]
        finally:
            till.communicate()


def test_who_holds_a_file_is_stopped_and_goes_on_after_a_false_alarm(home, share):
    script = "import sys, time; f = open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    thief = subprocess.Popen(
        [sys.executable, "-c", script, str(share / "会员.csv")], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        thief.stdout.readline()
        with opened(home) as agent:
            inventoried(agent, share)
            incident = declare(agent, declaration(paths=(os.fsencode(share),)))
            (stop,) = [step for step in incident.steps if step.act == "stop"]
            assert stop.details["stopped"] == 1
            assert state_of(thief.pid) == "T"
            dismiss(agent, incident.id, "测试乙", "", None)
            assert state_of(thief.pid) != "T"
    finally:
        thief.kill()
        thief.communicate()


def test_a_thief_that_the_guard_froze_goes_on_after_a_false_alarm_even_with_its_files_closed(home, share):
    thief = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        os.kill(thief.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, thief.pid, os.WSTOPPED | os.WNOWAIT)
        with opened(home) as agent:
            keys = inventoried(agent, share)
            event = AccessEvent(
                at=NOW.timestamp(), monotonic_ns=0, key=keys["会员.csv"], path=b"/x", operation="read",
                pid=thief.pid, started=start_time(thief.pid), session="c9", decision="deny",
            )  # fmt: skip
            crossing = Crossing(
                event=event, rule="bound", subject="session", keys=(keys["预订.csv"],), persons=40,
                response="declare", outcome="stopped", stopped_ms=1.5,
            )  # fmt: skip
            agent.events.add(crossing, agent.mask)
            incident = declare(agent, declaration(machine=True, paths=(os.fsencode(share),)))
            assert state_of(thief.pid) == "T"
            dismiss(agent, incident.id, "测试乙", "", None)
            assert state_of(thief.pid) != "T"
    finally:
        thief.kill()
        thief.wait()


def test_stopping_is_left_out_where_the_settings_say_so(home, share):
    with opened(home, settings={"respond": {"stop_holders": False}}) as agent:
        inventoried(agent, share)
        assert "stop_off" in acts(declare(agent, declaration(paths=(os.fsencode(share),))))


def test_nothing_is_contained_where_the_settings_say_so(home, share):
    before = snapshot(share)
    with opened(home, settings={"respond": {"contain": False}}) as agent:
        inventoried(agent, share)
        assert "vault_off" in acts(declare(agent, declaration(paths=(os.fsencode(share),))))
    assert snapshot(share) == before


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def test_what_left_is_told_from_the_suspects_accesses_alone(home, share):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40})
        base = AccessEvent(at=0.0, monotonic_ns=0, key="", path=b"", operation="read", uid=1000)
        start = NOW.timestamp() - 60
        thief = replace(base, session="c9", user="cashier", program=b"/usr/bin/tar", command=f"tar {PLANTED}".encode())
        for event in (
            replace(thief, at=start, key=keys["会员.csv"], decision="allow"),
            replace(thief, at=start + 0.5, key=keys["会员.csv"], decision="allow"),
            replace(thief, at=start + 0.8, key=keys["预订.csv"], decision="deny"),
            replace(base, at=start + 9, session="c1", user="manager", key=keys["预订.csv"], decision="allow"),
        ):
            agent.events.add(event, agent.mask)
        alert = agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["会员.csv"],), session="c9")
        )
        incident = declare(agent, declaration(paths=(os.fsencode(share),), machine=True))
        assert (incident.left_files, incident.left_persons, incident.left_seconds) == (1, 300, pytest.approx(0.5))
        (evidence,) = [step for step in incident.steps if step.act == "evidence"]
        first = evidence.details["deeds"][0]
        assert (first["user"], first["suspect"], first["files"], first["refused"]) == ("cashier", True, 1, 1)
        assert PLANTED not in json.dumps(evidence.details)
        dismiss(agent, incident.id, "测试乙", "", None)
        assert watch.pardoned == ["c9"]
        assert alert.id not in {entry.id for entry in agent.inventory.alerts()}


def test_the_end_of_handling_starts_the_48_hours_and_an_incident_cannot_skip_a_phase(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert incident.phase == "responding"
        with pytest.raises(UsageError, match=f"{incident.id} .*应急响应.*事后报告"):
            advance(agent, incident.id, "测试乙", Move(to="reviewing"))
        advance(agent, incident.id, "测试乙", Move(override="测试"))
        ended = advance(agent, incident.id, "测试乙", Move(override="测试", reason="处理完毕"))
        assert ended.phase == "reviewing"
        assert agent.now() - ended.handling_ended_at < timedelta(minutes=1)
        overridden = [step for step in ended.steps if step.act == "override"]
        assert [step.details["to"] for step in overridden] == ["cleaning", "reviewing"]
        assert "no_check" in overridden[1].details["unmet"]
    assert "会员.csv" not in os.listdir(share)


def test_an_id_may_be_shortened_while_it_is_plain(home):
    with opened(home) as agent:
        one, two = (report(agent, declaration()) for _ in range(2))
        store = incidents(agent)
        assert store.get(one.id).id == one.id
        with pytest.raises(UsageError, match="2 incidents"):
            store.get("I2")
        with pytest.raises(UsageError, match="no incident"):
            store.get("")
        assert [entry.id for entry in store.all()] == [two.id, one.id]
        assert store.get("latest").id == two.id
        dismiss(agent, "latest", "测试乙", "误报", None)
        assert store.get("latest").id == one.id, "what goes on comes before what is ended"


def test_a_second_crossing_of_the_same_attack_extends_the_incident_that_is_under_way(home, share):
    before = snapshot(share)
    with opened(home) as agent:
        keys = inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40})
        agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["会员.csv"],), session="c1")
        )
        first = declare(agent, declaration(machine=True, scope="alerts"))
        agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["预订.csv"],), session="c2")
        )
        second = declare(agent, declaration(machine=True, scope="alerts"))
        assert (second.id, second.files, second.persons) == (first.id, 2, 340)
        assert "extend" in acts(second)
        assert {item.state for item in second.items} == {"vault"}
        other = declare(agent, declaration(machine=True, scope="alerts", kind="intrusion"))
        assert other.id != first.id
        by_hand = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert by_hand.id not in (first.id, other.id)
        for incident in (first, by_hand):
            dismiss(agent, incident.id, "测试乙", "", None)
    assert snapshot(share) == before


@pytest.mark.papers
def test_a_report_once_written_is_never_written_over(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        first = report(agent, declaration())
        papers = {path: path.read_bytes() for path in (home.documents / first.id).iterdir()}
        declare(agent, declaration(paths=(os.fsencode(share),)), first.id)
        dismiss(agent, first.id, "测试乙", "", None)
        assert {path: path.read_bytes() for path in papers} == papers
        assert len(list((home.documents / first.id).iterdir())) == 18


def test_a_full_disk_keeps_nothing_from_being_denied(home, share, monkeypatch):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share)

        def full(*_arguments):
            raise ClocheError("inventory.db: database or disk is full")

        monkeypatch.setattr(IncidentStore, "add", full)
        with pytest.raises(ClocheError, match="full"):
            declare(agent, declaration(paths=(os.fsencode(share),)))
        assert watch.denied == set(keys.values())


def test_an_incident_that_cannot_be_declared_denies_nothing(home, share):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        inventoried(agent, share)
        told = report(agent, declaration())
        close_as_false = dismiss(agent, told.id, "测试乙", "没有事", None)
        with pytest.raises(UsageError):
            declare(agent, declaration(paths=(os.fsencode(share),)), close_as_false.id)
        assert not watch.denied


def test_a_decoy_that_no_scan_met_has_the_strays_contained_not_nothing(home, share, tmp_path):
    decoy = tmp_path / "诱饵.csv"
    settings = {"watch": {"decoys": [str(decoy)], "decoy_response": "declare"}}
    with opened(home, watch=GuardStandIn(), settings=settings) as agent:
        inventoried(agent, share)
        (planted,) = plant_decoys(agent)
        event = AccessEvent(
            at=NOW.timestamp(), monotonic_ns=1, key=planted.key, path=planted.path, operation="open", pid=4_000_000,
            started=1, uid=1001, user="clerk", session="audit:7", decision="deny",
        )  # fmt: skip
        respond(
            agent,
            Crossing(
                event=event, rule="decoy", subject="session", keys=(), persons=0, response="declare", outcome="stopped"
            ),
        )
        (row,) = incidents(agent).all()
        incident = incidents(agent).get(row.id)
        assert (incident.scope, incident.machine) == ("strays", True)
        assert {item.state for item in incident.items} == {"vault"}
        assert len(incident.items) == 3
        assert decoy.exists()


def test_a_false_alarm_lets_go_on_whom_the_guard_stopped_after_the_declaration(home, share):
    with opened(home, watch=GuardStandIn()) as agent:
        keys = inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        with subprocess.Popen(["sleep", "60"]) as late:
            os.kill(late.pid, signal.SIGSTOP)
            facts = {
                "at": NOW.timestamp() + 5, "monotonic_ns": 1, "key": keys["会员.csv"], "path": b"x",
                "operation": "open", "session": "audit:7", "decision": "deny",
            }  # fmt: skip
            first = AccessEvent(**facts, pid=4_000_000, started=1)
            agent.events.add(
                Crossing(
                    event=first, rule="bound", subject="session", keys=(), persons=0, response="declare",
                    outcome="stopped",
                ),
                agent.mask,
            )  # fmt: skip
            agent.events.add(AccessEvent(**facts, pid=late.pid, started=start_time(late.pid)), agent.mask)
            dismiss(agent, incident.id, "测试乙", "演练", None)
            stopped = state(late.pid) == "T"
            late.kill()
        assert not stopped


def test_where_nothing_was_declared_a_dismissed_report_lets_the_stopped_go_on(home, share):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share)
        with subprocess.Popen(["sleep", "60"]) as frozen:
            os.kill(frozen.pid, signal.SIGSTOP)
            event = AccessEvent(
                at=NOW.timestamp(), monotonic_ns=1, key=keys["会员.csv"], path=b"x", operation="open",
                pid=frozen.pid, started=start_time(frozen.pid), session="audit:7", decision="deny",
            )  # fmt: skip
            respond(
                agent,
                Crossing(
                    event=event, rule="bound", subject="session", keys=(), persons=0, response="stop",
                    outcome="stopped",
                ),
            )  # fmt: skip
            told = report(agent, declaration(paths=(os.fsencode(share / "会员.csv"),)))
            dismiss(agent, told.id, "测试乙", "盘点", None)
            stopped = state(frozen.pid) == "T"
            frozen.kill()
        assert not stopped
        assert watch.pardoned == ["audit:7"]
        assert not agent.inventory.alerts()
