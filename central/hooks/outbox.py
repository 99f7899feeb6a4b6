"""Deliveries: made with the mark of what they tell, claimed by one instance, tried until taken or three days old."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from central.hooks.news import Item
from central.models import NewsMark, Webhook, WebhookDelivery
from central.people.record import note_act

PAUSES: Final = (
    timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1),
    timedelta(hours=6),
)  # fmt: skip
"""After the first, second … failed try; the last one from then on."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
CLAIM: Final = timedelta(seconds=60)
KEPT: Final = timedelta(days=30)
AT_ONCE: Final = 40
OF_ONE: Final = 10
BASELINE: Final = "baseline"


@dataclass(frozen=True, kw_only=True)
class Try:
    """A delivery that this instance has claimed."""

    delivery_id: str
    webhook_id: str
    url: str
    secret: bytes = field(repr=False)
    document: dict[str, Any] = field(repr=False)
    made_at: datetime
    tries: int


def has_baseline(session: Session) -> bool:
    """Whether news was ever looked for: the first look marks what is there and tells nothing."""
    return session.get(NewsMark, (BASELINE, "")) is not None


def keep_news(session: Session, items: Sequence[Item], moment: datetime) -> int:
    """Mark items and make the deliveries that tell of them; how many deliveries."""
    first = not has_baseline(session)
    hooks = [] if first else list(session.scalars(select(Webhook).where(Webhook.paused_at.is_(None))))
    made = 0
    for item in items:
        mark = session.get(NewsMark, (item.kind, item.subject[:200]))
        if mark is not None and mark.state == item.state:
            continue  # another instance was faster
        if mark is None:
            mark = NewsMark(topic=item.kind, subject=item.subject[:200], state=item.state[:120], at=moment)
            session.add(mark)
        mark.state, mark.at = item.state[:120], moment
        for hook in hooks:
            if item.topic in hook.topics:
                session.add(make_delivery(hook.id, str(item.topic), item.data, moment))
                made += 1
    session.flush()
    return made


def set_baseline(session: Session, moment: datetime) -> None:
    """From now on what differs is news."""
    if not has_baseline(session):
        session.add(NewsMark(topic=BASELINE, subject="", state="", at=moment))
        session.flush()


def make_delivery(webhook_id: str, topic: str, data: dict[str, Any], moment: datetime) -> WebhookDelivery:
    """A piece of news for one address, due at once."""
    return WebhookDelivery(
        id=f"msg_{secrets.token_hex(12)}", webhook_id=webhook_id, topic=topic, made_at=moment, next_at=moment, tries=0,
        document={"type": topic, "timestamp": moment.isoformat(), "data": data}, outcome="",
    )  # fmt: skip


def claim(session: Session, moment: datetime) -> list[Try]:
    """Take due deliveries for this instance; an address that is down holds nobody else's up."""
    place = func.row_number().over(partition_by=WebhookDelivery.webhook_id, order_by=WebhookDelivery.next_at)
    due = (
        select(WebhookDelivery.id, WebhookDelivery.next_at, place.label("place"))
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(WebhookDelivery.next_at <= moment, Webhook.paused_at.is_(None))
        .subquery()
    )
    rows = session.execute(
        select(due.c.id, due.c.next_at).where(due.c.place <= OF_ONE).order_by(due.c.next_at).limit(AT_ONCE)
    ).all()
    mine: list[str] = []
    for identifier, next_at in rows:
        taken = session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == identifier, WebhookDelivery.next_at == next_at)
            .values(next_at=moment + CLAIM, tries=WebhookDelivery.tries + 1)
        )
        if taken.rowcount == 1:  # type: ignore[attr-defined]
            mine.append(identifier)
    found = session.execute(
        select(WebhookDelivery, Webhook)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(WebhookDelivery.id.in_(mine))
        .execution_options(populate_existing=True)
    )
    return [
        Try(
            delivery_id=row.id, webhook_id=hook.id, url=hook.url, secret=hook.secret, document=row.document,
            made_at=row.made_at, tries=row.tries,
        )
        for row, hook in found
    ]  # fmt: skip


def settle(session: Session, tried: Try, outcome: str, moment: datetime, *, taken: bool, gone: bool = False) -> None:
    """Write down how a try went: taken, to be tried again, given up; `gone` (410) pauses the webhook."""
    row = session.get(WebhookDelivery, tried.delivery_id)
    if row is None:
        return
    pause = PAUSES[min(tried.tries, len(PAUSES)) - 1]
    is_over = taken or gone or moment + pause - row.made_at > GIVEN_UP_AFTER
    row.outcome = outcome[:80]
    row.next_at = None if is_over else moment + pause
    if is_over and not taken:
        note_act(session, "cloche-hq", "hook.given_up", f"{row.id} {row.topic} to {tried.webhook_id}: {outcome}")
    hook = session.get(Webhook, tried.webhook_id)
    if gone and hook is not None and hook.paused_at is None:
        hook.paused_at = moment
        note_act(session, "cloche-hq", "hook.paused", f"{hook.id}: its address answered 410")
    session.flush()


def forget_old(session: Session, moment: datetime) -> None:
    """Deliveries that are over, after a month."""
    session.execute(
        delete(WebhookDelivery).where(WebhookDelivery.next_at.is_(None), WebhookDelivery.made_at < moment - KEPT)
    )
