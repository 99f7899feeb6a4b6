"""Tables of duties in inventory.db: drafts, submissions, demands, facts that people gave, reminders, and the clock.

What people wrote is masked before it gets here. The timeline says the same for outsiders; this is what is worked with.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class DraftRow(Base):
    """One version of a draft. `facts` is the SHA-256 of what it says, `missing` the number of gaps."""

    __tablename__ = "duty_drafts"
    __table_args__ = (UniqueConstraint("incident", "duty", "entity", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    duty: Mapped[str]
    entity: Mapped[str]
    version: Mapped[int]
    facts: Mapped[str]
    missing: Mapped[int]
    made_at: Mapped[datetime]
    files: Mapped[str]


class SubmissionRow(Base):
    """What was handed in: `at` as people say, `recorded_at` by the clock. `version` 0: no draft of ours."""

    __tablename__ = "duty_submissions"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    duty: Mapped[str]
    entity: Mapped[str]
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    by: Mapped[str]
    to: Mapped[str]
    channel: Mapped[str]
    receipt: Mapped[str]
    version: Mapped[int]
    missing: Mapped[int]


class DemandRow(Base):
    """What an authority ordered; the newest of a duty holds."""

    __tablename__ = "duty_demands"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    duty: Mapped[str]
    at: Mapped[datetime]
    due: Mapped[datetime | None]
    by: Mapped[str]
    note: Mapped[str]


class FactRow(Base):
    """A field of the forms that people filled in; the newest of a field holds."""

    __tablename__ = "duty_facts"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    field: Mapped[str]
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]


class RingRow(Base):
    """A reminder that was given: once for ever."""

    __tablename__ = "duty_rings"

    incident: Mapped[str] = mapped_column(primary_key=True)
    duty: Mapped[str] = mapped_column(primary_key=True)
    ring: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime]
    late: Mapped[bool]
    told: Mapped[int]


class MarkRow(Base):
    """The last reading of both clocks (`id` 1), and the sum of seconds that nobody set, over all boots."""

    __tablename__ = "clock_mark"

    id: Mapped[int] = mapped_column(primary_key=True)
    boot: Mapped[str]
    seconds: Mapped[float]
    wall: Mapped[datetime]
    total: Mapped[float]


class AnchorRow(Base):
    """Both clocks at the moment when a start of an incident was first seen."""

    __tablename__ = "clock_anchors"

    incident: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[str] = mapped_column(primary_key=True)
    wall: Mapped[datetime]
    total: Mapped[float]


class StandingRow(Base):
    """When the bound of a standing duty was first seen to be reached."""

    __tablename__ = "standing_duties"

    duty: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class StandingDoneRow(Base):
    """A standing duty that was done once more: filed, audited, repeated."""

    __tablename__ = "standing_done"

    id: Mapped[int] = mapped_column(primary_key=True)
    duty: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    by: Mapped[str]
    receipt: Mapped[str]
