"""The nouns of messages: what is sent, how far it got, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from config.messaging import Purpose

Channel = Literal["mail", "sms", "robot", "crm", "none"]
State = Literal["queued", "sent", "delivered", "failed", "given_up"]
STATES: Final[tuple[State, ...]] = ("queued", "sent", "delivered", "failed", "given_up")
OPEN: Final[tuple[State, ...]] = ("queued", "failed")
"""What is still to be tried. `failed`: the last try failed and another comes."""

How = Literal["page", "link", "code"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to one person or one group.

    `person` is a name of the settings (for a robot the robot's name); the address is looked up when it is sent and
    never stored. `subject` and `text` are masked by the caller. `code_for` asks for a one-time code in it; its answer
    is about that subject.
    """

    person: str
    channel: Channel
    subject: str
    text: str
    purpose: Purpose
    incident: str | None = None
    urgent: bool = False
    code_for: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How far a message got.

    `reason` is a word of the closed list in `config/data/text/messages.toml` (`reason_…`), '' where nothing is wrong;
    `detail` what the server said, masked and bounded. `next_at` is when it is tried again.
    """

    id: str
    person: str
    channel: Channel
    purpose: Purpose
    incident: str | None
    subject: str
    text: str
    state: State
    reason: str
    detail: str
    attempts: int
    made_at: datetime
    next_at: datetime | None
    give_up_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    receipt: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: a form from the page, or somebody's word by a link or a code.

    `about` is the subject that a code was for ('' for the page's form); `person` whom the code went to ('' where
    anybody wrote). `fields` are the form's, unmasked and without a repr: mask what is kept.
    """

    purpose: Literal["report", "ack", "approval", "receipts"]
    about: str
    person: str
    how: How
    at: datetime
    receipt: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
