"""Fingerprints of affected persons, for counting across stores."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class PersonSegment(Base):
    """Some of an incident's affected persons: HMAC(K_hq, fingerprint)[:16], sorted, one after another; K_hq is never
    in the database. `sketch` is a HyperLogLog for counts without them."""

    __tablename__ = "person_segments"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    incident_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    parts: Mapped[int]
    round: Mapped[int] = mapped_column(default=0)
    """Which count of the store's; a later one replaces the earlier whole."""
    number: Mapped[int]
    key_id: Mapped[str] = mapped_column(String(40))
    persons: Mapped[int]
    sensitive: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime]
    marks: Mapped[bytes | None]
    sketch: Mapped[bytes | None]
    __table_args__ = (Index("person_segments_incident", "store_id", "incident_id"),)
