"""Tables of the clean-up in inventory.db. Raw paths stand here (the file is 0600 and root-only); words are masked."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class DecisionRow(Base):
    """What becomes of one affected item; a later word replaces it. `done_at` once it is so. `proof` is JSON."""

    __tablename__ = "cleaning_decisions"
    __table_args__ = (UniqueConstraint("incident", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    decision: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str]
    done_at: Mapped[datetime | None]
    proof: Mapped[str]


class RiskRow(Base):
    """A risk that remains after the clean-up (or that none does), whose it is and when it is looked at again."""

    __tablename__ = "cleaning_risks"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    risk: Mapped[str]
    owner: Mapped[str]
    until: Mapped[date | None]
    by: Mapped[str]
    at: Mapped[datetime]
