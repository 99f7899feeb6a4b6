"""Table of purges in inventory.db. Names in `entries` are masked; reasons and statements too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class PurgeRow(Base):
    """One request to destroy a set of entries of the vault, and what became of it."""

    __tablename__ = "purges"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    originals: Mapped[bool]
    reason: Mapped[str]
    statement: Mapped[str]
    entries: Mapped[str]
    by: Mapped[str]
    asked_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str]
    outcome: Mapped[str]
