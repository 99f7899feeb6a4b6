"""How the figures were, day by day."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class DayFigures(Base):
    """A store's figures as last told on a day (head office's zone)."""

    __tablename__ = "day_figures"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    persons: Mapped[int]
    places: Mapped[int]
    sealed: Mapped[int]
    exposed: Mapped[int]
    unread: Mapped[int]
    open_alerts: Mapped[int]
    open_incidents: Mapped[int]
    score: Mapped[int | None]
    version: Mapped[str] = mapped_column(String(40), default="")
    tier: Mapped[str] = mapped_column(String(40), default="")
    __table_args__ = (Index("day_figures_day", "day", "store_id"),)
