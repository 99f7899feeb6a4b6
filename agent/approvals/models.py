"""Tables of approvals in inventory.db."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class RequestRow(Base):
    """Something that waits for approval: one version of one subject. `about` is masked and says what it is."""

    __tablename__ = "approval_requests"
    __table_args__ = (UniqueConstraint("subject", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    about: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]


class ApprovalRow(Base):
    """One person's word for one request. `how`: as `agent.approvals.approving.How`."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("request", "person"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    request: Mapped[int] = mapped_column(index=True)
    person: Mapped[str]
    given_at: Mapped[datetime]
    how: Mapped[str]
