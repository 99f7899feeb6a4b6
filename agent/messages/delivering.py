"""The round of messages: what is due goes to the link sealed, what came back is taken, what is too old is given up.

`tick` is one of the keeper's duties. It does each thing once: a letter has the message's id and the number of the try
as its name, and the link sends a name once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from agent.link.letters import LETTER, SENDERS, TOKENS
from agent.messages import queue
from agent.messages.batches import close_lost
from agent.messages.channels import address_of, channels_of
from agent.messages.codes import VALID, Secret, make_secret, open_codes
from agent.messages.inbox import receive
from agent.messages.models import MessageRow
from agent.messages.post import Recorded
from agent.messages.records import OPEN, Delivery
from agent.messages.settings import announce, revealed
from config.identity import key_id

if TYPE_CHECKING:
    from agent.wiring import Agent

ASK_STATUS: Final = timedelta(minutes=2)
MOST_RECORDED: Final = 10_000
MOST_TOKENS: Final = 1_000  # of 2.5 KB at most each, well within a letter
SILENCE: Final = timedelta(minutes=3)
STOP_ASKING: Final = timedelta(hours=24)


def tick(agent: Agent, now: datetime) -> None:
    """Take what came in, give up what is too old, hand over what is due.

    Raises:
        ClocheError: the disk refused it; the next tick tries again.
    """
    announce(agent)
    receive(agent)
    _sweep(agent)
    _meet_link(agent)
    for late in _too_late(agent, now):
        agent.post.take_back(_letter(late, late.handed))
        queue.give_up(agent, late.id, late.reason or "too_late", late.detail, tried=False)
    for due in queue.due(agent, now):
        hand_over(agent, due)
    _notice_silence(agent, now)
    _ask_status(agent, now)


def hand_over(agent: Agent, delivery: Delivery) -> None:
    """Seal one message for the link; without a link, an address or a channel it stays queued with the reason."""
    if delivery.channel == "none":
        delivery = _find_channel(agent, delivery)
        if delivery.channel == "none":
            return
    address = address_of(agent, delivery.person, delivery.channel)
    if agent.settings.senders.mode == "record":
        _record_only(agent, delivery, address)
        return
    if not address:
        queue.give_up(agent, delivery.id, "no_address", tried=False)
        return
    key = agent.post.link_key()
    if key is None:
        queue.change(agent, delivery.id, reason="no_link", next_at=agent.now() + queue.LOOK_AGAIN)
        if delivery.reason != "no_link":
            queue.record(agent, delivery, "waiting", ok=False, reason_key="messages.reason_no_link")
        return
    if agent.post.published != key_id(key):
        publish(agent, key)
    number = _row(agent, delivery.id).handed + 1
    agent.post.put(_letter(delivery, number), letter_of(agent, delivery, address)[0], key)
    reason = delivery.reason if delivery.state == "failed" else ""
    queue.change(
        agent, delivery.id, handed=number, handed_to=key_id(key), handed_at=agent.now(), next_at=None, reason=reason
    )
    if _row(agent, delivery.id).code_for:
        publish_tokens(agent, key)


def letter_of(agent: Agent, delivery: Delivery, address: str) -> tuple[dict[str, Any], Secret | None]:
    """What the link needs to send this, with a fresh code where one is asked for."""
    about = _row(agent, delivery.id).code_for
    secret = make_secret(agent, delivery, about) if about else None
    page = agent.settings.page
    link = f"{page.url}/{_kind(delivery)}/{secret.token}" if secret and page.listen and page.url else ""
    text = delivery.text
    if secret:
        text += "\n\n" + agent.text("messages.code_line", code=secret.code, hours=int(VALID.total_seconds() // 3600))
    if link:
        text += "\n" + agent.text("messages.link_line", link=link)
    letter: dict[str, Any] = {
        "id": delivery.id, "channel": delivery.channel, "to": address, "subject": delivery.subject, "text": text,
        "purpose": delivery.purpose, "use": "code" if secret else "staff",
        "parameters": {
            "subject": delivery.subject, "text": delivery.text, "code": secret.code.replace(" ", "") if secret else "",
            "store": agent.settings.store.name, "about": about,
        },
    }  # fmt: skip
    return letter, secret


def publish(agent: Agent, key: bytes) -> None:
    """Hand a link that started anew the senders and the open links."""
    agent.post.put(SENDERS, {"senders": revealed(agent.settings.senders)}, key)
    publish_tokens(agent, key)
    agent.post.published = key_id(key)


def publish_tokens(agent: Agent, key: bytes) -> None:
    """Tell the link which links of orders and approvals are open: digests, and the words to show."""
    tokens = [
        {
            "digest": row.token_digest.hex(), "kind": "ok" if row.purpose == "approval" else "a",
            "subject": row.subject, "text": row.text[:600], "expires": row.expires_at.isoformat(),
        }
        for row in open_codes(agent)
    ]  # fmt: skip
    agent.post.put(TOKENS, {"tokens": tokens[-MOST_TOKENS:]}, key)
    agent.post.tokens_stale = False


def _meet_link(agent: Agent) -> None:
    """A link that started anew has another key: what it has not sent is sealed once more."""
    key = agent.post.link_key()
    if key is None:
        return
    present = key_id(key)
    if agent.post.published != present:
        publish(agent, key)
    elif agent.post.tokens_stale:
        publish_tokens(agent, key)
    close_lost(agent, present)
    query = select(MessageRow).where(
        MessageRow.state.in_(OPEN), MessageRow.handed_to != "", MessageRow.handed_to != present
    )
    with agent.inventory.sessions.begin() as session:
        stranded = list(session.scalars(query))
        for row in stranded:
            agent.post.take_back(f"{row.id}.{row.handed}")
            row.handed_to, row.next_at = "", agent.now()


def _sweep(agent: Agent) -> None:
    """Once a start: take back letters whose message a crash had dealt with already, or the settings have no more."""
    if agent.post.swept:
        return
    agent.post.swept = True
    lying = [name for name in agent.post.letters() if LETTER.fullmatch(name)]
    with agent.inventory.sessions() as session:
        awaited = {
            f"{row.id}.{row.handed}" for row in session.scalars(select(MessageRow).where(MessageRow.handed_to != ""))
        }
    for name in lying:
        if name not in awaited:
            agent.post.take_back(name)


def _find_channel(agent: Agent, delivery: Delivery) -> Delivery:
    """Somebody who could not be reached may have got an address, or a sender may have been configured, meanwhile."""
    person = agent.people.named(delivery.person)
    row = _row(agent, delivery.id)
    channels = channels_of(agent, person, urgent=row.urgent, code=bool(row.code_for)) if person else []
    if channels:
        return queue.change(agent, delivery.id, channel=channels[0], reason="")
    reason = "no_channel" if person else "nobody"
    pause = min(max(agent.now() - delivery.made_at, queue.LOOK_AGAIN), queue.LONGEST_LOOK)
    return queue.change(agent, delivery.id, reason=reason, next_at=agent.now() + pause)


def _record_only(agent: Agent, delivery: Delivery, address: str) -> None:
    letter, secret = letter_of(agent, delivery, address)
    agent.post.recorded.append(
        Recorded(
            id=delivery.id, person=delivery.person, channel=delivery.channel, to=address, subject=delivery.subject,
            text=letter["text"], code=secret.code if secret else "",
        )
    )  # fmt: skip
    del agent.post.recorded[:-MOST_RECORDED]
    queue.accepted(agent, delivery.id, "recorded")


def _too_late(agent: Agent, now: datetime) -> list[MessageRow]:
    query = select(MessageRow).where(MessageRow.state.in_(OPEN), MessageRow.give_up_at <= now).limit(queue.SHOWN)
    with agent.inventory.sessions() as session:
        rows = list(session.scalars(query))
        session.expunge_all()
    return rows


def _notice_silence(agent: Agent, now: datetime) -> None:
    """A link that was killed leaves its key behind: what it does not answer for shows, so that somebody calls."""
    query = select(MessageRow.id).where(
        MessageRow.state.in_(OPEN), MessageRow.handed_to != "", MessageRow.handed_at < now - SILENCE,
        MessageRow.reason != "no_answer",
    )  # fmt: skip
    with agent.inventory.sessions() as session:
        silent = list(session.scalars(query.limit(queue.SHOWN)))
    for message_id in silent:
        delivery = queue.change(agent, message_id, reason="no_answer")
        queue.record(agent, delivery, "waiting", ok=False, reason_key="messages.reason_no_answer")


def _ask_status(agent: Agent, now: datetime) -> None:
    """Gateways accept and fail later: ask after what they took, for a day, where the settings say how."""
    key = agent.post.link_key()
    if key is None or not agent.settings.senders.sms_status_url.get_secret_value():
        return
    query = select(MessageRow).where(
        MessageRow.state == "sent", MessageRow.channel == "sms", MessageRow.receipt != "",
        MessageRow.sent_at > now - STOP_ASKING,
    )  # fmt: skip
    with agent.inventory.sessions() as session:
        rows = list(session.scalars(query.limit(queue.SHOWN)))
        session.expunge_all()
    lying = set(agent.post.letters())
    for row in rows:
        asked = row.next_at or (row.sent_at or now) + ASK_STATUS
        if asked > now or _letter(row, row.handed) in lying:
            continue
        number = row.handed + 1
        agent.post.put(f"{row.id}.{number}", {"id": row.id, "channel": "sms_status", "receipt": row.receipt}, key)
        queue.change(agent, row.id, handed=number, handed_to=key_id(key), next_at=now + ASK_STATUS)


def _letter(delivery: Delivery | MessageRow, number: int) -> str:
    return f"{delivery.id}.{number}"


def _kind(delivery: Delivery) -> str:
    return "ok" if delivery.purpose == "approval" else "a"


def _row(agent: Agent, message_id: str) -> MessageRow:
    with agent.inventory.sessions() as session:
        row = queue.row_of(session, message_id)
        session.expunge(row)
    return row
