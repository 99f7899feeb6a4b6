"""Table of approvals in inventory.db."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class ApprovalRow(Base):
    """One request to approve one thing. `digest` is of what is approved; `code_hash` of a code sent to `person`."""

    __tablename__ = "approvals"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    person: Mapped[str]
    asked_at: Mapped[datetime]
    given_at: Mapped[datetime | None]
    how: Mapped[str]
    code_hash: Mapped[str]
    wrong_codes: Mapped[int]
