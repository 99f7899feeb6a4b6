"""What people call what lies about, store by store: made from the inventories in the background, for questions over
all stores that must not read every place of every store."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class Holding(Base):
    """Places of one store that go by the same name, kind and level, taken together."""

    __tablename__ = "holdings"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    label: Mapped[str] = mapped_column(String(120), primary_key=True)
    """'' where people have no name for it."""
    kind: Mapped[str] = mapped_column(String(80), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    places: Mapped[int]
    persons: Mapped[int]
    """Summed over the places: one customer in two places counts twice."""
    exposed: Mapped[int]
    __table_args__ = (
        Index("holdings_label", "label", "store_id", "places", "persons", "exposed"),
        Index("holdings_level", "level", "store_id", "places", "exposed"),
    )
    """They hold what is summed: 280,000 rows in 60 ms instead of 165 (SQLite)."""


class Catalogued(Base):
    """Up to which inventory report a store's holdings are made."""

    __tablename__ = "catalogued"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    number: Mapped[int]
