"""A cut at any moment of quarantine or release: every file is whole afterwards, in one form."""

import fcntl
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from config.identity import make_identity
from containment import atomic
from containment.fence import FS_IMMUTABLE, read_flags, write_flags
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.quarantine import Quarantine, Terms

IDENTITY = make_identity("recovery")
TERMS = Terms(notice="请联系店长。编号 {id}\n")
CALLS = ("fsync", "unlink", "rename", "replace", "fchmod", "link", "mkdir", "ftruncate", "utime", "chmod")


def open_again(home: Path) -> Quarantine:
    keyring = Keyring(home / "keys")
    if not keyring.ready:
        keyring.adopt(IDENTITY.public)
    return Quarantine(home / "vault", Journal(home / "journal"), keyring)


def build(tree: Path) -> None:
    tree.mkdir()
    (tree / "会员.csv").write_bytes(b"13800001111\n" * 900)
    (tree / "会员.csv").chmod(0o640)
    os.setxattr(tree / "会员.csv", "user.mark", b"1")
    (tree / "one").write_bytes(b"linked")
    os.link(tree / "one", tree / "two")
    (tree / "sparse").write_bytes(b"")
    os.truncate(tree / "sparse", 1 << 20)
    for name in os.listdir(tree):
        os.utime(tree / name, ns=(1_600_000_000_000_000_001, 1_600_000_000_000_000_002))


def flags(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
    try:
        return (read_flags(descriptor) or 0) & FS_IMMUTABLE
    finally:
        os.close(descriptor)


def unlock(tree: Path) -> None:
    for path in tree.iterdir():
        descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
        now = read_flags(descriptor)
        if now:
            write_flags(descriptor, now & ~FS_IMMUTABLE)
        os.close(descriptor)


def portrait(tree: Path) -> dict[str, object]:
    found = {}
    first: dict[int, str] = {}
    for path in sorted(tree.iterdir()):
        facts = path.lstat()
        descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
        content = os.pread(descriptor, 2 << 20, 0)
        os.close(descriptor)
        found[path.name] = (
            content, stat.filemode(facts.st_mode), facts.st_mtime_ns, facts.st_atime_ns, facts.st_nlink,
            first.setdefault(facts.st_ino, path.name), {n: os.getxattr(path, n) for n in os.listxattr(path)},
            flags(path),
        )  # fmt: skip
    return found


def killed_at(number: int, act: Callable[[], object]) -> int:
    """Run `act` in a child that is killed right after its `number`th call that changes a disk; how many there were."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                os.write(writer, b".")
                try:
                    return real(*arguments, **options)
                finally:
                    if count == number:
                        os.kill(os.getpid(), signal.SIGKILL)

            return call

        try:
            for name in CALLS:
                setattr(os, name, counted(getattr(os, name)))
            fcntl.ioctl = counted(fcntl.ioctl)  # type: ignore[assignment]
            atomic._libc = Renaming(counted)  # type: ignore[assignment]
            act()
        finally:
            os._exit(0)
    os.close(writer)
    calls = b""
    while piece := os.read(reader, 65536):
        calls += piece
    os.close(reader)
    os.waitpid(child, 0)
    return len(calls)


class Renaming:
    """The C library with a counted `renameat2`."""

    def __init__(self, counted: Callable[..., Any]) -> None:
        self._real = atomic._libc
        self.renameat2 = counted(self._real.renameat2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def add(home: Path, tree: Path, incident: str | None) -> None:
    names = [os.fsencode(path) for path in sorted(tree.iterdir())]
    open_again(home).add(names, incident, TERMS)


def release(home: Path) -> None:
    quarantine = open_again(home)
    quarantine.release(quarantine.entries("fenced", "vaulted"), Unlocker([IDENTITY]))


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that has attributes (Linux 6.6): a kill asks nothing of the disk, and each fsync costs 2 ms."""
    memory = Path(tempfile.mkdtemp(dir="/dev/shm")) if Path("/dev/shm").is_dir() else tmp_path
    try:
        os.setxattr(memory, "user.mark", b"1")
        yield memory
    except OSError:
        yield tmp_path
    finally:
        if memory != tmp_path:
            shutil.rmtree(memory)


@pytest.fixture
def fresh(quick_folder: Path) -> Iterator[Callable[[], tuple[Path, Path]]]:
    made: list[Path] = []

    def make() -> tuple[Path, Path]:
        base = quick_folder / str(len(made))
        base.mkdir()
        made.append(base / "tree")
        build(base / "tree")
        open_again(base / "home")
        return base / "home", base / "tree"

    yield make
    for tree in made:
        with suppress(FileNotFoundError):
            unlock(tree)


def assert_one_form_each(home: Path, tree: Path, before: dict[str, Any], *, incident: bool) -> None:
    """In the vault with a good copy, or at its place: untouched, or fenced and known to be."""
    quarantine = open_again(home)
    entries = quarantine.entries("fenced", "vaulted")
    assert all(check.result in ("intact", "fenced") for check in quarantine.verify(entries))
    where = {os.path.basename(name).decode(): entry.state for entry in entries for name in entry.names}
    for name, (content, *_rest) in before.items():
        path = tree / name
        if where.get(name) == "vaulted":
            assert not path.exists(), name
        else:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
            assert os.pread(descriptor, 2 << 20, 0) == content
            os.close(descriptor)
            closed = stat.S_IMODE(path.stat().st_mode) == 0
            assert closed == (where.get(name) == "fenced"), name
            assert incident or not closed, name
    assert not [name for name in os.listdir(tree) if name.startswith(".cloche")]
    assert not [name for name in os.listdir(home / "vault") if name.startswith(".")] if (home / "vault").exists() else 1
    copies = (
        {name.removesuffix(".cloche") for name in os.listdir(home / "vault")} if (home / "vault").exists() else set()
    )
    assert copies == {entry.id for entry in entries if entry.state == "vaulted"}


@pytest.mark.parametrize("incident", ["I-1", None])
def test_a_kill_at_every_step_of_adding_leaves_each_file_whole_in_one_form(
    fresh: Callable[[], tuple[Path, Path]], incident: str | None
) -> None:
    home, tree = fresh()
    steps = killed_at(0, lambda: add(home, tree, incident))
    assert steps > 40
    assert {name.removesuffix(".已隔离.txt") for name in os.listdir(tree)} == {"会员.csv", "one", "two", "sparse"}
    for number in range(1, steps + 1):
        home, tree = fresh()
        before = portrait(tree)
        killed_at(number, lambda: add(home, tree, incident))  # noqa: B023  called at once
        open_again(home).recover()
        assert_one_form_each(home, tree, before, incident=incident is not None)
        open_again(home).recover()
        add_again = [os.fsencode(tree / name) for name in before if (tree / name).exists()]
        assert open_again(home).add(add_again, incident, TERMS).refused == ()
        release(home)
        assert portrait(tree) == before, number


def test_a_kill_at_every_step_of_releasing_leaves_each_file_whole_in_one_form(
    fresh: Callable[[], tuple[Path, Path]],
) -> None:
    home, tree = fresh()
    add(home, tree, "I-1")
    steps = killed_at(0, lambda: release(home))
    assert steps > 30
    for number in range(1, steps + 1):
        home, tree = fresh()
        before = portrait(tree)
        add(home, tree, "I-1")
        killed_at(number, lambda: release(home))  # noqa: B023  called at once
        open_again(home).recover()
        assert_one_form_each(home, tree, before, incident=True)
        release(home)
        left = {name: facts for name, facts in portrait(tree).items() if not name.endswith(".已隔离.txt")}
        assert left == before, number


def test_a_kill_during_recovery_is_recovered_from(fresh: Callable[[], tuple[Path, Path]]) -> None:
    for number in range(1, 40):
        home, tree = fresh()
        before = portrait(tree)
        killed_at(38 + number % 7, lambda: add(home, tree, "I-1"))  # noqa: B023  called at once
        killed_at(number, lambda: open_again(home).recover())  # noqa: B023  called at once
        open_again(home).recover()
        assert_one_form_each(home, tree, before, incident=True)


def test_a_new_file_at_the_old_place_survives_recovery_even_with_the_old_inode(
    fresh: Callable[[], tuple[Path, Path]],
) -> None:
    home, tree = fresh()
    steps = killed_at(0, lambda: add(home, tree, "I-1"))
    kept = 0
    for number in range(1, steps + 1):
        home, tree = fresh()
        killed_at(number, lambda: add(home, tree, "I-1"))  # noqa: B023  called at once
        if not (tree / "会员.csv").exists():
            (tree / "会员.csv").write_bytes(b"tonight's dump")
            kept += 1
            open_again(home).recover()
            assert (tree / "会员.csv").read_bytes() == b"tonight's dump"
    assert kept


def purge(home: Path) -> None:
    quarantine = open_again(home)
    quarantine.purge(quarantine.entries("vaulted"))


def test_a_kill_at_every_step_of_a_purge_leaves_each_file_whole_or_beyond_every_key(
    fresh: Callable[[], tuple[Path, Path]],
) -> None:
    home, tree = fresh()
    add(home, tree, "I-1")
    steps = killed_at(0, lambda: purge(home))
    assert steps > 10
    begun = 0
    for number in range(1, steps + 1):
        home, tree = fresh()
        before = portrait(tree)
        add(home, tree, "I-1")
        killed_at(number, lambda: purge(home))  # noqa: B023  called at once
        copies = {name.removesuffix(".cloche") for name in os.listdir(home / "vault")}
        after = open_again(home)
        after.recover()
        states = {entry.id: entry.state for entry in after.entries()}
        if "vaulted" in states.values():
            assert set(states.values()) == {"vaulted"}
            checks = after.verify(after.entries("vaulted"), Unlocker([IDENTITY]))
            assert {check.result for check in checks} == {"intact"}
            release(home)
            assert {name: facts for name, facts in portrait(tree).items() if name in before} == before
            continue
        begun += 1
        assert set(states.values()) <= {"purged"}
        assert not os.listdir(home / "vault"), number
        assert after.keys.find("I-1") is None, number
        assert os.listdir(tree) == [], (number, copies)
        after.recover()
        assert open_again(home).purge([]).entries == ()
    assert begun > 8
