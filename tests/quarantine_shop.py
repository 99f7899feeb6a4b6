"""A store folder, a home and the quarantine between them, and everything that can be told about a file."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.identity import Identity, make_identity
from containment.fence import FS_APPEND, FS_IMMUTABLE, read_flags, write_flags
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.quarantine import Quarantine, Terms

NOTICE = "这个文件因信息安全需要已移入隔离区。\n请联系：店长 测试甲 13800001111\n编号：{id}\n"
TERMS = Terms(notice=NOTICE)
ROOT = os.geteuid() == 0


@dataclass
class Room:
    """A store folder, a home, and the quarantine between them."""

    home: Path
    tree: Path
    identity: Identity

    def open(self) -> Quarantine:
        """As after a restart: nothing is in memory."""
        keyring = Keyring(self.home / "keys")
        if not keyring.ready:
            keyring.adopt(self.identity.public)
        return Quarantine(self.home / "vault", Journal(self.home / "journal"), keyring)

    @property
    def sheet(self) -> Unlocker:
        return Unlocker([self.identity])

    def files(self) -> list[bytes]:
        found = (os.path.join(base, n) for base, _f, names in os.walk(os.fsencode(self.tree)) for n in names)
        return sorted(found)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    tree = tmp_path / "门店"
    tree.mkdir()
    made = Room(home=tmp_path / "home", tree=tree, identity=make_identity("recovery"))
    yield made
    for path in made.files():
        with_flags(path, lambda flags: flags & ~(FS_IMMUTABLE | FS_APPEND))


def with_flags(path: bytes | Path, change: Callable[[int], int]) -> None:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
    flags = read_flags(descriptor)
    if flags is not None and change(flags) != flags:
        write_flags(descriptor, change(flags))
    os.close(descriptor)


def flags_of(path: bytes | Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
    try:
        return (read_flags(descriptor) or 0) & (FS_IMMUTABLE | FS_APPEND)
    finally:
        os.close(descriptor)


def portrait(room: Room) -> dict[bytes, object]:
    """Everything that could be told about every file, links by group."""
    first: dict[int, bytes] = {}
    found: dict[bytes, object] = {}
    for path in room.files():
        facts = os.lstat(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
        content = os.pread(descriptor, facts.st_size, 0)
        os.close(descriptor)
        found[path] = (
            content, stat.filemode(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_atime_ns, facts.st_mtime_ns,
            facts.st_blocks * 512 < facts.st_size, {name: os.getxattr(path, name) for name in os.listxattr(path)},
            first.setdefault(facts.st_ino, path), facts.st_nlink, flags_of(path),
        )  # fmt: skip
    return found


def plain(room: Room, name: str = "会员.csv", content: bytes = b"13800001111\n" * 9) -> Path:
    path = room.tree / name
    path.write_bytes(content)
    return path
