"""events.db: who touched what, when. For evidence and for `cloche watch`.

Paths, programs, command lines and client names are masked on the way in (the mask is passed in), so that this
database holds no value; the item key leads to the raw path in the root-only inventory. It is bounded by age and by
size: the oldest go first. `synchronous=NORMAL` in WAL: a power cut may take the last moments, never the file
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import JSON, Engine, Index, LargeBinary, create_engine, delete, event, func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from agent.watch.api import AccessEvent, Crossing, Gap, Happening
from config.errors import ClocheError, CorruptError

VERSION: Final = 1
KEEP_SECONDS: Final = 1096 * 86_400.0  # a last bound: the keeper of records takes them earlier, by its rule
KEEP_ROWS: Final = 4_000_000  # about a gigabyte; what goes by this before its time is put on record
_TIDY_EVERY: Final = 5_000
_MASKED_LIMIT: Final = 2_000
Mask = Callable[[str], str]


class _Base(DeclarativeBase):
    pass


class EventRow(_Base):
    """One happening: `kind` is `access`, `crossing` or `gap`; what only a crossing or gap has is in `details`."""

    __tablename__ = "events"
    __table_args__ = (Index("events_key_at", "key", "at"), Index("events_session_at", "session", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    at: Mapped[float] = mapped_column(index=True)
    monotonic_ns: Mapped[int] = mapped_column(default=0)
    key: Mapped[str] = mapped_column(default="")
    path: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    operation: Mapped[str] = mapped_column(default="")
    pid: Mapped[int] = mapped_column(default=0)
    started: Mapped[int] = mapped_column(default=0)
    program: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    command: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    uid: Mapped[int] = mapped_column(default=-1)
    user: Mapped[str] = mapped_column(default="")
    session: Mapped[str] = mapped_column(default="")
    cgroup: Mapped[str] = mapped_column(default="")
    decision: Mapped[str] = mapped_column(default="")
    latency_us: Mapped[float] = mapped_column(default=0.0)
    client_address: Mapped[str] = mapped_column(default="")
    client_user: Mapped[str] = mapped_column(default="")
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A happening as recorded, with its number."""

    id: int
    happening: Happening


class EventStore:
    """The store, opened. Several threads may use it; one process writes, others may read."""

    def __init__(self, path: Path, *, keep_rows: int = KEEP_ROWS, keep_seconds: float = KEEP_SECONDS) -> None:
        """Open it, or make it with mode 0600.

        Raises:
            CorruptError: it is damaged, or of a newer version.
            ClocheError: it cannot be opened or made.
        """
        self.path = path
        self._keep_rows = keep_rows
        self._keep_seconds = keep_seconds
        self._added = 0
        self._masked: dict[bytes, bytes] = {}
        self._engine = _open(path)
        self._sessions: sessionmaker[Session] = sessionmaker(self._engine)

    def add(self, happening: Happening, mask: Mask) -> int:
        """Record one; its number.

        Raises:
            ClocheError: the disk is full or fails.
        """
        row = self._row(happening, mask)
        try:
            with self._sessions.begin() as session:
                session.add(row)
                session.flush()
                number = row.id
        except DatabaseError as error:
            raise ClocheError(f"{self.path}: not recorded: {error.orig}") from error
        self._added += 1
        if self._added % _TIDY_EVERY == 0:
            self.tidy(happening_at(happening))
        return number

    def accesses(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        keys: Sequence[str] | None = None,
        session: str | None = None,
    ) -> list[AccessEvent]:
        """Accesses in order of time, refused ones that crossed a bound included; Unix seconds, ends included."""
        query = select(EventRow).where(EventRow.kind.in_(("access", "crossing")), EventRow.key != "")
        if since is not None:
            query = query.where(EventRow.at >= since)
        if until is not None:
            query = query.where(EventRow.at <= until)
        if session is not None:
            query = query.where(EventRow.session == session)
        if keys is not None:
            query = query.where(EventRow.key.in_(select(func.json_each(json.dumps(list(keys))).table_valued("value"))))
        with self._sessions() as reading:
            return [_access(row) for row in reading.scalars(query.order_by(EventRow.at, EventRow.id))]

    def crossings(self, *, since: float | None = None) -> list[Crossing]:
        """Broken rules in order."""
        query = select(EventRow).where(EventRow.kind == "crossing")
        if since is not None:
            query = query.where(EventRow.at >= since)
        with self._sessions() as reading:
            rows = reading.scalars(query.order_by(EventRow.id))
            return [cast("Crossing", _happening(row)) for row in rows]

    def gaps(self, *, since: float) -> list[Gap]:
        """Moments since then in which something may have happened unseen, in order."""
        query = select(EventRow).where(EventRow.kind == "gap", EventRow.at >= since).order_by(EventRow.id)
        with self._sessions() as reading:
            return [cast("Gap", _happening(row)) for row in reading.scalars(query)]

    def after(self, number: int, limit: int = 500) -> list[Recorded]:
        """What was recorded after `number`, oldest first."""
        query = select(EventRow).where(EventRow.id > number).order_by(EventRow.id).limit(limit)
        with self._sessions() as reading:
            return [Recorded(id=row.id, happening=_happening(row)) for row in reading.scalars(query)]

    def notable(self, *, after: int, until: int, limit: int = 500) -> list[Recorded]:
        """Crossings and gaps with numbers above `after` up to `until`, oldest first."""
        query = select(EventRow).where(
            EventRow.id > after, EventRow.id <= until, EventRow.kind.in_(("crossing", "gap"))
        )
        with self._sessions() as reading:
            rows = reading.scalars(query.order_by(EventRow.id).limit(limit))
            return [Recorded(id=row.id, happening=_happening(row)) for row in rows]

    def last(self) -> int:
        """The newest number, 0 when empty."""
        with self._sessions() as reading:
            return reading.scalar(select(func.max(EventRow.id))) or 0

    def span(self) -> tuple[int, float, int]:
        """The oldest number with its Unix time, and the newest number ever given; zeros where there is none."""
        with self._sessions() as reading:
            row = reading.execute(select(EventRow.id, EventRow.at).order_by(EventRow.id).limit(1)).first()
            newest = reading.scalar(select(func.max(EventRow.id))) or 0
        return (row.id, row.at, newest) if row else (0, 0.0, newest)

    def purge(self, *, before: float) -> int:
        """Drop what happened before a Unix time, save the newest, which keeps the numbers going; how many went."""
        with self._sessions.begin() as session:
            newest = session.scalar(select(func.max(EventRow.id))) or 0
            gone = session.execute(delete(EventRow).where(EventRow.at < before, EventRow.id < newest))
            return int(gone.rowcount)  # type: ignore[attr-defined]  # SQLAlchemy types execute() as Result

    def tidy(self, now: float) -> int:
        """Drop what is too old or too much; how many went."""
        with self._sessions.begin() as session:
            newest = session.scalar(select(func.max(EventRow.id))) or 0
            gone = session.execute(
                delete(EventRow).where(
                    (EventRow.at < now - self._keep_seconds) | (EventRow.id <= newest - self._keep_rows)
                )
            )
            return int(gone.rowcount)  # type: ignore[attr-defined]  # SQLAlchemy types execute() as Result

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _row(self, happening: Happening, mask: Mask) -> EventRow:
        if isinstance(happening, Gap):
            details = {"cause": happening.cause, "lost": happening.lost}
            return EventRow(kind="gap", at=happening.at, details=details)
        access = happening if isinstance(happening, AccessEvent) else happening.event
        fields: dict[str, Any] = asdict(access)
        for name in ("path", "program", "command"):
            fields[name] = self._mask(fields[name], mask)
        for name in ("client_address", "client_user", "cgroup"):  # anybody may name a unit of his own
            fields[name] = os.fsdecode(self._mask(os.fsencode(fields[name]), mask))
        if isinstance(happening, AccessEvent):
            return EventRow(kind="access", **fields)
        details = asdict(happening)
        del details["event"]
        return EventRow(kind="crossing", details=details, **fields)

    def _mask(self, value: bytes, mask: Mask) -> bytes:
        if not value:
            return value
        known = self._masked.get(value)
        if known is None:
            if len(self._masked) >= _MASKED_LIMIT:
                self._masked.clear()
            known = self._masked[value] = os.fsencode(mask(os.fsdecode(value)))
        return known


def happening_at(happening: Happening) -> float:
    """When it was, Unix seconds."""
    return happening.event.at if isinstance(happening, Crossing) else happening.at


def _access(row: EventRow) -> AccessEvent:
    names = AccessEvent.__dataclass_fields__
    return AccessEvent(**{name: getattr(row, name) for name in names})


def _happening(row: EventRow) -> Happening:
    details: dict[str, Any] = row.details or {}
    if row.kind == "gap":
        return Gap(at=row.at, cause=details["cause"], lost=details["lost"])
    if row.kind == "access":
        return _access(row)
    return Crossing(event=_access(row), **{**details, "keys": tuple(details["keys"])})


def _open(path: Path) -> Engine:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise ClocheError(f"{path}: cannot be opened: {error.strerror}") from error
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True, connect_args={"timeout": 10})
    event.listen(engine, "connect", _prepare)
    try:
        with engine.begin() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > VERSION:
                raise CorruptError(f"{path}: has version {version}, this program knows up to {VERSION}")
            if version < VERSION:
                _Base.metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")
    except DatabaseError as error:
        engine.dispose()
        raise CorruptError(f"{path}: is damaged or no event store ({type(error.orig).__name__})") from error
    except ClocheError:
        engine.dispose()
        raise
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
