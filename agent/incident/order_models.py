"""Table of orders in inventory.db."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class OrderRow(Base):
    """One order of an incident. `what` is masked; `stage` is the last reminder that was sent."""

    __tablename__ = "incident_orders"
    __table_args__ = (UniqueConstraint("incident", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(ForeignKey("incidents.id"), index=True)
    number: Mapped[int]
    phase: Mapped[str]
    template: Mapped[str]
    role: Mapped[str]
    owner: Mapped[str]
    what: Mapped[str]
    command: Mapped[str]
    issued_by: Mapped[str]
    issued_at: Mapped[datetime]
    issued_count: Mapped[float]
    due_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str]
    acknowledged_how: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str]
    ended_how: Mapped[str]
    note: Mapped[str]
    stage: Mapped[int]
