"""The queue in inventory.db: what is to be told to whom, and how far it got.

Words are masked once more before they are stored. A message leaves the queue delivered, sent, or given up with its
reason; none is dropped.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from agent.incident.course import Course
from agent.messages.models import MessageRow
from agent.messages.records import OPEN, Channel, Delivery, Message, State
from config.errors import ClocheError, UsageError
from config.log import describe, get_logger
from config.messaging import Purpose
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent

LONGEST_SUBJECT: Final = 200
LONGEST_TEXT: Final = 8_000
SHOWN: Final = 500
LOOK_AGAIN: Final = timedelta(seconds=60)
LONGEST_LOOK: Final = timedelta(hours=1)

_JITTER: Final = random.SystemRandom()

log = get_logger("messages")


def masked(agent: Agent, text: str) -> str:
    """Masked once more, whoever wrote it; names of people with a role stay, for an order without its owner is none."""
    names = sorted({person.name for person in agent.people.everybody if person.name}, key=len, reverse=True)
    if not names:
        return agent.mask(text)
    parts = re.split(f"({'|'.join(map(re.escape, names))})", text)
    return "".join(part if number % 2 else agent.mask(part) for number, part in enumerate(parts))


def add(agent: Agent, message: Message) -> str:
    """Keep a message; its id.

    Raises:
        ClocheError: the disk refused it.
    """
    now, senders = agent.now(), agent.settings.senders
    message_id = f"M{fresh_letters(12)}"
    channel = message.channel
    reason = "" if channel != "none" else "nobody" if agent.people.named(message.person) is None else "no_channel"
    with agent.inventory.sessions.begin() as session:
        session.add(
            MessageRow(
                id=message_id, person=message.person, channel=channel, purpose=message.purpose,
                incident=message.incident, subject=masked(agent, message.subject)[:LONGEST_SUBJECT],
                text=masked(agent, message.text)[:LONGEST_TEXT], urgent=message.urgent, code_for=message.code_for,
                state="queued", reason=reason, detail="", attempts=0, handed=0, handed_to="", handed_at=None,
                made_at=now, next_at=now + LOOK_AGAIN if reason else now,
                give_up_at=now + timedelta(hours=senders.give_up_hours), sent_at=None, delivered_at=None, receipt="",
            )
        )  # fmt: skip
    if reason:
        record(agent, get(agent, message_id), "unreachable", reason_key=f"messages.reason_{reason}")
    return message_id


def get(agent: Agent, message_id: str) -> Delivery:
    """One message.

    Raises:
        UsageError: there is none of this id.
    """
    with agent.inventory.sessions() as session:
        return as_delivery(row_of(session, message_id))


def handed(agent: Agent, message_id: str) -> tuple[Delivery, int | None]:
    """A message, and the number of the try whose receipt is awaited; None where none is.

    Raises:
        UsageError: there is none of this id.
    """
    with agent.inventory.sessions() as session:
        row = row_of(session, message_id)
        return as_delivery(row), row.handed if row.handed_to else None


def deliveries(
    agent: Agent, incident: str | None = None, *, states: Sequence[State] = (), person: str = "", most: int = SHOWN
) -> tuple[Delivery, ...]:
    """Messages, newest first; of one incident, in some states, to one person."""
    query = select(MessageRow).order_by(MessageRow.number.desc()).limit(most)
    if incident is not None:
        query = query.where(MessageRow.incident == incident)
    if states:
        query = query.where(MessageRow.state.in_(states))
    if person:
        query = query.where(MessageRow.person == person)
    with agent.inventory.sessions() as session:
        return tuple(map(as_delivery, session.scalars(query)))


@dataclass(frozen=True, kw_only=True)
class Tested:
    """The last test message: when it got as far as it is. `at` is aware."""

    at: datetime
    state: State


def last_test(agent: Agent) -> Tested | None:
    """How the last `cloche message test` went; None where none was tried."""
    query = select(MessageRow).where(MessageRow.purpose == "test").order_by(MessageRow.number.desc()).limit(1)
    with agent.inventory.sessions() as session:
        row = session.scalars(query).first()
    if row is None:
        return None
    return Tested(at=row.delivered_at or row.sent_at or row.made_at, state=cast("State", row.state))


def change(agent: Agent, message_id: str, **values: Any) -> Delivery:
    """Set fields of a message."""
    with agent.inventory.sessions.begin() as session:
        row = row_of(session, message_id)
        for name, value in values.items():
            setattr(row, name, value)
        session.flush()
        return as_delivery(row)


def accepted(agent: Agent, message_id: str, receipt: str) -> None:
    """A server took it."""
    delivery = change(
        agent, message_id, state="sent", sent_at=agent.now(), reason="", detail="", receipt=receipt, next_at=None
    )
    record(agent, delivery, "sent")


def delivered(agent: Agent, message_id: str) -> None:
    """It reached the person: the gateway says so, or the person answered."""
    before = get(agent, message_id)
    if before.state == "delivered":
        return
    now = agent.now()
    delivery = change(
        agent, message_id, state="delivered", sent_at=before.sent_at or now, delivered_at=now, reason="", next_at=None
    )
    record(agent, delivery, "delivered")


def failed(
    agent: Agent, message_id: str, reason: str, detail: str, *, for_good: bool = False, jitter: float | None = None
) -> None:
    """A try failed: the next comes after a pause that doubles, somewhere in its upper half, or never."""
    before, now, senders = get(agent, message_id), agent.now(), agent.settings.senders
    ceiling = min(senders.max_retry_seconds, senders.retry_seconds * 2 ** min(before.attempts, 30))
    following = now + timedelta(seconds=ceiling * (0.5 + (_JITTER.random() if jitter is None else jitter) / 2))
    if for_good or following >= before.give_up_at:
        give_up(agent, message_id, reason, detail)
        return
    delivery = change(
        agent, message_id, state="failed", reason=reason, detail=agent.mask(detail)[:200],
        attempts=before.attempts + 1, next_at=following, handed_to="",
    )  # fmt: skip
    if before.state != "failed" or before.reason != reason:
        record(agent, delivery, "failed", ok=False, reason_key=f"messages.reason_{reason}")


def give_up(agent: Agent, message_id: str, reason: str, detail: str = "", *, tried: bool = True) -> None:
    """It is not tried any more, and said so. `tried`: this was the end of one more try."""
    before = get(agent, message_id)
    delivery = change(
        agent, message_id, state="given_up", reason=reason, detail=agent.mask(detail)[:200], next_at=None,
        attempts=before.attempts + tried,
    )  # fmt: skip
    record(agent, delivery, "given_up", ok=False, reason_key=f"messages.reason_{reason}")


def due(agent: Agent, now: datetime) -> list[Delivery]:
    """What is to be tried now, urgent ones first. A pause longer than any tells of a clock that was set back."""
    longest = max(timedelta(seconds=agent.settings.senders.max_retry_seconds), LONGEST_LOOK)
    query = (
        select(MessageRow)
        .where(MessageRow.state.in_(OPEN), or_(MessageRow.next_at <= now, MessageRow.next_at > now + longest))
        .order_by(MessageRow.urgent.desc(), MessageRow.number)
        .limit(SHOWN)
    )
    with agent.inventory.sessions() as session:
        return [as_delivery(row) for row in session.scalars(query)]


def record(agent: Agent, delivery: Delivery, act: str, *, ok: bool = True, **details: Any) -> None:
    """On the incident's timeline, else in the record of every act. A disk that refuses it stops nothing."""
    facts = {
        "person": delivery.person, "channel": delivery.channel, "purpose": delivery.purpose,
        "about": delivery.subject, "message": delivery.id, **details,
    }  # fmt: skip
    if delivery.incident:
        Course(agent, delivery.incident, "cloche").record(f"messages.{act}", ok=ok, **facts)
        return
    try:
        agent.audit.append(f"messages.{act}", "cloche", ok=ok, **facts)
    except ClocheError as error:
        log.error("a message could not be put on record", message=delivery.id, error=describe(error))


def row_of(session: Session, message_id: str) -> MessageRow:
    """The row of a message; a beginning of the id that fits only one will do.

    Raises:
        UsageError: there is none.
    """
    query = select(MessageRow).where(MessageRow.id.startswith(message_id, autoescape=True)).limit(2)
    rows = list(session.scalars(query))
    if len(rows) != 1 or not message_id:
        raise UsageError(f"no message has the id {message_id!r}: see `cloche message list`")
    return rows[0]


def as_delivery(row: MessageRow) -> Delivery:
    """The record of a row."""
    return Delivery(
        id=row.id, person=row.person, channel=cast("Channel", row.channel), purpose=cast("Purpose", row.purpose),
        incident=row.incident, subject=row.subject, text=row.text, state=cast("State", row.state), reason=row.reason,
        detail=row.detail, attempts=row.attempts, made_at=row.made_at, next_at=row.next_at, give_up_at=row.give_up_at,
        sent_at=row.sent_at, delivered_at=row.delivered_at, receipt=row.receipt,
    )  # fmt: skip
