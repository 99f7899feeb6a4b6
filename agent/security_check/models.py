"""Tables of security checks in inventory.db: results, what is right on this machine, and what a person took for right.

Names of accounts, units and files stand in the baseline raw (the file is 0600 and root-only); results are masked.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class CheckRow(Base):
    """One check. `document` holds findings and what was unseen, as JSON."""

    __tablename__ = "security_checks"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    by: Mapped[str]
    incident: Mapped[str]
    clean: Mapped[bool]
    document: Mapped[str]


class BaselineRow(Base):
    """What was right at a moment, by a person's word or at the first run. The newest counts."""

    __tablename__ = "security_baselines"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    reason: Mapped[str]
    reduced: Mapped[bool]
    document: Mapped[str]


class AcceptedRow(Base):
    """A finding that a person took for right, by its key."""

    __tablename__ = "security_accepted"

    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    reason: Mapped[str]
