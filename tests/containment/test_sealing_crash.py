"""Any cut leaves one whole form: the process is killed before every system call that changes something."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.identity import make_identity
from containment import atomic
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.places import NotDoneError
from containment.recovery import recover
from containment.sealed import unseal
from containment.sealing import Sealer
from containment.unsealing import Owner, Unsealer

IDENTITY = make_identity("recovery")
UNLOCKER = Unlocker([IDENTITY])
OWNER = Owner(uid=os.geteuid(), gid=os.getegid())
CHANGING = ("fsync", "unlink", "link", "rename", "open", "write", "fchmod", "fchown", "ftruncate", "utime")


class Store:
    """A folder with one file of two names, its keys and its journal."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = base / "data"
        self.folder.mkdir(parents=True)
        self.content = os.urandom(5000)
        self.names = [os.fsencode(self.folder / name) for name in ("会员.csv", "second.csv")]
        Path(os.fsdecode(self.names[0])).write_bytes(self.content)
        os.link(*self.names)
        self.keyring = Keyring(base / "keys")
        self.keyring.adopt(IDENTITY.public)
        self.signer = self.keyring.public_key

    def seal(self) -> None:
        Sealer(Journal(self.base / "journal"), self.keyring, samba=frozenset).seal(self.names)

    def unseal(self) -> None:
        unsealer = Unsealer(Journal(self.base / "journal"), self.keyring, UNLOCKER, OWNER)
        unsealer.unseal(self.names[0] + b".cloche")

    def recover(self) -> None:
        journal = Journal(self.base / "journal")
        recover(journal)
        assert journal.pending() == []

    def form(self) -> str:
        """`plain` or `sealed`, checked to the last byte; anything else fails."""
        present = sorted(os.path.join(os.fsencode(self.folder), os.fsencode(name)) for name in os.listdir(self.folder))
        if present == sorted(self.names):
            for path in present:
                assert Path(os.fsdecode(path)).read_bytes() == self.content
            assert os.stat(present[0]).st_nlink == 2
            return "plain"
        assert present == sorted(name + b".cloche" for name in self.names)
        for path in present:
            with open(path, "rb") as file:
                unseal(file.fileno(), None, UNLOCKER)
        return "sealed"


def kill_before(step: int, work: Callable[[], None]) -> bool:
    """Run `work` in a child that is killed before its `step`-th changing call; False when it got to its end."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **keywords: Any) -> Any:
                nonlocal count
                count += 1
                if count > step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **keywords)

            return call

        try:
            for name in CHANGING:
                setattr(os, name, counted(getattr(os, name)))
            atomic._libc.renameat2 = counted(atomic._libc.renameat2)
            work()
        except BaseException:  # noqa: BLE001  a child of a test must never return into pytest
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return status != 0


def every_cut(tmp_path: Path, prepare: Callable[[Store], None], work: Callable[[Store], None]) -> list[str]:
    """The form after each cut and a recovery, in order."""
    forms = []
    for step in range(300):
        store = Store(tmp_path / str(step))
        prepare(store)
        cut = kill_before(step, lambda store=store: work(store))
        store.recover()
        forms.append(store.form())
        if not cut:
            return forms
    raise AssertionError("it never ended")


def test_sealing_cut_anywhere_leaves_one_whole_form(tmp_path: Path):
    forms = every_cut(tmp_path, lambda _store: None, Store.seal)
    assert len(forms) > 25
    assert forms == sorted(forms)  # plain up to one step, sealed from it on
    assert {forms[0], forms[-1]} == {"plain", "sealed"}


def test_bringing_back_cut_anywhere_leaves_one_whole_form(tmp_path: Path):
    forms = every_cut(tmp_path, Store.seal, Store.unseal)
    assert len(forms) > 20
    assert forms == sorted(forms, reverse=True)
    assert {forms[0], forms[-1]} == {"plain", "sealed"}


def test_a_recovery_that_is_cut_itself_is_finished_by_the_next(tmp_path: Path):
    def cut_near_the_end(store: Store) -> None:
        assert kill_before(34, store.seal)

    forms = every_cut(tmp_path, cut_near_the_end, Store.recover)
    assert len(forms) > 5
    assert len(set(forms)) == 1


class Interrupted(Journal):
    """Calls `then` once a step is on record: where a test puts its knock or its kill."""

    def __init__(self, folder: Path, step: str, then: Callable[[], None]) -> None:
        super().__init__(folder)
        self._step, self._then = step, then

    def append(self, entry: Mapping[str, Any]) -> None:
        super().append(entry)
        if entry["step"] == self._step:
            self._then()


def late_writer(path: bytes) -> int:
    """A process that opens the file for writing, waits as long as the lease makes it, and writes."""
    child = os.fork()
    if child == 0:
        os.closerange(3, 256)  # as after execve: an inherited descriptor would keep the lease alive
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b"late order")
        os._exit(0)
    time.sleep(0.1)
    return child


def test_who_knocks_while_the_names_are_taken_away_loses_no_write(tmp_path: Path):
    store = Store(tmp_path / "store")
    writers = []
    journal = Interrupted(tmp_path / "store" / "journal", "hiding", lambda: writers.append(late_writer(store.names[0])))
    with pytest.raises(NotDoneError) as refusal:
        Sealer(journal, store.keyring, samba=frozenset).seal(store.names)
    assert refusal.value.cause == "in_use"
    os.waitpid(writers[0], 0)
    store.content += b"late order"
    assert store.form() == "plain"


def test_who_knocks_between_the_decision_and_a_crash_loses_no_write(tmp_path: Path):
    store = Store(tmp_path / "store")

    def knock_and_die() -> None:
        hidden = next(name for name in os.listdir(store.folder) if name.endswith(".0.old"))
        late_writer(os.fsencode(store.folder / hidden))
        os.kill(os.getpid(), signal.SIGKILL)

    journal = Interrupted(tmp_path / "store" / "journal", "committed", knock_and_die)
    child = os.fork()
    if child == 0:
        Sealer(journal, store.keyring, samba=frozenset).seal(store.names)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    store.content += b"late order"
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and store.content not in [
        path.read_bytes() for path in store.folder.iterdir() if path.name.endswith(".old")
    ]:
        time.sleep(0.01)
    store.recover()
    assert store.form() == "plain"


def test_who_has_the_hidden_original_open_at_the_recovery_may_go_on_writing(tmp_path: Path):
    store = Store(tmp_path / "store")
    child = os.fork()
    if child == 0:
        journal = Interrupted(tmp_path / "store" / "journal", "committed", lambda: os.kill(os.getpid(), signal.SIGKILL))
        Sealer(journal, store.keyring, samba=frozenset).seal(store.names)
    os.waitpid(child, 0)
    hidden = next(path for path in store.folder.iterdir() if path.name.endswith(".0.old"))
    with hidden.open("ab") as file:
        store.recover()
        file.write(b"still here")
    store.content += b"still here"
    assert store.form() == "plain"


def test_a_new_file_under_the_old_name_survives_the_recovery(tmp_path: Path):
    store = Store(tmp_path / "store")
    child = os.fork()
    if child == 0:
        journal = Interrupted(tmp_path / "store" / "journal", "committed", lambda: os.kill(os.getpid(), signal.SIGKILL))
        Sealer(journal, store.keyring, samba=frozenset).seal(store.names)
    os.waitpid(child, 0)
    new = Path(os.fsdecode(store.names[0]))
    new.write_text("new list")
    store.recover()
    assert new.read_text() == "new list"
    new.unlink()
    assert store.form() == "sealed"


def test_a_file_edited_after_it_came_back_survives_a_crash_before_the_end(tmp_path: Path):
    store = Store(tmp_path / "store")
    store.seal()
    child = os.fork()
    if child == 0:
        journal = Interrupted(tmp_path / "store" / "journal", "committed", lambda: os.kill(os.getpid(), signal.SIGKILL))
        Unsealer(journal, store.keyring, UNLOCKER, OWNER).unseal(store.names[0] + b".cloche")
    os.waitpid(child, 0)
    with open(store.names[0], "ab") as file:
        file.write(b"edited")
    store.content += b"edited"
    store.recover()
    assert store.form() == "plain"


@pytest.mark.needs("root", "mount")
def test_a_full_disk_leaves_the_original_and_no_temporary(tmp_path: Path):
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)], check=True)
    try:
        path = mount / "export.csv"
        content = os.urandom(2 << 20)
        path.write_bytes(content)
        keyring = Keyring(tmp_path / "keys")
        keyring.adopt(IDENTITY.public)
        journal = Journal(tmp_path / "journal")
        with pytest.raises(NotDoneError) as refusal:
            Sealer(journal, keyring, samba=frozenset).seal([os.fsencode(path)])
        assert refusal.value.cause == "no_space"
        assert os.listdir(mount) == ["export.csv"]
        assert path.read_bytes() == content
        path.write_bytes(content[: 1 << 20])
        sealed = Sealer(journal, keyring, samba=frozenset).seal([os.fsencode(path)]).sealed_paths[0]
        (mount / "ballast").write_bytes(bytes(3 << 19))
        with pytest.raises(NotDoneError) as refusal:
            Unsealer(journal, keyring, UNLOCKER, OWNER).unseal(sealed)
        assert refusal.value.cause == "no_space"
        assert sorted(os.listdir(mount)) == ["ballast", "export.csv.cloche"]
        (mount / "ballast").unlink()
        Unsealer(journal, keyring, UNLOCKER, OWNER).unseal(sealed)
        assert path.read_bytes() == content[: 1 << 20]
        assert journal.pending() == []
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_a_disk_that_does_not_keep_what_was_written_leaves_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path / "store")

    def rot(descriptor: int, *_arguments: int) -> None:
        """Where the cache is dropped: what is read back has one byte wrong."""
        end = os.fstat(descriptor).st_size - 1
        os.pwrite(descriptor, bytes([os.pread(descriptor, 1, end)[0] ^ 1]), end)

    monkeypatch.setattr(os, "posix_fadvise", rot)
    with pytest.raises(NotDoneError) as refusal:
        store.seal()
    assert refusal.value.cause == "io_error"
    assert store.form() == "plain"


FAILING_DISK = """
    import os, sys
    from pathlib import Path
    from containment.journal import Journal
    from containment.keyring import Keyring
    from containment.places import NotDoneError
    from containment.sealing import Sealer
    base = Path(sys.argv[1])
    try:
        Sealer(Journal(base / "journal"), Keyring(base / "keys"), samba=frozenset).seal(
            [os.fsencode(base / "data" / name) for name in ("会员.csv", "second.csv")])
    except (NotDoneError, OSError) as error:
        sys.exit(f"refused {error}")
"""


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    ("call", "number"), [("fsync", 3), ("fsync", 5), ("pwrite64,write", 12), ("renameat2", 1), ("renameat2", 3)]
)
def test_a_disk_that_fails_leaves_one_whole_form(tmp_path: Path, call: str, number: int):
    store = Store(tmp_path / "store")
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:error=EIO:when={number}",
         sys.executable, "-X", "utf8", "-c", textwrap.dedent(FAILING_DISK), str(store.base)],
        capture_output=True, text=True, check=False, cwd=Path(atomic.__file__).parents[1],
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    store.recover()
    assert store.form() == ("sealed" if done.returncode == 0 else "plain")
