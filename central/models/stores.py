"""Stores: who they are, whose they are, by which keys they are known, and what was wrong with what came from them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class Entity(Base):
    """A legal entity: reports to an authority go out in its name, to its province (plan.md)."""

    __tablename__ = "entities"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    credit_code: Mapped[str] = mapped_column(String(18), default="")
    province: Mapped[str] = mapped_column(String(40), default="")
    kind: Mapped[str] = mapped_column(String(12), default="direct")  # direct | franchise
    rights: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Acts that head office may do in a franchise's stores, by agreement (`central.people.rights`)."""


class Region(Base):
    """Stores under one area manager."""

    __tablename__ = "regions"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))


class Store(Base):
    """One site, with the figures its tile shows, kept current by every report."""

    __tablename__ = "stores"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    entity_id: Mapped[str | None] = mapped_column(ForeignKey("entities.id"))
    region_id: Mapped[str | None] = mapped_column(ForeignKey("regions.id"))
    public_key: Mapped[bytes | None] = mapped_column(unique=True)
    """Raw Ed25519 key that signs its reports now; None before it has enrolled."""
    made_at: Mapped[datetime]
    enrolled_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    scanned_at: Mapped[datetime | None]
    last_number: Mapped[int] = mapped_column(default=0)
    version: Mapped[str] = mapped_column(String(40), default="")
    tier: Mapped[str] = mapped_column(String(40), default="")
    mode: Mapped[str] = mapped_column(String(20), default="")
    persons: Mapped[int] = mapped_column(default=0)
    places: Mapped[int] = mapped_column(default=0)
    sealed: Mapped[int] = mapped_column(default=0)
    exposed: Mapped[int] = mapped_column(default=0)
    unread: Mapped[int] = mapped_column(default=0)
    listed: Mapped[int] = mapped_column(default=0)
    score: Mapped[int | None]
    """Of the last assessment, 0 to 100."""
    open_alerts: Mapped[int] = mapped_column(default=0)
    open_incidents: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    """Kinds of faults not yet settled, and gaps."""
    urgency: Mapped[int] = mapped_column(default=0)
    """Place in the list of who needs somebody: 0 fine, higher first; silence is judged when asked."""
    wants_inventory: Mapped[bool] = mapped_column(default=False)
    """The picture here is not the store's: it is asked to send all sections again."""
    __table_args__ = (Index("stores_urgency", "urgency", "persons"), Index("stores_name", "name"))


class StoreKey(Base):
    """A key by which a store is or was known: a reinstalled store has a new one and keeps its history."""

    __tablename__ = "store_keys"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    public_key: Mapped[bytes] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(80), default="")


class Certificate(Base):
    """A client certificate that the authority gave to a store."""

    __tablename__ = "certificates"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    serial: Mapped[str] = mapped_column(String(40), primary_key=True)  # hexadecimal
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Instance(Base):
    """A start of a store's link, by the random name it gives itself: two that take turns are two machines."""

    __tablename__ = "instances"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    instance: Mapped[str] = mapped_column(String(40), primary_key=True)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(String(60), default="")


class Fault(Base):
    """Something wrong with what came in a store's name, counted by kind: never silent, never a flood of rows."""

    __tablename__ = "faults"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    detail: Mapped[str] = mapped_column(String(300))
    settled_at: Mapped[datetime | None]


class Token(Base):
    """A one-use right to enrol; the secret itself is not stored."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    secret_digest: Mapped[bytes]
    store_name: Mapped[str] = mapped_column(String(200), default="")
    store_id: Mapped[str | None] = mapped_column(String(40))
    """Of the store it was made for, or that was made by it."""
    entity_id: Mapped[str | None] = mapped_column(String(40))
    region_id: Mapped[str | None] = mapped_column(String(40))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
