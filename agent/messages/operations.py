"""`message.list|show|test` and `page.link`: what was sent to whom, how far it got, and whether a way works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from agent.messages import queue
from agent.messages.channels import channels_of
from agent.messages.delivering import tick
from agent.messages.records import STATES, Channel, Delivery, Message
from agent.messages.sending import send
from agent.operation import Answer, Request
from config.errors import ExitCode, RefusedError, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

READERS: Final[tuple[Role, ...]] = get_args(Role)
TESTERS: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "security_member", "tech_support")
MOST: Final = 500


def list_messages(agent: Agent, request: Request) -> Answer:
    """`cloche.messages/1`: newest first, their words left out. Exit 3 where something was given up.

    Arguments, all optional: `incident`, `state`, `person`.

    Raises:
        UsageError: a state that is none.
        RefusedError: the caller has no role.
    """
    request.may(*READERS)
    state = _text(request, "state")
    if state and state not in STATES:
        raise UsageError(f"--state: {state!r} is none of {', '.join(STATES)}")
    tick(agent, agent.now())
    found = queue.deliveries(
        agent, _text(request, "incident") or None, states=tuple(one for one in STATES if one == state),
        person=_text(request, "person"), most=MOST,
    )  # fmt: skip
    document = {
        "schema": "cloche.messages/1", "messages": [document_of(agent, one, words=False) for one in found],
        "refused": agent.post.refused, "link": bool(agent.post.link_key()),
    }  # fmt: skip
    lost = any(one.state == "given_up" for one in found)
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if lost else ExitCode.DONE)


def show_message(agent: Agent, request: Request) -> Answer:
    """`cloche.message/1`: one message with its words, which were masked when it was written.

    Raises:
        UsageError: there is none of this id.
        RefusedError: the caller has no role.
    """
    request.may(*READERS)
    tick(agent, agent.now())
    delivery = queue.get(agent, _text(request, "id"))
    return Answer(document={"schema": "cloche.message/1", **document_of(agent, delivery, words=True)})


def send_test(agent: Agent, request: Request) -> Answer:
    """Send a test to one person by every channel they have, or to one robot: `cloche.messages/1`.

    Raises:
        UsageError: nobody of this name.
        RefusedError: the caller may not, or there is no way to reach them.
    """
    request.may(*TESTERS)
    name = _text(request, "to")
    person = agent.people.named(name)
    robots = [robot.name for robot in agent.settings.senders.robots if robot.name == name]
    if person is None and not robots:
        raise UsageError(agent.text("messages.unknown_person", name=name))
    channels: list[Channel] = channels_of(agent, person, urgent=True) if person else ["robot"]
    if not channels:
        raise RefusedError(agent.text("messages.test_no_channel", name=name))
    subject = agent.text("messages.test_subject", store=agent.settings.store.name)
    words = agent.text("messages.test_text", by=request.caller.user)
    ids = [
        send(agent, Message(person=name, channel=channel, subject=subject, text=words, purpose="test", urgent=True))
        for channel in channels
    ]
    return Answer(
        document={
            "schema": "cloche.messages/1", "refused": agent.post.refused, "link": bool(agent.post.link_key()),
            "messages": [document_of(agent, queue.get(agent, one), words=True) for one in ids],
        }
    )  # fmt: skip


def page_link(agent: Agent, request: Request) -> Answer:
    """Where the page is: `cloche.page.link/1`.

    Raises:
        UsageError: the settings name no address.
        RefusedError: the caller has no role.
    """
    request.may(*READERS)
    page = agent.settings.page
    if not page.url:
        raise UsageError(agent.text("messages.page_no_url"))
    return Answer(
        document={
            "schema": "cloche.page.link/1", "url": f"{page.url}/", "listens": page.listen,
            "store": agent.settings.store.name,
        }
    )  # fmt: skip


def document_of(agent: Agent, delivery: Delivery, *, words: bool) -> dict[str, Any]:
    """As JSON. No address is in it: the settings have them."""
    why = agent.text(f"messages.reason_{delivery.reason}") if delivery.reason else ""
    document: dict[str, Any] = {
        "id": delivery.id, "person": delivery.person, "channel": delivery.channel, "purpose": delivery.purpose,
        "incident": delivery.incident, "subject": delivery.subject, "state": delivery.state,
        "reason": delivery.reason, "why": why, "detail": delivery.detail, "attempts": delivery.attempts,
        "made_at": delivery.made_at.isoformat(), "next_at": _moment(delivery.next_at),
        "give_up_at": delivery.give_up_at.isoformat(), "sent_at": _moment(delivery.sent_at),
        "delivered_at": _moment(delivery.delivered_at), "receipt": agent.mask(delivery.receipt),
    }  # fmt: skip
    return document | {"text": delivery.text} if words else document


def _moment(moment: Any) -> str | None:
    return moment.isoformat() if moment else None


def _text(request: Request, name: str) -> str:
    value = request.arguments.get(name) or ""
    if not isinstance(value, str):
        raise UsageError(f"{name}: must be text")
    return value
