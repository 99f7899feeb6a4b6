"""What was done and looked at in head office, and its settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class Act(Base):
    """An entry of the record of acts; `digest` chains it to the one before (`central.people.record`)."""

    __tablename__ = "acts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    act: Mapped[str] = mapped_column(String(40))
    store_id: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(300))
    digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (Index("acts_at", "at"), Index("acts_store", "store_id", "at"))


class View(Base):
    """That somebody looked at a page; an act `views` in the record holds the digest of some of them."""

    __tablename__ = "views"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[str] = mapped_column(String(40))
    path: Mapped[str] = mapped_column(String(300))
    __table_args__ = (Index("views_at", "at"),)


class Fact(Base):
    """A setting of this head office: its name, its time zone."""

    __tablename__ = "facts"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
