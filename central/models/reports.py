"""What stores have told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


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
    """The newest document of a kind of which only the newest counts (`central.wire.COALESCED`)."""

    __tablename__ = "snapshots"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int]
    written_at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    __table_args__ = (Index("snapshots_kind", "kind", "store_id"),)


class Section(Base):
    """Places of a store's inventory whose identifiers begin alike: `section` is `all`, one hexadecimal digit or two,
    by how many places there are (`central.ingest.shelves`), or `*` for the worst places of an older agent. It holds
    what the sections' digests say, so neither order nor repetition of reports can spoil it."""

    __tablename__ = "sections"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    section: Mapped[str] = mapped_column(String(4), primary_key=True)
    number: Mapped[int]
    """Of the newest report that changed it."""
    digests: Mapped[dict[str, Any]]
    """Digest by section (two hexadecimal digits), as the store told them."""
    places: Mapped[int]
    document: Mapped[bytes]
    """JSON list of places (`central.documents.Location`), UTF-8."""


class StoredAlert(Base):
    """An alert as last told."""

    __tablename__ = "alerts"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int]
    at: Mapped[datetime]
    is_open: Mapped[bool]
    document: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("alerts_open", "store_id", "is_open", "at"),
        Index("alerts_recent", "is_open", "at"),
        Index("alerts_at", "at"),
    )


class StoredIncident(Base):
    """An incident as last told."""

    __tablename__ = "incidents"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    incident_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int]
    case_id: Mapped[str | None] = mapped_column(String(40), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    phase: Mapped[str] = mapped_column(String(20))
    is_open: Mapped[bool]
    discovered_at: Mapped[datetime]
    deadline_at: Mapped[datetime | None]
    """The nearest clock that is still running."""
    document: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("incidents_open", "is_open", "discovered_at"),
        Index("incidents_discovered", "discovered_at"),
        Index("incidents_id", "incident_id"),
    )


class StoredEvent(Base):
    """Something that happened on a store. Partitioned by month of `at` on PostgreSQL."""

    __tablename__ = "events"
    store_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Of the report that told it."""
    place: Mapped[int] = mapped_column(primary_key=True)
    """In that report."""
    kind: Mapped[str] = mapped_column(String(80))
    severity: Mapped[str] = mapped_column(String(20))
    document: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("events_at", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )


class StoredDrill(Base):
    """A drill as a store played it."""

    __tablename__ = "drills"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    drill_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    number: Mapped[int]
    at: Mapped[datetime]
    document: Mapped[dict[str, Any]]
    __table_args__ = (Index("drills_store", "store_id", "at"),)


class Paper(Base):
    """A document or picture of an incident, without any customer's value (the store masks it)."""

    __tablename__ = "papers"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    incident_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    number: Mapped[int]
    media: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    written_at: Mapped[datetime]
    content: Mapped[bytes]


class Anchor(Base):
    """Head of a store's audit log, kept where the store cannot rewrite it."""

    __tablename__ = "anchors"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    entries: Mapped[int] = mapped_column(primary_key=True)
    head: Mapped[str] = mapped_column(String(128))
    received_at: Mapped[datetime]
