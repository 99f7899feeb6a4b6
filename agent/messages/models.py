"""Tables of messages in inventory.db: masked words and names of people; never an address, a code or a token."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class MessageRow(Base):
    """One message to one person by one channel. `handed` counts what the link was given, `attempts` what it tried."""

    __tablename__ = "messages"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    person: Mapped[str] = mapped_column(index=True)
    channel: Mapped[str]
    purpose: Mapped[str]
    incident: Mapped[str | None] = mapped_column(index=True)
    subject: Mapped[str]
    text: Mapped[str]
    urgent: Mapped[bool]
    code_for: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str]
    detail: Mapped[str]
    attempts: Mapped[int]
    handed: Mapped[int]
    handed_to: Mapped[str]
    handed_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    give_up_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    receipt: Mapped[str]


class CodeRow(Base):
    """A one-time code and a one-time link that went to a person. Only digests stand here; `used_at` ends both."""

    __tablename__ = "message_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    message: Mapped[str] = mapped_column(index=True)
    person: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]
    about: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str]
    text: Mapped[str]
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    code_digest: Mapped[bytes] = mapped_column(LargeBinary)
    token_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class WrongCodeRow(Base):
    """Wrong codes for a person and a subject, so that guessing ends."""

    __tablename__ = "message_wrong_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str]
    about: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)


class BatchRow(Base):
    """How far a part of a customers' notice got: numbers of rows, no contact. Rows are the campaign's own numbers.

    `rows` are those without an outcome (JSON), `begun` those of them that the link said it tries.
    """

    __tablename__ = "message_batches"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str] = mapped_column(index=True)
    channel: Mapped[str]
    handed_to: Mapped[str]
    made_at: Mapped[datetime]
    rows: Mapped[str]
    begun: Mapped[str]
    taken: Mapped[int]
    ended: Mapped[bool] = mapped_column(index=True)
