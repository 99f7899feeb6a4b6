"""What head office tells stores to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class Case(Base):
    """One leak at one or many stores, as head office directs it."""

    __tablename__ = "cases"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    summary: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]
    by_id: Mapped[str] = mapped_column(String(40))
    closed_at: Mapped[datetime | None]


class Order(Base):
    """An order as somebody gave it: its exact bytes, which head office's key and, where the stores want it, two
    officers sign. It is sent once it has the signatures it needs."""

    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    case_id: Mapped[str | None] = mapped_column(String(40), index=True)
    body: Mapped[str] = mapped_column(Text)
    signatures: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    officers_needed: Mapped[int] = mapped_column(default=0)
    by_id: Mapped[str] = mapped_column(String(40))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    __table_args__ = (Index("orders_made", "made_at"), Index("orders_sent", "sent_at"))


class Delivery(Base):
    """An order on its way to one store; `number` counts a store's deliveries."""

    __tablename__ = "deliveries"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), index=True)
    made_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    """waiting, told, received, done, refused, failed, expired; withdrawn: never told."""
    reason: Mapped[str] = mapped_column(String(400), default="")
    answer: Mapped[dict[str, Any] | None]
    report_number: Mapped[int] = mapped_column(default=0)
    """Of the report that said so: an older one never replaces a newer."""
    __table_args__ = (
        Index(
            "deliveries_trouble", "acknowledged_at", postgresql_where=text("state IN ('refused', 'failed')"),
            sqlite_where=text("state IN ('refused', 'failed')"),
        ),
    )  # fmt: skip


class OfficerKey(Base):
    """The public key with which an officer signs orders that stores will not take from head office alone."""

    __tablename__ = "officer_keys"
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    public_key: Mapped[bytes] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(80), default="")
    made_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None] = mapped_column(String(40))
    """A second person, who saw the key's words on the officer's own screen: until then it counts for nothing."""
    revoked_at: Mapped[datetime | None]


class OfficerVersion(Base):
    """A version of the policy that stores pin (`config.officers`): whose signatures count, from when on."""

    __tablename__ = "officer_versions"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    order_id: Mapped[str | None] = mapped_column(String(40))
    """By which enrolled stores get it, once two officers of the version before have signed."""
    in_force_at: Mapped[datetime | None]
