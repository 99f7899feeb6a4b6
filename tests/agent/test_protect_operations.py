"""`protect`, `unprotect`, `open` and `keys` as operations: who may, what is refused, what is on record."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.operation import Answer, Caller, Request
from agent.sealing import keys
from agent.sealing.files import open_sealed, protect, unprotect
from agent.sealing.policy import candidates, seal_by_policy
from agent.sealing.recording import note_recovered
from agent.sealing.walking import is_system
from agent.wiring import Agent, build_agent
from config.errors import CorruptError, ExitCode, RefusedError, UsageError
from config.home import find_home
from config.identity import Identity, encode_public, make_identity
from config.schema import ProtectSettings, Role, ScanSettings, Settings, WatchSettings
from containment.journal import Journal
from containment.recovery import SEAL, Recovered
from containment.sealing import Sealer
from scanners.identity import Identities
from scanners.records import Finding, Item, Place

IDENTITY = make_identity("recovery")
PHONE = "13800001111"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    made.mkdir()
    return made


@contextmanager
def running(tmp_path: Path, folder: Path, **protect_settings: object) -> Iterator[Agent]:
    home = find_home(tmp_path / "home")
    home.create()
    settings = Settings(
        scan=ScanSettings(roots=(str(folder),)),
        protect=ProtectSettings(quiet_minutes=0.0, **protect_settings),  # type: ignore[arg-type]
        watch=WatchSettings(decoys=(str(folder / "decoy.csv"),)),
    )
    with build_agent(home, settings) as agent:
        yield agent


@pytest.fixture
def agent(tmp_path: Path, folder: Path) -> Iterator[Agent]:
    with running(tmp_path, folder) as made:
        made.keyring.adopt(IDENTITY.public)
        yield made


def owner() -> Caller:
    return Caller(uid=os.geteuid(), gid=os.getegid(), pid=os.getpid(), user="root", is_owner=True)


def somebody(*roles: Role, uid: int = 1234) -> Caller:
    return Caller(uid=uid, gid=uid, pid=1, user="nobody", roles=frozenset(roles))


def ask(operation, agent: Agent, *, caller: Caller | None = None, descriptors=(), **arguments) -> Answer:
    return operation(agent, Request(arguments=arguments, caller=caller or owner(), descriptors=tuple(descriptors)))


@contextmanager
def key_file(identity: Identity = IDENTITY) -> Iterator[int]:
    descriptor = os.memfd_create("key")
    os.write(descriptor, identity.sheet().encode())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def item_of(path: Path, kind: str = "csv", level: int = 4) -> Item:
    with path.open("rb") as file:
        identity = Identities().of(file.fileno(), os.fstat(file.fileno()))
    finding = Finding(entity="PHONE_NUMBER", count=3, distinct=3, confidence=0.9, place=Place(), samples=())
    return Item(
        path=os.fsencode(path), kind=kind, size=path.stat().st_size, status="read", level=level, score=90.0,
        identity=identity, persons=3, findings=(finding,),
    )  # fmt: skip


def scanned(agent: Agent, *items: Item) -> None:
    roots = [os.fsencode(root) for root in agent.settings.scan.roots]
    agent.inventory.record_run(items, roots=roots, at=datetime.now(UTC))


def record_of(agent: Agent) -> str:
    return agent.home.audit_log.read_text(encoding="utf-8")


def test_a_folder_is_sealed_and_comes_back_and_the_inventory_knows(agent: Agent, folder: Path):
    (folder / "list.csv").write_text(PHONE)
    scanned(agent, item_of(folder / "list.csv"))
    answer = ask(protect, agent, paths=[str(folder)])
    assert answer.exit_code == ExitCode.DONE
    assert answer.document["sealed"] == [
        {"path": str(folder / "list.csv"), "sealed_path": str(folder / "list.csv.cloche"), "size": 11}
    ]
    item = agent.inventory.item_at(os.fsencode(folder / "list.csv"))
    assert (item.state, item.sealed_path) == ("sealed", os.fsencode(folder / "list.csv.cloche"))
    again = ask(protect, agent, paths=[str(folder)])
    assert (again.exit_code, again.document["already_sealed"], again.document["sealed"]) == (ExitCode.DONE, 1, [])
    with key_file() as key:
        answer = ask(unprotect, agent, paths=[str(folder)], descriptors=[key])
    assert answer.exit_code == ExitCode.DONE
    assert (folder / "list.csv").read_text() == PHONE
    item = agent.inventory.item_at(os.fsencode(folder / "list.csv"))
    assert item.state == "plain"
    with (folder / "list.csv").open("rb") as file:
        assert item.key == Identities().of(file.fileno(), os.fstat(file.fileno())).key


def test_what_was_left_is_named_with_its_cause_and_exit_3(agent: Agent, folder: Path):
    for name in ("open.csv", "decoy.csv", "fine.csv"):
        (folder / name).write_text("x")
    os.mkfifo(folder / "pipe")
    with (folder / "open.csv").open("rb"):
        answer = ask(protect, agent, paths=[str(folder), str(folder / "pipe")])
    assert answer.exit_code == ExitCode.INCOMPLETE
    assert {os.path.basename(item["path"]): item["cause"] for item in answer.document["refused"]} == {
        "open.csv": "in_use",
        "decoy.csv": "protected",
        "pipe": "special",
    }
    assert sorted(os.listdir(folder)) == ["decoy.csv", "fine.csv.cloche", "open.csv", "pipe"]


def test_a_dry_run_changes_nothing_and_needs_no_key(tmp_path: Path, folder: Path):
    (folder / "a.csv").write_text("x")
    with running(tmp_path, folder) as agent:
        answer = ask(protect, agent, paths=[str(folder)], dry_run=True)
        assert [item["path"] for item in answer.document["would_seal"]] == [str(folder / "a.csv")]
        assert os.listdir(folder) == ["a.csv"]
        with pytest.raises(RefusedError, match="cloche keys init"):
            ask(protect, agent, paths=[str(folder)])


def test_only_findings_leaves_the_rest_alone(agent: Agent, folder: Path):
    (folder / "with.csv").write_text(PHONE)
    (folder / "without.csv").write_text("x")
    scanned(agent, item_of(folder / "with.csv"))
    answer = ask(protect, agent, paths=[str(folder)], only_findings=True)
    assert [item["path"] for item in answer.document["sealed"]] == [str(folder / "with.csv")]
    assert (folder / "without.csv").exists()


def test_cloches_own_files_are_never_sealed(agent: Agent, tmp_path: Path):
    answer = ask(protect, agent, paths=[str(tmp_path)])
    assert answer.document["sealed"] == []
    assert agent.home.inventory_db.exists()


@pytest.mark.parametrize("path", ["/", "/etc", "/usr/lib/os-release"])
def test_the_operating_system_is_never_sealed(agent: Agent, path: str):
    with pytest.raises(RefusedError, match="操作系统"):
        ask(protect, agent, paths=[path], dry_run=True)


def test_a_till_in_usr_local_and_a_memory_stick_are_no_part_of_the_system():
    assert is_system(b"/usr/share/x")
    assert is_system(b"/run/lock")
    assert not is_system(b"/usr/local/pos/backup.sql")
    assert not is_system(b"/run/media/user/stick/a.csv")
    assert not is_system(b"/etcetera/a.csv")


def test_a_path_that_does_not_exist_is_named(agent: Agent, folder: Path):
    with pytest.raises(UsageError, match="nowhere"):
        ask(protect, agent, paths=[str(folder / "nowhere")])


def test_who_has_no_role_or_names_foreign_folders_is_refused(agent: Agent, folder: Path, tmp_path: Path):
    (folder / "a").write_text("x")
    with pytest.raises(RefusedError, match="roles"):
        ask(protect, agent, paths=[str(folder)], caller=somebody())
    (tmp_path / "private").write_text("x")
    with pytest.raises(RefusedError, match="扫描范围"):
        ask(protect, agent, paths=[str(tmp_path / "private")], caller=somebody("store_manager"))
    assert ask(protect, agent, paths=[str(folder)], caller=somebody("store_manager")).exit_code == ExitCode.DONE


def test_without_the_right_key_nothing_comes_back(agent: Agent, folder: Path):
    (folder / "a").write_text("x")
    ask(protect, agent, paths=[str(folder)])
    with pytest.raises(RefusedError, match=IDENTITY.id):
        ask(unprotect, agent, paths=[str(folder)])
    other = make_identity("recovery")
    with key_file(other) as key, pytest.raises(RefusedError, match=f"a.cloche.*{IDENTITY.id}.*{other.id}"):
        ask(unprotect, agent, paths=[str(folder)], descriptors=[key])
    assert os.listdir(folder) == ["a.cloche"]


def test_a_damaged_sealed_file_stays_and_the_others_come_back(agent: Agent, folder: Path):
    for name in ("a", "b"):
        (folder / name).write_text(name)
    ask(protect, agent, paths=[str(folder)])
    with (folder / "a.cloche").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    with key_file() as key:
        answer = ask(unprotect, agent, paths=[str(folder)], descriptors=[key])
    assert answer.exit_code == ExitCode.INCOMPLETE
    assert answer.document["refused"] == [{"sealed_path": str(folder / "a.cloche"), "cause": "corrupt"}]
    assert sorted(os.listdir(folder)) == ["a.cloche", "b"]


def opened(
    agent: Agent, path: Path, caller: Caller | None = None, reason: str = "", identity: Identity = IDENTITY
) -> bytes:
    target = os.memfd_create("target")
    try:
        with path.open("rb") as sealed, key_file() as key:
            ask(
                open_sealed, agent, caller=caller, descriptors=[sealed.fileno(), target, key],
                name=str(path), reason=reason, stream=False,
            )  # fmt: skip
        return os.pread(target, 1 << 20, 0)
    finally:
        os.close(target)


def test_open_is_recorded_with_masked_name_and_reason_before_anything_is_released(agent: Agent, folder: Path):
    (folder / f"{PHONE}.csv").write_text("content")
    ask(protect, agent, paths=[str(folder)])
    assert opened(agent, folder / f"{PHONE}.csv.cloche", reason=f"guest {PHONE} asked") == b"content"
    lines = [json.loads(line) for line in record_of(agent).splitlines()]
    assert [line["act"] for line in lines if line["act"] in ("protect", "open")] == ["protect", "open"]
    assert "asked" in lines[-1]["details"]["reason"]
    assert PHONE not in record_of(agent)


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    ("mode", "uid", "may"),
    [(0o600, 1234, True), (0o600, 0, False), (0o604, 0, True), (0o640, 0, False), (0o000, 1234, False)],
)
def test_a_role_opens_only_what_its_holder_could_read(agent: Agent, folder: Path, mode: int, uid: int, may: bool):
    file = folder / "a"
    file.write_text("x")
    os.chown(file, uid, 0)
    file.chmod(mode)
    ask(protect, agent, paths=[str(folder)])
    with pytest.raises(RefusedError, match="roles"):
        opened(agent, folder / "a.cloche", somebody())
    if may:
        assert opened(agent, folder / "a.cloche", somebody("store_manager")) == b"x"
    else:
        with pytest.raises(RefusedError, match=r"a\.cloche"):
            opened(agent, folder / "a.cloche", somebody("store_manager"))


def test_a_file_with_names_for_persons_in_its_acl_opens_for_its_owner_only(agent: Agent, folder: Path):
    file = folder / "a"
    file.write_text("x")
    try:
        os.setxattr(file, "system.posix_acl_access", bytes.fromhex(
            "0200000001000600ffffffff020006000a00000004000400ffffffff10000600ffffffff20000400ffffffff"))  # fmt: skip
    except OSError:
        pytest.skip("absent: POSIX ACLs on this file system")
    ask(protect, agent, paths=[str(folder)])
    with pytest.raises(RefusedError):
        opened(agent, folder / "a.cloche", somebody("store_manager"))


def test_a_damaged_file_is_named_when_it_is_opened(agent: Agent, folder: Path):
    (folder / "a").write_text("x")
    ask(protect, agent, paths=[str(folder)])
    sealed = folder / "a.cloche"
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(CorruptError, match=r"a\.cloche"):
        opened(agent, sealed)


def test_the_policy_seals_what_it_says_and_nothing_else(tmp_path: Path, folder: Path):
    with running(tmp_path, folder, exclude=("*.keep.csv",)) as agent:
        agent.keyring.adopt(IDENTITY.public)
        kinds = {
            "export.csv": ("csv", 4), "low.csv": ("csv", 2), "till.db": ("sqlite", 4), "a.keep.csv": ("csv", 4),
            "decoy.csv": ("csv", 4), "in_use.csv": ("csv", 4), "run.csv": ("csv", 4),
        }  # fmt: skip
        for name in kinds:
            (folder / name).write_text("#!/bin/sh" if name == "run.csv" else PHONE)
        (folder / "run.csv").chmod(0o755)
        scanned(agent, *(item_of(folder / name, kind, level) for name, (kind, level) in kinds.items()))
        found = candidates(agent, datetime.now(UTC))
        assert {os.path.basename(candidate.path) for candidate in found} == {b"export.csv", b"in_use.csv"}
        assert {candidate.reason for candidate in found} == {"csv, level 4"}
        with (folder / "in_use.csv").open("rb"):
            seen = seal_by_policy(agent, dry_run=True)
            assert sorted(os.listdir(folder)) == sorted(kinds)
            run = seal_by_policy(agent, dry_run=False)
        assert [path for item in run.sealed for path in item.paths] == list(seen.would_seal)
        assert [(os.path.basename(item.path), item.cause) for item in run.refused] == [(b"in_use.csv", "in_use")]
        assert sorted(set(kinds) - set(os.listdir(folder))) == ["export.csv"]


def test_a_file_that_changed_lately_is_left_for_later(tmp_path: Path, folder: Path):
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings(protect=ProtectSettings(quiet_minutes=60.0))) as agent:
        (folder / "a.csv").write_text(PHONE)
        scanned(agent, item_of(folder / "a.csv"))
        assert candidates(agent, datetime.now(UTC)) == []
        later = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 3700, UTC)
        assert [found.path for found in candidates(agent, later)] == [os.fsencode(folder / "a.csv")]


def test_recovery_tells_the_inventory(agent: Agent, folder: Path):
    (folder / "a.csv").write_text(PHONE)
    scanned(agent, item_of(folder / "a.csv"))
    path, sealed = os.fsencode(folder / "a.csv"), os.fsencode(folder / "a.csv.cloche")
    for outcome, state in (("finished", "sealed"), ("undone", "plain")):
        note_recovered(agent, [Recovered(kind=SEAL, outcome=outcome, paths=(path,), sealed_paths=(sealed,))])
        assert agent.inventory.item_at(path).state == state


class DiesWhenCommitted(Journal):
    """Kills its process once the decision is on record."""

    def append(self, entry: Mapping[str, Any]) -> None:
        super().append(entry)
        if entry["step"] == "committed":
            os.kill(os.getpid(), signal.SIGKILL)


def test_after_a_kill_the_next_start_finishes_and_tells_inventory_register_and_log(tmp_path: Path, folder: Path):
    path = folder / "a.csv"
    path.write_text(PHONE)
    with running(tmp_path, folder) as agent:
        agent.keyring.adopt(IDENTITY.public)
        scanned(agent, item_of(path))
    child = os.fork()
    if child == 0:
        Sealer(DiesWhenCommitted(agent.home.journal), agent.keyring, samba=frozenset).seal([os.fsencode(path)])
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(os.listdir(folder)) == 2  # sealed, and the hidden original
    with running(tmp_path, folder) as agent:
        assert os.listdir(folder) == ["a.csv.cloche"]
        assert agent.inventory.item_at(os.fsencode(path)).state == "sealed"
        assert ask(keys.status, agent).document["sealed"] == 1
        assert json.loads(record_of(agent).splitlines()[-1])["details"]["outcome"] == "finished"


def test_keys_are_made_once_rotated_and_checked(tmp_path: Path, folder: Path):
    with running(tmp_path, folder) as agent:
        first, second = make_identity("recovery"), make_identity("recovery")
        with pytest.raises(RefusedError, match="typed back"):
            ask(keys.init, agent, public=encode_public(first.public))
        assert not agent.keyring.ready
        made = ask(keys.init, agent, public=encode_public(first.public), proof="file").document
        assert made["recipients"] == [{"kind": "recovery", "id": first.id}]
        with pytest.raises(RefusedError, match=first.id):
            ask(keys.init, agent, public=encode_public(second.public), proof="file")
        elsewhere = tmp_path / "elsewhere"  # no scan goes there, and it is not forgotten for that
        elsewhere.mkdir()
        (elsewhere / "a").write_text("x")
        ask(protect, agent, paths=[str(elsewhere)])
        assert ask(keys.status, agent).document["sealed"] == 1
        with pytest.raises(RefusedError):
            ask(keys.rotate, agent, public=encode_public(second.public), proof="file", rewrite=True)
        with key_file(make_identity("recovery")) as key, pytest.raises(RefusedError, match=first.id):
            ask(
                keys.rotate, agent, public=encode_public(second.public), proof="file", rewrite=True, descriptors=[key]
            )  # fmt: skip
        assert [recipient.id for recipient in agent.keyring.recipients] == [first.id]
        with key_file(first) as key:
            done = ask(
                keys.rotate, agent, public=encode_public(second.public), proof="file", rewrite=True, descriptors=[key]
            )  # fmt: skip
        assert (done.exit_code, done.document["rewritten"], done.document["former"]) == (ExitCode.DONE, 1, [first.id])
        for identity, standing, opens, code in (
            (second, "recovery", 1, ExitCode.DONE),
            (first, "former", 0, ExitCode.INCOMPLETE),
            (make_identity("recovery"), "unknown", 0, ExitCode.INCOMPLETE),
        ):
            with key_file(identity) as key:
                answer = ask(keys.recover, agent, descriptors=[key])
            assert (answer.document["standing"], answer.document["opens"], answer.exit_code) == (standing, opens, code)
        with key_file(second) as key:
            ask(unprotect, agent, paths=[str(elsewhere)], descriptors=[key])
        assert (elsewhere / "a").read_text() == "x"
        assert ask(keys.status, agent).document["sealed"] == 0


def test_no_secret_reaches_status_log_or_home(agent: Agent, folder: Path, capfd: pytest.CaptureFixture[str]):
    (folder / "a").write_text(PHONE)
    ask(protect, agent, paths=[str(folder)])
    with key_file() as key:
        ask(keys.recover, agent, descriptors=[key])
        ask(unprotect, agent, paths=[str(folder)], descriptors=[key])
    shown = json.dumps(ask(keys.status, agent).document)
    out, err = capfd.readouterr()
    secrets = [IDENTITY.seed, IDENTITY.seed.hex().encode(), *(line.encode() for line in IDENTITY.lines())]
    files = [path.read_bytes() for path in agent.home.state.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret in data for data in (shown.encode(), out.encode(), err.encode(), *files))
