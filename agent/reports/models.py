"""Tables of the report after the event in inventory.db. Words of people are masked before they get here."""

from __future__ import annotations

import datetime as dt
from datetime import datetime

from sqlalchemy import Date, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class ReportVersionRow(Base):
    """A version of the report. `digest` is the SHA-256 of its documents, `missing` the gaps (JSON)."""

    __tablename__ = "report_versions"
    __table_args__ = (UniqueConstraint("incident", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    digest: Mapped[str]
    missing: Mapped[str]
    by: Mapped[str]
    made_at: Mapped[datetime]
    files: Mapped[str]


class CommentRow(Base):
    """What somebody said about a version."""

    __tablename__ = "report_comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    by: Mapped[str]
    at: Mapped[datetime]
    text: Mapped[str]


class ImprovementRow(Base):
    """An improvement with owner and date. Dropped ones stay, with the time; `reminded` is the last reminder's stage."""

    __tablename__ = "report_improvements"
    __table_args__ = (UniqueConstraint("incident", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    number: Mapped[int]
    what: Mapped[str]
    owner: Mapped[str]
    due: Mapped[dt.date] = mapped_column(Date)
    by: Mapped[str]
    at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str]
    dropped_at: Mapped[datetime | None]
    reminded: Mapped[int]
