"""Tables of vendors in inventory.db. Of what was shared there are counts, digests and the chain's own canaries here.

Which persons were shared is in no column: their keyed fingerprints lie in a sealed segment a package.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class VendorRow(Base):
    """One vendor. `contacts` is JSON: people at the vendor, no customers."""

    __tablename__ = "vendors"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    service: Mapped[str]
    contacts: Mapped[str] = mapped_column(Text)
    public_key: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]
    added_by: Mapped[str]


class ContractRow(Base):
    """One contract with a vendor; times are the first and last day, by the store's zone."""

    __tablename__ = "vendor_contracts"
    __table_args__ = (UniqueConstraint("vendor", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    vendor: Mapped[str] = mapped_column(ForeignKey("vendors.id"), index=True)
    number: Mapped[str]
    begins: Mapped[str]
    ends: Mapped[str]
    report_hours: Mapped[int | None]
    audit_right: Mapped[bool]
    sub_processors: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str]


class ShareRow(Base):
    """One package. `state`: `making`, `open`, `returned`, `destroyed`, `abandoned` (its making was cut off)."""

    __tablename__ = "vendor_shares"

    id: Mapped[str] = mapped_column(primary_key=True)
    vendor: Mapped[str] = mapped_column(ForeignKey("vendors.id"), index=True)
    purpose: Mapped[str]
    contract: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    shared_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    shared_by: Mapped[str]
    approved_by: Mapped[str]
    key_id: Mapped[str]
    files: Mapped[str] = mapped_column(Text)
    persons: Mapped[int]
    types: Mapped[str]
    planted: Mapped[int]
    without_canaries: Mapped[str]
    package_size: Mapped[int]
    package_sha256: Mapped[str]
    receipt_sha256: Mapped[str]
    received_at: Mapped[datetime | None]
    segment: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str]
    end_note: Mapped[str]
    end_evidence: Mapped[str]


class CanaryRow(Base):
    """A number and a mailbox of the chain's own that went into one package, and never into another one."""

    __tablename__ = "vendor_canaries"

    id: Mapped[str] = mapped_column(primary_key=True)
    share: Mapped[str] = mapped_column(ForeignKey("vendor_shares.id"), index=True)
    name: Mapped[str]
    phone: Mapped[str | None] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)


class WindowRow(Base):
    """A vendor let in for some minutes. `ended_at` None: by itself at `until`, not yet put on record."""

    __tablename__ = "vendor_windows"

    id: Mapped[int] = mapped_column(primary_key=True)
    vendor: Mapped[str] = mapped_column(ForeignKey("vendors.id"), index=True)
    who: Mapped[str]
    tool: Mapped[str]
    reason: Mapped[str]
    begun_at: Mapped[datetime]
    until: Mapped[datetime]
    opened_by: Mapped[str]
    approved_by: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str]


class TraceRow(Base):
    """One look at a found file: its digest, and what the canaries in it said (JSON)."""

    __tablename__ = "vendor_traces"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    name: Mapped[str]
    sha256: Mapped[str]
    verdict: Mapped[str] = mapped_column(Text)
    incident: Mapped[str]


class ReminderRow(Base):
    """What was told last, and when, so that it is told once."""

    __tablename__ = "vendor_reminders"

    what: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
