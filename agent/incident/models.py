"""Tables of incidents in inventory.db. Raw paths stand here (the file is 0600 and root-only); the rest is masked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base, Moment


class IncidentRow(Base):
    """One incident, reported or declared."""

    __tablename__ = "incidents"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    phase: Mapped[str] = mapped_column(index=True)
    machine: Mapped[bool]
    summary: Mapped[str]
    place: Mapped[str]
    types: Mapped[str]
    by: Mapped[str]
    scope: Mapped[str | None]
    discovered_at: Mapped[datetime] = mapped_column(Moment)
    occurred_at: Mapped[datetime | None] = mapped_column(Moment)
    reported_at: Mapped[datetime | None] = mapped_column(Moment)
    declared_at: Mapped[datetime | None] = mapped_column(Moment)
    handling_ended_at: Mapped[datetime | None] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    files: Mapped[int]
    persons: Mapped[int]
    counted_at: Mapped[datetime | None] = mapped_column(Moment)
    sensitive: Mapped[int | None]
    virtual: Mapped[int | None]
    level: Mapped[str]
    law_grade: Mapped[str]
    level_by_hand: Mapped[str]
    law_by_hand: Mapped[str]
    loss_cny: Mapped[int | None] = mapped_column(BigInteger)
    merged_into: Mapped[str | None]
    left_files: Mapped[int | None]
    left_persons: Mapped[int | None]
    left_seconds: Mapped[float | None]


class IncidentItemRow(Base):
    """One item that an incident touches, and what became of it."""

    __tablename__ = "incident_items"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(ForeignKey("incidents.id"), index=True)
    key: Mapped[str]
    path: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str]
    persons: Mapped[int] = mapped_column(Integer)
    types: Mapped[str]
    state: Mapped[str]
    vault_id: Mapped[str | None]
