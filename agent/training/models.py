"""Tables of training in inventory.db. Names and phones of staff stand here and nowhere else: the file is 0600."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Date, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class StaffRow(Base):
    """Somebody who works or worked here."""

    __tablename__ = "staff"

    number: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    store: Mapped[str] = mapped_column(index=True)
    phone: Mapped[str]
    since: Mapped[dt.date] = mapped_column(Date)
    added: Mapped[dt.date] = mapped_column(Date)
    left: Mapped[dt.date | None] = mapped_column(Date)


class OwnCourseRow(Base):
    """A course or policy that the chain brought itself. `document` is its JSON; `kind` is `course` or `policy`."""

    __tablename__ = "training_own"

    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[str]
    added_at: Mapped[dt.datetime]


class SessionRow(Base):
    """One person in one course on one day."""

    __tablename__ = "training_sessions"
    __table_args__ = (UniqueConstraint("number", "course", "day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(ForeignKey("staff.number"), index=True)
    course: Mapped[str]
    day: Mapped[dt.date] = mapped_column(Date)
    trainer: Mapped[str]
    result: Mapped[str]
    score: Mapped[int | None]
    by: Mapped[str]


class AcknowledgementRow(Base):
    """One person's word on one version of a policy."""

    __tablename__ = "training_acknowledgements"
    __table_args__ = (UniqueConstraint("number", "policy", "version", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(ForeignKey("staff.number"), index=True)
    policy: Mapped[str]
    version: Mapped[str]
    digest: Mapped[str]
    day: Mapped[dt.date] = mapped_column(Date)
    how: Mapped[str]
    by: Mapped[str]


class ReminderRow(Base):
    """A stage of a reminder that was sent: never twice for one due day."""

    __tablename__ = "training_reminders"
    __table_args__ = (UniqueConstraint("number", "kind", "what", "due", "stage"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(ForeignKey("staff.number"))
    kind: Mapped[str]
    what: Mapped[str]
    due: Mapped[dt.date] = mapped_column(Date)
    stage: Mapped[str]
    sent_at: Mapped[dt.datetime]


class LookRow(Base):
    """When somebody last looked what is due: one row."""

    __tablename__ = "training_look"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date)
    at: Mapped[dt.datetime]
