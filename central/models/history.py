"""How the figures were, day by day."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, ForeignKey, Index, String
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


class FleetDay(Base):
    """Sums of a day that is over, by entity and region ('' for none): made when the day was closed."""

    __tablename__ = "fleet_days"
    day: Mapped[date] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(String(40), primary_key=True, default="")
    region_id: Mapped[str] = mapped_column(String(40), primary_key=True, default="")
    stores: Mapped[int]
    persons: Mapped[int] = mapped_column(BigInteger)
    places: Mapped[int] = mapped_column(BigInteger)
    sealed: Mapped[int] = mapped_column(BigInteger)
    exposed: Mapped[int] = mapped_column(BigInteger)
    unread: Mapped[int] = mapped_column(BigInteger)
    open_alerts: Mapped[int]
    open_incidents: Mapped[int]
    scores: Mapped[int]
    """The scores of all stores that have one, added up."""
    scored: Mapped[int]
    """How many have one."""
