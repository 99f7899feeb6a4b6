"""Tell people something: by whatever channels each has.

What is queued here is handed to the link at once where one runs, else at the next tick. Nobody to tell and no way to
reach somebody are messages too, in state `queued` with the reason, so that it shows and can be escalated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, get_args

from sqlalchemy import select

from agent.messages import queue
from agent.messages.channels import channels_of, robots_for
from agent.messages.delivering import hand_over
from agent.messages.models import MessageRow
from agent.messages.records import Channel, Message
from config.messaging import Purpose
from config.schema import Person, Role

if TYPE_CHECKING:
    from agent.wiring import Agent

ROLES: Final[frozenset[str]] = frozenset(get_args(Role))


def send(agent: Agent, message: Message) -> str:
    """Queue one message, and hand it to the link if one runs; its id.

    Raises:
        ClocheError: the disk refused it.
    """
    message_id = queue.add(agent, message)
    if message.channel != "none":
        hand_over(agent, queue.get(agent, message_id))
    return message_id


def tell(  # noqa: PLR0913  the contract between the rooms; all but three by name
    agent: Agent,
    who: Iterable[str],
    subject: str,
    text: str,
    *,
    purpose: Purpose,
    incident: str | None = None,
    urgent: bool = False,
) -> tuple[str, ...]:
    """Tell roles and people (by name), each person once, and the groups whose robots hear of this purpose.

    Args:
        agent: all parts.
        who: identifiers of roles and names of people.
        subject: masked by the caller, in the store's language.
        text: likewise.
        purpose: what kind of message it is.
        incident: whose timeline it stands on.
        urgent: also by SMS to whoever has mail.

    Returns:
        ids of the messages; never empty: a role that nobody holds is a message too, with the reason `nobody`.

    Raises:
        ClocheError: the disk refused it.
    """
    people, unknown = _resolve(agent, who)
    common = {"subject": subject, "text": text, "purpose": purpose, "incident": incident, "urgent": urgent}
    wanted: list[tuple[str, Channel]] = []
    for person in people:
        wanted += [(person.name, channel) for channel in channels_of(agent, person, urgent=urgent) or ["none"]]
    wanted += [(name, "none") for name in unknown]
    if agent.settings.senders.mode == "send":
        wanted += [(robot.name, "robot") for robot in robots_for(agent, purpose)]
    return tuple(send(agent, Message(person=name, channel=channel, **common)) for name, channel in wanted)  # type: ignore[arg-type]


def tell_with_code(  # noqa: PLR0913  likewise
    agent: Agent, person: Person, subject: str, text: str, *, purpose: Purpose, about: str, incident: str | None = None
) -> str:
    """Tell one person, with a one-time code and, where the page is on, a link; the word comes back as an `Answer`.

    Asked again with the same words while the first is still open, nothing is sent a second time.

    Args:
        agent: all parts.
        person: whom, and nobody else: codes never go to a group.
        subject: masked by the caller.
        text: likewise.
        purpose: `approval` comes back as an approval, everything else as an acknowledgement.
        about: the subject that the answer is about, such as `notice:I20261126-bkrt`. Name the version in it where
            the code must not count for a later one.
        incident: whose timeline it stands on.

    Returns:
        id of the (first) message.

    Raises:
        ClocheError: the disk refused it.
    """
    known = _asked_already(agent, person.name, about, queue.masked(agent, subject), queue.masked(agent, text))
    if known is not None:
        return known
    channels = channels_of(agent, person, urgent=True, code=True) or ["none"]
    ids = [
        send(
            agent,
            Message(
                person=person.name, channel=channel, subject=subject, text=text, purpose=purpose, incident=incident,
                urgent=True, code_for=about,
            ),
        )
        for channel in channels
    ]  # fmt: skip
    return ids[0]


def _resolve(agent: Agent, who: Iterable[str]) -> tuple[list[Person], list[str]]:
    """People in order, each once; and what is neither a role that somebody holds nor a name."""
    found: dict[str, Person] = {}
    unknown: list[str] = []
    for name in dict.fromkeys(who):
        person = agent.people.named(name)
        holders = [person] if person else agent.people.holding([name]) if name in ROLES else []  # type: ignore[list-item]
        if not holders:
            unknown.append(name)
        for holder in holders:
            found.setdefault(holder.name, holder)
    return list(found.values()), unknown


def _asked_already(agent: Agent, person: str, about: str, subject: str, text: str) -> str | None:
    query = (
        select(MessageRow.id)
        .where(
            MessageRow.person == person, MessageRow.code_for == about,
            MessageRow.subject == subject[: queue.LONGEST_SUBJECT], MessageRow.text == text[: queue.LONGEST_TEXT],
            MessageRow.state.in_(("queued", "failed", "sent")), MessageRow.give_up_at > agent.now(),
        )
        .order_by(MessageRow.number)
        .limit(1)
    )  # fmt: skip
    with agent.inventory.sessions() as session:
        return session.scalars(query).first()
