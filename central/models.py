"""Tables of head office. The store's identifier leads every key, so that a distributed PostgreSQL can split them.

What is stored is what stores sent, masked by them; nothing here is ever above masked. Times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, LargeBinary, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """A time with its zone; SQLite has no such type and would drop the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """To UTC without a zone."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy's signature
        """UTC, said so."""
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """All tables of head office."""

    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, bytes: LargeBinary}  # noqa: RUF012  SQLAlchemy's own declaration


class Store(Base):
    """One site, with the figures its tile shows, kept current by every report."""

    __tablename__ = "stores"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    public_key: Mapped[bytes] = mapped_column(unique=True)
    enrolled_at: Mapped[datetime]
    heard_at: Mapped[datetime | None]
    scanned_at: Mapped[datetime | None]
    last_number: Mapped[int] = mapped_column(default=0)
    tier: Mapped[str] = mapped_column(String(40), default="")
    persons: Mapped[int] = mapped_column(default=0)
    places: Mapped[int] = mapped_column(default=0)
    sealed: Mapped[int] = mapped_column(default=0)
    exposed: Mapped[int] = mapped_column(default=0)
    unread: Mapped[int] = mapped_column(default=0)
    open_alerts: Mapped[int] = mapped_column(default=0)
    open_incidents: Mapped[int] = mapped_column(default=0)


class StoredReport(Base):
    """A report that was accepted: its number is taken for good."""

    __tablename__ = "reports"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    written_at: Mapped[datetime]
    received_at: Mapped[datetime]


class Gap(Base):
    """A kept report that a later one names and that has not arrived."""

    __tablename__ = "gaps"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    noticed_at: Mapped[datetime]


class Snapshot(Base):
    """The newest inventory or health of a store."""

    __tablename__ = "snapshots"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int]
    written_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]


class StoredAlert(Base):
    """An alert as last told."""

    __tablename__ = "alerts"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int]
    at: Mapped[datetime]
    is_open: Mapped[bool]
    document: Mapped[dict[str, Any]]
    __table_args__ = (Index("alerts_open", "store_id", "is_open", "at"),)


class StoredIncident(Base):
    """An incident as last told."""

    __tablename__ = "incidents"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    incident_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int]
    phase: Mapped[str] = mapped_column(String(20))
    is_open: Mapped[bool]
    discovered_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]


class Anchor(Base):
    """Head of a store's audit log, kept where the store cannot rewrite it."""

    __tablename__ = "anchors"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    entries: Mapped[int] = mapped_column(primary_key=True)
    head: Mapped[str] = mapped_column(String(128))
    received_at: Mapped[datetime]


class Fault(Base):
    """Something wrong with what came in a store's name, counted by kind: never silent, never a flood of rows."""

    __tablename__ = "faults"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    detail: Mapped[str] = mapped_column(String(300))


class Token(Base):
    """A one-use right to enrol; the secret itself is not stored."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    secret_digest: Mapped[bytes]
    store_name: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    store_id: Mapped[str | None] = mapped_column(String(40))


class Officer(Base):
    """Somebody who may look; `passphrase` is an Argon2id string (PHC format)."""

    __tablename__ = "officers"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    passphrase: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime]


class Login(Base):
    """A browser that is logged in, by the digest of its cookie."""

    __tablename__ = "logins"
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    officer: Mapped[str] = mapped_column(ForeignKey("officers.name"))
    form_token: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]


class Attempt(Base):
    """Failed logins of an officer's name or from an address, within a window."""

    __tablename__ = "attempts"
    subject: Mapped[str] = mapped_column(String(120), primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime]


class Fact(Base):
    """A setting of this head office: its name, its time zone."""

    __tablename__ = "facts"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str]


class Act(Base):
    """What was done at head office: tokens, enrolments, logins."""

    __tablename__ = "acts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    act: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(300))
