"""Tables of customer notice in inventory.db: counts, lists, campaigns, and who was told, by keyed fingerprint only.

No name, number or mailbox stands here. The key of the fingerprints is a file of its own (`agent.notice.told`): who has
the database alone learns how many were told, and nothing of whom.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class CountRow(Base):
    """Persons of one incident, as counted once. `items` is a digest of their files; `unread` a masked JSON list."""

    __tablename__ = "notice_counts"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    by: Mapped[str]
    items: Mapped[str]
    files: Mapped[int]
    persons: Mapped[int]
    customers: Mapped[int]
    staff: Mapped[int]
    suppliers: Mapped[int]
    sensitive: Mapped[int]
    reachable: Mapped[int]
    virtual: Mapped[int]
    masked: Mapped[int]
    own: Mapped[int]
    unreadable: Mapped[int]
    complete: Mapped[bool]
    types: Mapped[str]
    unread: Mapped[str]


class ListRow(Base):
    """A list of affected customers, sealed in `file` under the home's state. `digest` is of the sealed bytes."""

    __tablename__ = "notice_lists"

    id: Mapped[int] = mapped_column(primary_key=True)
    incident: Mapped[str] = mapped_column(index=True)
    number: Mapped[int]
    at: Mapped[datetime]
    by: Mapped[str]
    items: Mapped[str]
    file: Mapped[str]
    digest: Mapped[str]
    persons: Mapped[int]
    channels: Mapped[str]


class CampaignRow(Base):
    """What an incident's customers are told, and how far that got. `digest` is what two people approve."""

    __tablename__ = "notice_campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    incident: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    list: Mapped[int]
    texts: Mapped[str]
    digest: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
    changed_at: Mapped[datetime]
    position: Mapped[int]
    waits: Mapped[str]


class ToldRow(Base):
    """One contact that was told, or is being told. `print` is HMAC-SHA256 under the told key, 16 bytes of it."""

    __tablename__ = "notice_told"
    __table_args__ = (Index("notice_told_state", "campaign", "state"), Index("notice_told_batch", "batch"))

    print: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    campaign: Mapped[str]
    incident: Mapped[str]
    person: Mapped[int]
    channel: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    tries: Mapped[int]
    batch: Mapped[str]
    at: Mapped[datetime]
