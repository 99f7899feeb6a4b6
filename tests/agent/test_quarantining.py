"""`cloche quarantine`: the operations, who may, what the inventory, the watch and the record learn."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from agent import quarantining
from agent.aftermath import give_back, note_recovery
from agent.audit import verify as verify_log
from agent.operation import Caller, Request
from agent.watch.api import MarkResult, NoWatch, Watched
from agent.wiring import Agent, build_agent
from config.errors import ExitCode, RefusedError, UsageError
from config.home import Home, find_home
from config.identity import Identity, make_identity
from config.schema import Person, ScanSettings, Settings
from config.text import LANGUAGES, Text
from containment.entries import Cause, State
from containment.quarantine import Quarantine, Result
from scanners.identity import Identities
from scanners.records import Finding, Item

ROOT = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)


class NotedWatch(NoWatch):
    """Denies and marks like a guard, and keeps who was told what."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.marked: dict[str, Watched] = {}

    def deny(self, keys: Sequence[str]) -> frozenset[str]:
        self.denied |= set(keys)
        return frozenset(keys)

    def allow(self, keys: Sequence[str]) -> None:
        self.denied -= set(keys)

    def unmark(self, keys: Sequence[str]) -> None:
        self.denied -= set(keys)
        for key in keys:
            self.marked.pop(key, None)

    def mark(self, items: Iterable[Watched]) -> MarkResult:
        self.marked |= {item.key: item for item in items}
        return MarkResult(marked=len(self.marked))


@pytest.fixture
def identity() -> Identity:
    return make_identity("recovery")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = find_home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "门店"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tree: Path) -> Settings:
    people = (Person(name="测试甲", roles=("store_manager",), user="manager", contact="13800001111"),)
    return Settings(people=people, scan=ScanSettings(roots=(str(tree),)))


@pytest.fixture
def agent(home: Home, settings: Settings, identity: Identity) -> Iterator[Agent]:
    with build_agent(home, settings, NotedWatch()) as built:
        built.keyring.adopt(identity.public)
        yield built
        built.audit.close()


def customers(agent: Agent, path: Path, *, found: bool = True) -> str:
    """A customer file that a scan has met; its key."""
    path.write_bytes(b"13800001111\n" * 3)
    descriptor = os.open(path, os.O_RDONLY)
    identity = Identities().of(descriptor, os.fstat(descriptor))
    os.close(descriptor)
    findings = (Finding(entity="PHONE_NUMBER", count=3, distinct=1, confidence=0.9),) if found else ()
    item = Item(
        path=os.fsencode(path), kind="csv", status="read", size=36, level=3 if found else 1, persons=1 if found else 0,
        findings=findings, identity=identity,
    )  # fmt: skip
    agent.inventory.record_run([item], roots=[os.fsencode(path)], at=datetime.now(UTC))
    return identity.key


def ask(function, agent, caller=ROOT, **arguments):
    return function(agent, Request(arguments=arguments, caller=caller))


def state(agent: Agent, path: Path) -> str:
    item = agent.inventory.item_at(os.fsencode(path))
    assert item is not None
    return item.state


def test_adding_and_releasing_keeps_inventory_watch_and_record_in_step(agent: Agent, tree: Path) -> None:
    path = tree / "会员13800001111.csv"
    key = customers(agent, path)
    answer = ask(quarantining.add, agent, paths=[str(tree)])
    assert answer.exit_code == ExitCode.DONE
    (entry,) = answer.document["entries"]
    assert entry.keys() >= {"id", "path", "size", "incident", "state", "sha256", "added_at"}
    assert (entry["state"], entry["size"], entry["path"]) == ("vaulted", 36, str(path))
    assert answer.document["schema"] == "cloche.quarantine-add/1"
    assert state(agent, path) == "vault"
    assert key not in agent.watch.denied

    answer = ask(quarantining.release, agent, ids=[entry["id"]])
    assert answer.exit_code == ExitCode.DONE
    assert state(agent, path) == "plain"
    item = agent.inventory.item_at(os.fsencode(path))
    assert item is not None
    assert item.key != key
    assert item.key in agent.watch.marked
    assert verify_log(agent.home.audit_log, agent.keyring.public_key).ok
    log = agent.home.audit_log.read_text()
    assert "13800001111" not in log
    acts = [json.loads(line)["act"] for line in log.splitlines()]
    assert acts == ["quarantine.add", "quarantine.release"]


def test_the_tombstone_names_whom_to_call(agent: Agent, tree: Path) -> None:
    (tree / "会员.csv").write_bytes(b"x")
    ask(quarantining.add, agent, paths=[str(tree)])
    text = (tree / "会员.csv.已隔离.txt").read_text(encoding="utf-8-sig")
    assert "测试甲 13800001111" in text


def test_adding_a_folder_again_leaves_its_tombstones(agent: Agent, tree: Path) -> None:
    (tree / "a").write_bytes(b"x")
    ask(quarantining.add, agent, paths=[str(tree)])
    answer = ask(quarantining.add, agent, paths=[str(tree)])
    assert (answer.document["entries"], answer.document["refused"]) == ([], [])
    assert os.listdir(tree) == ["a.已隔离.txt"]


def test_only_findings_takes_only_where_something_was_found(agent: Agent, tree: Path) -> None:
    customers(agent, tree / "members.csv")
    customers(agent, tree / "menu.csv", found=False)
    (tree / "new.csv").write_bytes(b"never scanned")
    answer = ask(quarantining.add, agent, paths=[str(tree)], only_findings=True)
    assert [os.path.basename(entry["path"]) for entry in answer.document["entries"]] == ["members.csv"]


def test_what_could_not_be_taken_is_named_and_the_call_is_incomplete(agent: Agent, tree: Path) -> None:
    path = tree / "会员.csv"
    key = customers(agent, path)
    with path.open("ab"):
        answer = ask(quarantining.add, agent, paths=[str(tree)])
        assert answer.exit_code == ExitCode.INCOMPLETE
        assert [(r["path"], r["cause"], r["fenced"]) for r in answer.document["refused"]] == [
            (str(path), "in_use", False)
        ]
        assert state(agent, path) == "plain"
        assert key not in agent.watch.denied
        answer = ask(quarantining.add, agent, paths=[str(tree)], incident="I-2026-1")
        assert answer.document["refused"][0]["fenced"]
        assert state(agent, path) == "fenced"
        assert key in agent.watch.denied
    (entry,) = ask(quarantining.list_entries, agent).document["entries"]
    assert (entry["state"], entry["cause"]) == ("fenced", "in_use")
    assert ask(quarantining.release, agent, all=True).exit_code == ExitCode.DONE
    assert path.read_bytes() == b"13800001111\n" * 3
    assert state(agent, path) == "plain"
    assert key not in agent.watch.denied


@pytest.mark.parametrize(
    "arguments", [{"paths": ["/nonexistent/会员"]}, {"paths": ["/etc/hostname"], "incident": "../x"}]
)
def test_a_path_that_does_not_exist_or_a_bad_incident_does_nothing(agent: Agent, arguments: dict) -> None:
    with pytest.raises(UsageError):
        ask(quarantining.add, agent, **arguments)
    assert agent.quarantine.entries() == []


def test_roles_decide_who_may(agent: Agent, tree: Path, tmp_path: Path) -> None:
    (tree / "会员.csv").write_bytes(b"x")
    outside = tmp_path / "shadow"
    outside.write_bytes(b"x")
    nobody = Caller(uid=4000, gid=4000, pid=2, user="clerk")
    manager = replace(nobody, user="manager", roles=frozenset({"store_manager"}))
    for function in (quarantining.add, quarantining.list_entries, quarantining.verify, quarantining.release):
        with pytest.raises(RefusedError):
            ask(function, agent, nobody, paths=[str(tree)])
    with pytest.raises(RefusedError):
        ask(quarantining.add, agent, manager, paths=[str(tree), str(outside)])
    assert (tree / "会员.csv").exists()
    assert ask(quarantining.add, agent, manager, paths=[str(tree)]).exit_code == ExitCode.DONE
    with pytest.raises(RefusedError):
        ask(quarantining.release, agent, manager, all=True)
    lead = replace(nobody, roles=frozenset({"response_lead"}))
    assert ask(quarantining.release, agent, lead, all=True).exit_code == ExitCode.DONE


def test_after_a_restart_a_release_asks_for_the_sheet_and_says_so(
    agent: Agent, tree: Path, home: Home, settings: Settings
) -> None:
    (tree / "会员.csv").write_bytes(b"x")
    ask(quarantining.add, agent, paths=[str(tree)])
    agent.audit.close()
    with build_agent(home, settings, NotedWatch()) as again:
        with pytest.raises(RefusedError, match="--key-file"):
            ask(quarantining.release, again, all=True)
        assert not ask(quarantining.show, again, id=again.quarantine.entries()[0].id).document[
            "releasable_without_sheet"
        ]
        (home.keys / "incidents" / f"{again.quarantine.entries()[0].incident}.key").unlink()
        with pytest.raises(RefusedError, match="manual-"):
            ask(quarantining.release, again, all=True)
        again.audit.close()


def test_what_is_not_in_quarantine_is_bad_usage(agent: Agent, tree: Path) -> None:
    for function in (quarantining.release, quarantining.verify):
        with pytest.raises(UsageError):
            ask(function, agent, paths=[str(tree / "absent")])
    with pytest.raises(UsageError):
        ask(quarantining.show, agent, id="0" * 12)


def test_verify_reports_its_proof_and_fails_on_damage(agent: Agent, tree: Path) -> None:
    (tree / "会员.csv").write_bytes(b"x")
    ask(quarantining.add, agent, paths=[str(tree)])
    answer = ask(quarantining.verify, agent)
    assert (answer.exit_code, answer.document["proof"]) == (ExitCode.DONE, "digest")
    (copy,) = agent.home.vault.iterdir()
    copy.write_bytes(copy.read_bytes()[:-1])
    answer = ask(quarantining.verify, agent)
    assert answer.exit_code == ExitCode.FAILED
    assert answer.document["entries"][0]["result"] == "damaged"


def test_a_recovery_at_start_is_told_to_the_inventory_and_the_record(
    agent: Agent, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree / "会员.csv"
    customers(agent, path)
    (entry,) = ask(quarantining.add, agent, paths=[str(tree)], incident="I-1").document["entries"]
    agent.inventory.set_state(os.fsencode(path), "plain")
    journal = agent.home.journal / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b'"vaulted"' in lines[-1]
    journal.write_bytes(b"".join(lines[:-1]))
    again = Quarantine(agent.home.vault, agent.journal, agent.keyring)
    agent.quarantine = again
    note_recovery(agent, again.recover())
    assert state(agent, path) == "vault"
    assert agent.quarantine.entries()[0].id == entry["id"]
    assert '"actor":"recovery"' in agent.home.audit_log.read_text()


def test_a_false_alarm_is_given_back_as_one_call_for_other_rooms(agent: Agent, tree: Path) -> None:
    (tree / "a").write_bytes(b"x")
    ask(quarantining.add, agent, paths=[str(tree)], incident="I-1")
    released = give_back(agent, agent.quarantine.entries("vaulted"), None, actor="测试甲", act="incident.dismiss")
    assert (len(released.entries), released.refused) == (1, ())
    assert (tree / "a").read_bytes() == b"x"


def test_a_sealed_file_is_sealed_again_for_the_inventory_once_it_is_back(agent: Agent, tree: Path) -> None:
    path = tree / "会员.csv"
    customers(agent, path)
    sealed = tree / "会员.csv.cloche"
    path.rename(sealed)
    agent.inventory.set_state(os.fsencode(path), "sealed", sealed_path=os.fsencode(sealed))
    ask(quarantining.add, agent, paths=[str(tree)], only_findings=True)
    assert state(agent, path) == "vault"
    ask(quarantining.release, agent, all=True)
    item = agent.inventory.item_at(os.fsencode(sealed))
    assert item is not None
    assert (item.state, item.sealed_path) == ("sealed", os.fsencode(sealed))


def test_every_cause_and_result_has_words_in_both_languages() -> None:
    keys = [f"quarantine.cause_{cause}" for cause in get_args(Cause) if cause]
    keys += [f"quarantine.result_{result}" for result in get_args(Result)]
    keys += [f"quarantine.state_{state}" for state in get_args(State)]
    assert all(Text(language)(key) for key in keys for language in LANGUAGES)


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CLOCHE_HOME": str(home), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [str(Path(sys.executable).parent / "cloche"), *arguments],
        capture_output=True, text=True, env=environment, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_command_line_from_end_to_end(tmp_path: Path, tree: Path) -> None:
    home = tmp_path / "cli-home"
    key = tmp_path / "recovery.txt"
    path = tree / "会员 1.csv"
    path.write_bytes(b"13800001111\n")
    path.chmod(0o604)
    assert run(home, "quarantine", "add", str(tree), "--yes").returncode == 4
    assert path.exists()
    assert run(home, "keys", "init", "--recovery-file", str(key)).returncode == 0
    asked = run(home, "quarantine", "add", str(tree))
    assert asked.returncode == 4
    assert path.exists()
    added = run(home, "quarantine", "add", str(tree), "--yes", "--json")
    assert added.returncode == 0
    (entry,) = json.loads(added.stdout)["entries"]
    assert "会员 1.csv" in run(home, "quarantine", "list").stdout
    assert json.loads(run(home, "quarantine", "show", entry["id"], "--json").stdout)["mode"] == "0604"
    proof = json.loads(run(home, "quarantine", "verify", "--json", "--key-file", str(key)).stdout)
    assert [check["result"] for check in proof["entries"]] == ["intact"]
    assert run(home, "quarantine", "release", entry["id"], "--yes").returncode == 4
    assert run(home, "quarantine", "release", "--yes").returncode == 2
    path.write_bytes(b"in the way")
    refused = run(home, "quarantine", "release", str(path), "--yes", "--key-file", str(key))
    assert refused.returncode == 3
    assert str(path) in refused.stderr
    path.unlink()
    assert run(home, "quarantine", "release", str(path), "--yes", "--key-file", str(key)).returncode == 0
    assert path.read_bytes() == b"13800001111\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert os.listdir(tree) == [path.name]
