"""Clean-up: where each item is by a look at the disk, decisions, release and restore with proof, and residual risk."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import premises
import pytest
from premises import CONTENT, NOW, PLANTED
from shops import Clock, inventoried

from agent.approvals import approve
from agent.cleaning import operations
from agent.cleaning.acting import Cleaning, Copy, note_purged, short
from agent.cleaning.records import DECISIONS, Where
from agent.cleaning.state import (
    Places,
    decisions_of,
    readable_items,
    risk_assessment,
    undecided_items,
    unfinished_items,
)
from agent.incident.declare import Declaration, declare
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.operation import Caller, Request
from agent.purge import certificate
from agent.purge.carrying import look_after
from agent.purge.store import Purges
from agent.wiring import Agent, build_agent
from config.errors import ClocheError, CorruptError, RefusedError, UsageError
from config.home import Home
from config.identity import Identity, make_identity
from config.schema import Settings
from config.text import LANGUAGES, Text, load_packs
from containment import restoring
from containment.journal import Journal
from containment.restoring import DiffersError, Manner, copied, restore, sweep

OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
WAITER = Caller(uid=1000, gid=1000, pid=1, user="waiter")
PEOPLE = [
    {"name": "王测试", "roles": ["security_lead"], "user": "lead"},
    {"name": "赵样例", "roles": ["store_manager"], "user": "manager"},
]

no_reports = premises.no_reports
clock = premises.clock
home = premises.home
share = premises.share


@pytest.fixture(autouse=True)
def certificates_in_html(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate is HTML alone: purges are tried elsewhere."""
    real = certificate.write_versions
    monkeypatch.setattr(certificate, "write_versions", lambda *given: real(*given, formats=("html",)))


@pytest.fixture
def identity() -> Identity:
    return make_identity("recovery")


@pytest.fixture
def agent(home: Home, clock: Clock, share: Path, identity: Identity) -> Iterator[Agent]:
    with build_agent(home, Settings.model_validate({"people": PEOPLE}), now=clock) as built:
        built.keyring.adopt(identity.public)
        inventoried(built, share)
        yield built


def declared(agent: Agent, *paths: Path, **changes: object) -> Incident:
    facts = {"kind": "staff_mistake", "summary": "演练", "discovered_at": agent.now(), "by": "测试甲", **changes}
    return declare(agent, Declaration(paths=tuple(map(os.fsencode, paths)), **facts))


def again(agent: Agent, incident: Incident) -> Incident:
    return incidents(agent).get(incident.id)


def places(agent: Agent, incident: Incident) -> dict[str, Where]:
    decided, found = decisions_of(agent, incident.id), Places(agent)
    return {
        os.fsdecode(os.path.basename(item.path)): found.of(item, decided.get(item.path))
        for item in again(agent, incident).items
    }


def named(incident: Incident, name: str):
    return next(item for item in incident.items if os.path.basename(item.path) == os.fsencode(name))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# where things are


def test_what_is_in_the_vault_fenced_sealed_or_gone_is_not_readable_and_what_lies_there_is(agent, share):
    reported = declared(agent, share)
    assert set(places(agent, reported).values()) == {"vault"}
    assert readable_items(agent, reported) == []
    (share / "会员.csv").write_text("again", encoding="utf-8")
    assert [item.name for item in readable_items(agent, again(agent, reported))] == [named(reported, "会员.csv").name]


@pytest.mark.needs("root")
def test_a_fence_that_somebody_opened_again_counts_as_readable(home, clock, share):
    with build_agent(home, Settings(), now=clock) as agent:  # no key: it is fenced and stays so
        inventoried(agent, share)
        incident = declared(agent, share)
        assert set(places(agent, incident).values()) == {"fenced"}
        path = share / "会员.csv"
        subprocess.run(["chattr", "-i", str(path)], check=True)
        path.chmod(0o644)
        assert places(agent, incident)["会员.csv"] == "readable"
        assert len(readable_items(agent, again(agent, incident))) == 1


def test_a_second_name_that_the_inventory_knows_is_looked_at_as_well(home, clock, share, identity):
    (share / "sub").mkdir()
    with build_agent(home, Settings(respond={"contain": False}), now=clock) as agent:
        agent.keyring.adopt(identity.public)
        os.link(share / "会员.csv", share / "sub" / "copy.csv")
        inventoried_tree(agent, share)
        incident = declared(agent, share / "会员.csv")
        (share / "会员.csv").unlink()
        assert places(agent, incident)["会员.csv"] == "readable"
        (share / "sub" / "copy.csv").unlink()
        assert places(agent, incident)["会员.csv"] == "gone"


def inventoried_tree(agent: Agent, folder: Path) -> None:
    """`inventoried` for files only."""
    from scanners.identity import Identities
    from scanners.records import Item

    items = []
    for path in sorted(found for found in folder.rglob("*") if found.is_file()):
        with opened(path) as descriptor:
            identity = Identities().of(descriptor, os.fstat(descriptor))
        items.append(
            Item(path=os.fsencode(path), kind="csv", status="read", size=9, level=3, persons=9, identity=identity)
        )
    agent.inventory.record_run(items, roots=[os.fsencode(folder)], at=NOW)


class Guard:
    """What the guard's tier is; all else as without one."""

    def __new__(cls):
        from agent.watch.api import NoWatch

        class Blocking(NoWatch):
            @property
            def tier(self):
                return "permission"

        return Blocking()


@pytest.mark.parametrize(
    ("response", "persons", "guarded", "where"),
    [("stop", 900, True, "governed"), ("alert", 900, True, "readable"), ("stop", 3, True, "readable"),
     ("stop", 900, False, "readable")],
)  # fmt: skip
def test_a_live_database_left_for_trade_is_readable_unless_the_guard_keeps_it_to_the_till(  # noqa: PLR0917  pytest's
    home, clock, tmp_path, response, persons, guarded, where
):
    folder = tmp_path / "data"
    folder.mkdir()
    database = sqlite3.connect(folder / "till.db")
    database.execute("CREATE TABLE member (phone)")
    database.commit()
    database.close()
    settings = Settings.model_validate({"watch": {"response": response, "max_persons": 500}})
    with build_agent(home, settings, Guard() if guarded else None, now=clock) as agent:
        inventoried(agent, folder, {"till.db": persons})
        from agent.inventory.records import Alert

        (key,) = {item.key for item in agent.inventory.items()}
        agent.inventory.add_alert(Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(key,)))
        incident = declared(agent, scope="alerts")
        assert [item.state for item in incident.items] == ["left"]
        assert places(agent, incident) == {"till.db": where}
        assert (readable_items(agent, incident) == []) is (where == "governed")


# decisions


def test_every_item_needs_a_decision_and_a_later_one_replaces_it_until_it_is_carried_out(agent, share):
    incident = declared(agent, share)
    cleaning = Cleaning(agent, incident, "lead")
    assert len(undecided_items(agent, incident)) == 3
    cleaning.decide(incident.items, "evidence", f"警方要用 {PLANTED}")
    assert undecided_items(agent, incident) == unfinished_items(agent, incident) == []
    assert all(PLANTED not in word.reason for word in decisions_of(agent, incident.id).values())
    cleaning.decide(incident.items[:1], "release", "警方不要了")
    assert len(unfinished_items(agent, incident)) == 1
    cleaning.release(incident.items[:1], "警方不要了", None)
    with pytest.raises(RefusedError):
        cleaning.decide(incident.items[:1], "purge", "再想想")
    acts = [step.act for step in again(agent, incident).steps if step.act.startswith("clean")]
    assert acts == ["cleaning.decided", "cleaning.decided", "cleaning.decided", "clean.released"]


@pytest.mark.parametrize(("decision", "reason"), [("keep", "x"), ("release", "  "), (None, "x")])
def test_a_decision_that_is_none_or_has_no_reason_is_refused(agent, share, decision, reason):
    incident = declared(agent, share)
    with pytest.raises(UsageError):
        Cleaning(agent, incident, "lead").decide(incident.items, decision, reason)
    with pytest.raises(UsageError):
        Cleaning(agent, incident, "lead").decide([], "release", "x")
    assert len(undecided_items(agent, incident)) == 3


def test_evidence_must_be_whole_and_in_the_vault(agent, share, home):
    incident = declared(agent, share)
    first, second, *_rest = incident.items
    (home.vault / f"{first.vault_id or agent.quarantine.find(first.path)[0].id}.cloche").write_bytes(b"x" * 9000)
    with pytest.raises(RefusedError):
        Cleaning(agent, incident, "lead").decide([first], "evidence", "警方要用")
    Cleaning(agent, incident, "lead").release([second], "没有问题", None)
    with pytest.raises(RefusedError):
        Cleaning(agent, incident, "lead").decide([second], "evidence", "警方要用")


def test_an_incident_that_is_not_being_handled_is_not_cleaned_up(agent, share):
    incident = declared(agent, share)
    incidents(agent).change(incident.id, phase="closed")
    closed = again(agent, incident)
    with pytest.raises(UsageError):
        Cleaning(agent, closed, "lead").decide(closed.items, "leave", "x")
    with pytest.raises(UsageError):
        Cleaning(agent, closed, "lead").accept_risk(risk="", owner="王测试", until=None)


def test_a_release_is_proved_by_reading_the_file_again(agent, share):
    incident = declared(agent, share)
    left = Cleaning(agent, incident, "lead").release(incident.items, "误会", None)
    assert left == []
    assert (share / "会员.csv").read_text(encoding="utf-8") == CONTENT
    assert set(places(agent, incident).values()) == {"settled"}
    assert readable_items(agent, again(agent, incident)) == []
    proofs = [word.proof for word in decisions_of(agent, incident.id).values()]
    assert {proof["sha256"] for proof in proofs} == {"equal"}
    assert {item.state for item in again(agent, incident).items} == {"released"}


def test_a_purge_that_was_decided_is_done_once_it_was_carried_out(agent, share, clock):
    incident = declared(agent, share)
    cleaning = Cleaning(agent, incident, "lead")
    with pytest.raises(RefusedError):
        cleaning.purge(incident.items, reason="散落的导出文件", originals=False, statement="")
    assert len(unfinished_items(agent, incident)) == 3
    (purge,) = Purges(agent).all()
    approve(agent, purge.subject, agent.people.named("赵样例"), "account")
    look_after(agent, clock.now)
    clock.now += timedelta(hours=24)
    look_after(agent, clock.now)
    note_purged(agent, clock.now)
    assert unfinished_items(agent, incident) == []
    assert set(places(agent, incident).values()) == {"gone"}
    assert {word.proof["purge"] for word in decisions_of(agent, incident.id).values()} == {purge.id}


# restore


def restored(agent, incident, name, source, **options):
    with opened(source) as descriptor:
        copy = Copy(source=descriptor, reason=options.pop("reason", "昨晚的备份"), **options)
        return Cleaning(agent, incident, "lead").restore(named(incident, name), copy)


def test_a_backup_that_is_what_was_taken_comes_back_with_mode_and_proof(agent, share, tmp_path):
    backup = tmp_path / "backup.csv"
    backup.write_text(CONTENT, encoding="utf-8")
    incident = declared(agent, share)
    proof = restored(agent, incident, "会员.csv", backup)
    assert (proof["sha256"], proof["from"]) == ("equal", "backup")
    back = share / "会员.csv"
    assert back.read_text(encoding="utf-8") == CONTENT
    assert back.stat().st_mode & 0o777 == 0o640
    assert places(agent, incident)["会员.csv"] == "settled"
    assert agent.inventory.item_at(os.fsencode(back)).state == "plain"
    assert [name for name in os.listdir(share) if name.startswith(".cloche")] == []
    (step,) = [step for step in again(agent, incident).steps if step.act == "clean.restored"]
    assert step.details["sha256"] == "equal"


def test_a_copy_that_differs_is_not_moved_in_unless_a_person_says_why(agent, share, tmp_path, home):
    backup = tmp_path / "backup.csv"
    backup.write_text("older\n", encoding="utf-8")
    incident = declared(agent, share)
    with pytest.raises(RefusedError, match="SHA-256"):
        restored(agent, incident, "会员.csv", backup)
    assert not (share / "会员.csv").exists()
    assert len(unfinished_items(agent, incident)) == 1
    proof = restored(agent, incident, "会员.csv", backup, differs=f"周一的备份，顾客 {PLANTED} 已确认")
    assert proof["sha256"] == "differs"
    assert (share / "会员.csv").read_text(encoding="utf-8") == "older\n"
    assert PLANTED not in home.audit_log.read_text(encoding="utf-8")
    assert PLANTED not in agent.timelines.path(incident.id).read_text(encoding="utf-8")


def test_what_was_never_taken_in_has_nothing_to_compare_with_and_needs_a_word(home, clock, share, identity, tmp_path):
    backup = tmp_path / "backup.csv"
    backup.write_text(CONTENT, encoding="utf-8")
    with build_agent(home, Settings.model_validate({"respond": {"contain": False}}), now=clock) as agent:
        agent.keyring.adopt(identity.public)
        inventoried(agent, share)
        incident = declared(agent, share)
        (share / "会员.csv").unlink()
        with pytest.raises(RefusedError, match="differs"):
            restored(agent, incident, "会员.csv", backup)
        assert restored(agent, incident, "会员.csv", backup, differs="备份服务器上唯一一份")["sha256"] == "unknown"


def test_a_file_in_the_way_goes_into_the_vault_first_and_is_never_overwritten(agent, share, tmp_path):
    backup = tmp_path / "backup.csv"
    backup.write_text(CONTENT, encoding="utf-8")
    incident = declared(agent, share)
    (share / "会员.csv").write_text("encrypted by a thief", encoding="utf-8")
    with pytest.raises(RefusedError, match="replace"):
        restored(agent, incident, "会员.csv", backup)
    assert (share / "会员.csv").read_text(encoding="utf-8") == "encrypted by a thief"
    before = len(agent.quarantine.entries("vaulted"))
    restored(agent, incident, "会员.csv", backup, replace=True)
    assert (share / "会员.csv").read_text(encoding="utf-8") == CONTENT
    assert len(agent.quarantine.entries("vaulted")) == before + 1


def test_a_sealed_copy_of_this_store_comes_back_with_all_that_belongs_to_it(agent, share, home, tmp_path, identity):
    incident = declared(agent, share)
    entry = agent.quarantine.find(os.fsencode(share / "会员.csv"))[0]
    copy = tmp_path / "copy.cloche"
    copy.write_bytes((home.vault / f"{entry.id}.cloche").read_bytes())
    agent.keyring.drop(incident.id)
    with pytest.raises(RefusedError):
        restored(agent, incident, "会员.csv", copy)
    from containment.keys import Unlocker

    key = Unlocker([identity])
    assert restored(agent, incident, "会员.csv", copy, unlocker=key)["from"] == "sealed"
    assert (share / "会员.csv").read_text(encoding="utf-8") == CONTENT
    copy.write_bytes(copy.read_bytes()[:-40])
    (share / "预订.csv").unlink(missing_ok=True)
    with pytest.raises(CorruptError):
        restored(agent, incident, "预订.csv", copy, unlocker=key)
    assert [name for name in os.listdir(share) if name.startswith(".cloche")] == []


def test_a_sealed_copy_of_another_store_is_not_installed(agent, share, tmp_path, identity):
    from containment.keyring import Keyring
    from containment.metadata import capture
    from containment.sealed import seal

    incident = declared(agent, share)
    foreign = Keyring(tmp_path / "foreign")
    foreign.adopt(identity.public)
    plain, copy = tmp_path / "plain", tmp_path / "copy.cloche"
    plain.write_text(CONTENT, encoding="utf-8")
    with opened(plain) as source, copy.open("wb") as target:
        seal(source, target.fileno(), capture(source, os.fsencode(plain), ()), foreign)
    with pytest.raises(RefusedError):
        restored(agent, incident, "会员.csv", copy)
    assert not (share / "会员.csv").exists()


@pytest.mark.parametrize("where", ["written", "named"])
def test_a_cut_restore_leaves_no_customer_data_after_the_next_look(tmp_path, where):
    journal = Journal(tmp_path / "journal")
    source = tmp_path / "backup.csv"
    source.write_text(CONTENT, encoding="utf-8")
    (tmp_path / "share").mkdir()
    child = os.fork()
    if child == 0:  # it ends as by a power cut: nothing is cleaned up
        with opened(source) as descriptor:
            write = copied(descriptor, Manner(mode=0o600, uid=os.geteuid()))

            def cut_off(target: int) -> None:
                write(target)
                if where == "written":
                    os._exit(0)

            restoring.rename_exclusive = lambda *_arguments: os._exit(0)
            restore(journal, os.fsencode(tmp_path / "share" / "会员.csv"), cut_off, expected=None, differs=True)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    (left,) = os.listdir(tmp_path / "share")
    assert left.startswith(".cloche-")
    assert sweep(Journal(tmp_path / "journal")) == 1
    assert os.listdir(tmp_path / "share") == []
    assert sweep(Journal(tmp_path / "journal")) == 0


def test_a_link_on_the_way_or_a_copy_that_is_no_file_is_refused(tmp_path):
    journal = Journal(tmp_path / "journal")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    source = tmp_path / "backup"
    source.write_text("x", encoding="utf-8")
    with opened(source) as descriptor:
        write = copied(descriptor, Manner(mode=0o4777, uid=-1))
        with pytest.raises(OSError, match=r"Not a directory|symbolic"):
            restore(journal, os.fsencode(tmp_path / "link" / "a"), write, expected=None, differs=True)
        with pytest.raises(DiffersError):
            restore(journal, os.fsencode(tmp_path / "real" / "a"), write, expected="00", differs=False)
        assert os.listdir(tmp_path / "real") == []
        restore(journal, os.fsencode(tmp_path / "real" / "a"), write, expected=None, differs=True)
        assert (tmp_path / "real" / "a").stat().st_mode & 0o7000 == 0, "a backup brings no setuid file"
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(RefusedError):
        copied(descriptor, Manner(mode=0o600, uid=-1))
    os.close(descriptor)
    assert journal.pending() == []


# risk


def test_a_risk_has_an_owner_and_a_day_and_that_none_remains_is_a_word_too(agent, share):
    incident = declared(agent, share)
    cleaning = Cleaning(agent, incident, "lead")
    assert risk_assessment(agent, incident.id) is None
    for wrong in ({"owner": "无此人"}, {"owner": ""}, {"until": None}, {"until": date(2026, 11, 1)}):
        with pytest.raises(UsageError):
            cleaning.accept_risk(**{"risk": "手机上的旧副本", "owner": "王测试", "until": date(2026, 12, 1), **wrong})
    assert risk_assessment(agent, incident.id) is None
    cleaning.accept_risk(risk=f"手机上有 {PLANTED}", owner="王测试", until=date(2026, 12, 1))
    found = risk_assessment(agent, incident.id)
    assert (len(found.risks), found.risks[0].owner) == (1, "王测试")
    assert PLANTED not in found.risks[0].risk
    other = declared(agent, share)
    Cleaning(agent, other, "lead").accept_risk(risk="", owner="王测试", until=None)
    assert risk_assessment(agent, other.id).risks == ()


# operations and the command line


def ask(agent: Agent, what: str, caller: Caller = OWNER, **arguments: object):
    return getattr(operations, what)(agent, Request(arguments=arguments, caller=caller))


def test_items_go_by_number_key_vault_id_or_name_and_an_unknown_one_is_named(agent, share):
    incident = declared(agent, share)
    first = incident.items[0]
    for word in ("1", short(first.path), first.name):
        ask(agent, "decide", id=incident.id, items=[word], decision="leave", reason="x")
    document = ask(agent, "show", id=incident.id).document
    assert (document["undecided"], document["items"][0]["decision"]) == (2, "leave")
    with pytest.raises(UsageError, match="99"):
        ask(agent, "decide", id=incident.id, items=["99"], decision="leave", reason="x")
    ask(agent, "decide", id=incident.id, undecided=True, decision="leave", reason="x")
    assert undecided_items(agent, incident) == []
    released = ask(agent, "release", id=incident.id, everything=True, reason="已核实").document
    assert {item["where"] for item in released["items"]} == {"settled"}
    with pytest.raises(UsageError):
        ask(agent, "release", id=incident.id, everything=True, reason="已核实")
    for what in ("show", "decide", "release", "restore", "purge", "risk"):
        with pytest.raises(RefusedError):
            ask(agent, what, WAITER, id=incident.id)
    with pytest.raises(ClocheError):
        ask(agent, "restore", id=incident.id, items=["1"], reason="x")
    assert PLANTED not in json.dumps(document, ensure_ascii=False)


def test_every_word_of_a_clean_up_is_there_in_both_languages():
    packs = load_packs()
    assert all(f"cleaning.as_{decision}" in packs for decision in DECISIONS)
    assert all(f"cleaning.where_{where}" in packs for where in Where.__args__)
    for language in LANGUAGES:
        text = Text(language)
        assert text("cleaning.act_decided", actor="x", files=1, decision="y", why="z")
        assert text("cleaning.act_risk", actor="x", risk="r", owner="o", until="u")
        assert text("cleaning.act_no_risk", actor="x", risk="", owner="o", until="")
        assert text("clean.act_released", files=1)
        assert text("clean.act_restored", name="x")


def test_the_command_line_shows_decides_restores_and_assesses(home, clock, share, identity, tmp_path):
    with build_agent(home, Settings(), now=clock) as agent:
        agent.keyring.adopt(identity.public)
        inventoried(agent, share)
        incident = declared(agent, share / "会员.csv")
    backup = tmp_path / "backup.csv"
    backup.write_text(CONTENT, encoding="utf-8")

    def cloche(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = os.path.join(os.path.dirname(sys.executable), "cloche")
        return subprocess.run([program, "incident", "clean", incident.id, *arguments], capture_output=True, text=True,
                              check=False, env={**os.environ, "CLOCHE_HOME": str(home.state)},
                              stdin=subprocess.DEVNULL)  # fmt: skip

    shown = cloche("show")
    assert shown.returncode == 0, shown.stderr
    assert "未决定 1" in shown.stdout
    done = cloche("restore", "1", "--from", str(backup), "--reason", "昨晚的备份")
    assert done.returncode == 0, done.stderr
    assert "SHA-256 一致" in done.stdout
    assert (share / "会员.csv").read_text(encoding="utf-8") == CONTENT
    document = json.loads(cloche("accept-risk", "--none", "--owner", "王测试", "--json").stdout)
    assert document["schema"] == "cloche.clean/1"
    assert document["assessed_at"]
