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
    """One piece of news for one address, until it is taken."""

    __tablename__ = "webhook_deliveries"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    topic: Mapped[str] = mapped_column(String(40))
    document: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[str] = mapped_column(String(80), default="")
    __table_args__ = (Index("webhook_deliveries_next", "next_at"),)
