"""Table of reporting in inventory.db: what head office was told last, by digest or number. No text of any report."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class ReportedRow(Base):
    """What was last told of one thing of a kind."""

    __tablename__ = "reported"

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    said: Mapped[str]
