"""Whose database it is: the programs that a live database belongs to, learned from what they do.

A till that nobody configured must go on selling when a bound is set: its database alone holds more persons than any
bound. So a program and account become a live database's own if they held it open for writing when it was marked, or
opened it on two days. In the first week of a database (and again when one of its own programs was replaced or
removed: an upgrade) nobody is refused it for the bound alone but the programs of `CARRIERS`, which carry files about
and sell nothing. Everything else is bounded as ever, and whatever crosses is told.

What this does not tell apart: scripts of one interpreter under one account; and a thief who opens the database on two
days of its first week with a program of his own becomes its own: he was told of each time.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import LargeBinary, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from agent.inventory.models import Base
from agent.watch.api import BLOCKING, AccessEvent, MarkResult, OwnProgram, Taught, Watched
from containment.processes import Holder, holders

if TYPE_CHECKING:
    from agent.wiring import Agent

LEARNING_SECONDS: Final = 7 * 86_400.0
DAYS: Final = 2
MOST_COUNTED: Final = 10_000
CARRIERS: Final[frozenset[bytes]] = frozenset({
    b"7z", b"7za", b"ar", b"base64", b"bash", b"bsdtar", b"busybox", b"bzip2", b"cat", b"cmp", b"cp", b"cpio",
    b"curl", b"dash", b"dd", b"file", b"ftp", b"grep", b"gzip", b"head", b"hexdump", b"install", b"less", b"lftp",
    b"more", b"mv", b"nc", b"ncat", b"od", b"pigz", b"pv", b"rclone", b"restic", b"rsync", b"scp", b"sftp",
    b"sftp-server", b"sh", b"socat", b"split", b"sqlite3", b"ssh", b"strings", b"tail", b"tar", b"tee", b"wget",
    b"xxd", b"xz", b"zip", b"zsh", b"zstd",
})  # fmt: skip
"""Base names of root-owned programs that carry or show files, and of shells: clearly no till."""


class OwnRow(Base):
    """A program met on a live database, by key, path and account; the row without a program says since when it is."""

    __tablename__ = "own_program"

    key: Mapped[str] = mapped_column(primary_key=True)
    program: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    uid: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[float]
    last: Mapped[float]
    days: Mapped[int]
    inode: Mapped[int]


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A program that holds a live database open for writing."""

    key: str
    program: bytes
    uid: int


class OwnPrograms:
    """What is learned, in inventory.db. Safe among threads; each call is one transaction."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        """Use these sessions."""
        self._sessions = sessions
        self._live: frozenset[str] = frozenset()
        self._counted: set[tuple[str, bytes, int, str]] = set()

    def as_live(self, items: Iterable[Watched]) -> list[Watched]:
        """The same, with every database that ever was live as live: a till that was shut for days is none the less."""
        with self._sessions.begin() as session:
            known = set(session.scalars(select(OwnRow.key).where(OwnRow.program == b"")))
        return [replace(item, live=True) if item.key in known and not item.decoy else item for item in items]

    def look(self, items: Iterable[Watched], now: float | None = None) -> Taught:
        """Take up who holds these live databases for writing now, and say what is known of all of them.

        Args:
            items: what is watched; only live ones count.
            now: Unix time in seconds, else the clock's.
        """
        now = time.time() if now is None else now
        live = {item.path: item.key for item in items if item.live and not item.decoy}
        self._live = frozenset(live.values())
        with self._sessions.begin() as session:
            for key in self._live:
                since = session.get(OwnRow, (key, b"", -1))
                if since is None:
                    session.add(OwnRow(key=key, program=b"", uid=-1, first=now, last=now, days=0, inode=0))
                elif since.first > now:  # the clock was set back
                    since.first = now
            for writer in writers(live):
                _meet(session, writer, now, days=DAYS)
        return self.taught(now)

    def met(self, access: AccessEvent) -> bool:
        """Note that a program had a live database; True if that makes it the database's own."""
        carries = os.path.basename(access.program) in CARRIERS
        if access.key not in self._live or access.decision != "allow" or not access.program or carries:
            return False
        writer = Writer(key=access.key, program=access.program, uid=access.uid)
        today = (writer.key, writer.program, writer.uid, _day(access.at))
        if today in self._counted:
            return False
        if len(self._counted) >= MOST_COUNTED:
            self._counted.clear()
        self._counted.add(today)
        with self._sessions.begin() as session:
            return _meet(session, writer, access.at, days=1)

    def learned(self) -> list[OwnProgram]:
        """Every program that is a live database's own, whether that is watched now or not."""
        with self._sessions() as session:
            rows = session.scalars(select(OwnRow).where(OwnRow.program != b"", OwnRow.days >= DAYS))
            return [OwnProgram(key=row.key, program=row.program, uid=row.uid) for row in rows]

    def taught(self, now: float) -> Taught:
        """What the guard is to know. A learned program that was replaced or is gone starts the learning anew."""
        own: list[OwnProgram] = []
        learning: set[str] = set()
        with self._sessions.begin() as session:
            rows = list(session.scalars(select(OwnRow).where(OwnRow.key.in_(self._live)).order_by(OwnRow.program)))
            since = {row.key: row for row in rows if not row.program}
            for row in rows:
                if row.program and row.days >= DAYS:
                    inode = inode_of(row.program)
                    if inode != row.inode and row.key in since:
                        since[row.key].first, row.inode = now, inode
                    if inode:
                        own.append(OwnProgram(key=row.key, program=row.program, uid=row.uid))
                    else:
                        session.execute(delete(OwnRow).where(OwnRow.key == row.key, OwnRow.program == row.program))
            learning = {key for key, row in since.items() if now - row.first < LEARNING_SECONDS}
        return Taught(own=tuple(own), learning=frozenset(learning))


def mark(agent: Agent, items: Iterable[Watched]) -> MarkResult:
    """Watch these; the guard first hears whose the live databases are.

    Raises:
        NoGuardError: the guard went away.
    """
    if agent.watch.tier not in BLOCKING:
        return agent.watch.mark(items)
    wanted = agent.own_programs.as_live(items)
    agent.watch.teach(agent.own_programs.look(wanted))
    return agent.watch.mark(wanted)


def writers(live: dict[bytes, str]) -> list[Writer]:
    """Programs that hold one of these open for writing, but those of `CARRIERS`. `live`: key by path."""
    found: dict[Writer, None] = {}
    for holder in holders(list(live)) if live else ():
        if os.path.basename(holder.program) not in CARRIERS:
            for path in writes(holder, live):
                found[Writer(key=live[path], program=clean(holder.program), uid=holder.uid)] = None
    return list(found)


def writes(holder: Holder, live: Iterable[bytes]) -> set[bytes]:
    """Which of these files a process has open for writing (proc_pid_fdinfo(5), `flags` in octal)."""
    wanted: dict[tuple[int, int], bytes] = {}
    for path in live:
        with contextlib.suppress(OSError):
            facts = os.lstat(path)
            wanted[facts.st_dev, facts.st_ino] = path
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{holder.pid}/fd"):
            with contextlib.suppress(OSError, ValueError):
                facts = os.stat(f"/proc/{holder.pid}/fd/{name}")
                path_there = wanted.get((facts.st_dev, facts.st_ino))
                if path_there is None:
                    continue
                with open(f"/proc/{holder.pid}/fdinfo/{name}", encoding="ascii") as lines:
                    flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
                if flags & os.O_ACCMODE != os.O_RDONLY:
                    found.add(path_there)
    return found


def clean(program: bytes) -> bytes:
    """The path of an executable whose file was replaced since it started."""
    return program.removesuffix(b" (deleted)")


def inode_of(program: bytes) -> int:
    """Inode of the program's file today; 0 where it is gone."""
    try:
        return os.stat(program).st_ino
    except OSError:
        return 0


def _meet(session: Session, writer: Writer, at: float, *, days: int) -> bool:
    """Count one meeting; True if it is the one that makes the program the database's own."""
    program = clean(writer.program)
    row = session.get(OwnRow, (writer.key, program, writer.uid))
    if row is None:
        session.add(
            OwnRow(
                key=writer.key, program=program, uid=writer.uid, first=at, last=at, days=days, inode=inode_of(program)
            )
        )  # fmt: skip
        return days >= DAYS
    before = row.days
    if _day(at) != _day(row.last):
        row.days += 1
    row.days = max(row.days, days)
    row.last = at
    return before < DAYS <= row.days


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
