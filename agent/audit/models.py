"""Table of what went from the records, in inventory.db: each time with its rule, so that a hole explains itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class PurgedRow(Base):
    """Records of one kind that went. `upto` is the last number that was there; `early`: before the law's least."""

    __tablename__ = "purged_records"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    at: Mapped[datetime]
    count: Mapped[int] = mapped_column(BigInteger)
    upto: Mapped[int] = mapped_column(BigInteger)
    kept_since: Mapped[datetime | None]
    early: Mapped[bool]
