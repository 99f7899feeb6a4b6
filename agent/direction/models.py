"""Tables of orders in inventory.db. Ids are kept for ever: an order is carried out once, whenever it comes again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class OrderRow(Base):
    """An order that head office's key has signed and that named this store."""

    __tablename__ = "head_office_orders"

    id: Mapped[str] = mapped_column(primary_key=True)
    delivery: Mapped[int]
    kind: Mapped[str]
    body: Mapped[str]
    officers: Mapped[str] = mapped_column(default="[]")
    """JSON list of persons whose signatures were verified, `[[person, name, is from IT]…]`."""
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(index=True)
    """received, running, done, refused, failed, expired."""
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    answer: Mapped[str] = mapped_column(default="{}")
    told: Mapped[str] = mapped_column(default="")
    """What head office was last told of it: state and the delivery it was told for."""


class CaseRow(Base):
    """Which incident of this store belongs to a case of head office's."""

    __tablename__ = "head_office_cases"

    case: Mapped[str] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    order: Mapped[str]


class DirectionRow(Base):
    """What the room has to remember: the last delivery taken, head office's latest signed time."""

    __tablename__ = "head_office_facts"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
