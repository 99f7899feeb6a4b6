"""Programs of the chain that want to be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class Webhook(Base):
    """An address that is told of some kinds of news; `secret` is encrypted under a key that is not in the database."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    topics: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[bytes]
    made_at: Mapped[datetime]
    by_id: Mapped[str] = mapped_column(String(40))
    paused_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One piece of news for one address, until it is taken. Whoever tries to deliver it puts `next_at` off first: an
    instance that dies on the way leaves it to be tried again."""

    __tablename__ = "webhook_deliveries"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"), index=True)
    topic: Mapped[str] = mapped_column(String(40))
    document: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[str] = mapped_column(String(80), default="")
    __table_args__ = (Index("webhook_deliveries_next", "next_at"),)


class NewsMark(Base):
    """How far a matter was told of: news is what differs from its mark, so none is lost and none is told twice."""

    __tablename__ = "news_marks"
    topic: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    state: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]


class OnceKey(Base):
    """A program's name for something it asks to be done once (`Idempotency-Key`), and what came of it."""

    __tablename__ = "once_keys"
    token_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the key."""
    body: Mapped[str] = mapped_column(String(64))
    """SHA-256 of what was asked for under it."""
    order_id: Mapped[str] = mapped_column(String(40))
    made_at: Mapped[datetime]


class Duty(Base):
    """Something that one instance does for all of them, and until when it is theirs; `done` is the last turn."""

    __tablename__ = "duties"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40), default="")
    until: Mapped[datetime]
    done: Mapped[str] = mapped_column(String(80), default="")
