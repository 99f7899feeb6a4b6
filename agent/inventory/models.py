"""Tables of inventory.db: what lies where, the runs that found it, and the alerts.

No value, no sample and no fingerprint of a value has a column here; raw paths, table and column names do, which is
why the file is 0600 in a 0700 folder. SQLite does not check a column's type by itself and forgets foreign keys
unless told (`PRAGMA foreign_keys`, https://www.sqlite.org/foreignkeys.html); `agent.inventory.engine` tells it.

Other rooms define their tables on `Base` in modules of their own and name them in `agent.inventory.engine.TABLES`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, ForeignKey, Index, LargeBinary, String, text, types
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(types.TypeDecorator[datetime]):
    """A time with its zone. SQLite has no type for one and would hand it back naive: kept as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  given by SQLAlchemy
        """To UTC.

        Raises:
            ValueError: the time has no zone, so nobody knows when that was.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  given by SQLAlchemy
        """From UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Every table of inventory.db. Annotate times as `Mapped[datetime]`: they are kept with their zone."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Moment}


class ItemRow(Base):
    """One thing that a scan listed. At most one row a path is `plain` or `fenced`; sealed and gone ones add up."""

    __tablename__ = "items"
    __table_args__ = (
        Index("items_path", "path", unique=True, sqlite_where=text("state IN ('plain', 'fenced')")),
        Index("items_any_path", "path"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    container: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    key: Mapped[str] = mapped_column(String, index=True)
    kind: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str]
    encoding: Mapped[str | None]
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[int]
    mode: Mapped[int]
    level: Mapped[int]
    score: Mapped[float]
    about: Mapped[str]
    records: Mapped[int] = mapped_column(BigInteger)
    persons: Mapped[int]
    state: Mapped[str] = mapped_column(index=True)
    sealed_path: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    recipe: Mapped[str]
    first_run: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    last_run: Mapped[int] = mapped_column(ForeignKey("runs.id"), index=True)


class FindingRow(Base):
    """What was found of one entity and nature at one place of an item: counts only."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), index=True)
    entity: Mapped[str] = mapped_column(index=True)
    count: Mapped[int]
    distinct_values: Mapped[int]
    confidence: Mapped[float]
    nature: Mapped[str]
    subject: Mapped[str]
    table_name: Mapped[str | None]
    column_name: Mapped[str | None]
    member: Mapped[str | None]
    page: Mapped[int | None]
    line: Mapped[int | None]


class RunRow(Base):
    """One scan. `ended_at` is NULL while it runs, and stays so if it was cut. `roots` is a JSON list, base64 each."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    roots: Mapped[str]
    persons: Mapped[int]
    listed: Mapped[int]
    read: Mapped[int]
    partial: Mapped[int]
    unread: Mapped[int]
    skipped: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    clean: Mapped[bool]


class AlertRow(Base):
    """A behaviour that was seen. `text` is masked; `keys` is a JSON list of item keys."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    severity: Mapped[str]
    text: Mapped[str]
    keys: Mapped[str]
    session: Mapped[str]
    program: Mapped[str]
    user: Mapped[str]
    action: Mapped[str]
    stop_ms: Mapped[float | None]
    open: Mapped[bool] = mapped_column(index=True)
