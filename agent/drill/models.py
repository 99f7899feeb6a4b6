"""Tables of drills in inventory.db: what was tried and how it went. Nothing of a drill's made-up customers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class DrillRow(Base):
    """One drill. `asked` and `result` are JSON."""

    __tablename__ = "drills"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    scenario: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(index=True)
    by: Mapped[str]
    at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    live: Mapped[bool]
    asked: Mapped[str]
    ack_until: Mapped[datetime]
    result: Mapped[str]


class DrillAckRow(Base):
    """Somebody acknowledged a drill."""

    __tablename__ = "drill_acks"
    __table_args__ = (UniqueConstraint("drill", "person"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    drill: Mapped[str] = mapped_column(ForeignKey("drills.id"), index=True)
    person: Mapped[str]
    at: Mapped[datetime]
    how: Mapped[str]


class DrillReminderRow(Base):
    """A stage of a reminder that was told: never twice for one due day."""

    __tablename__ = "drill_reminders"
    __table_args__ = (UniqueConstraint("due", "stage"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    due: Mapped[str]
    stage: Mapped[str]
    sent_at: Mapped[datetime]
