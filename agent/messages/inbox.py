"""What the link brings: receipts, words by links, forms of the page. All of it hostile.

A file is at most 32 KiB, 500 of them are read in one go, each is strict JSON of a known form with a name that fits it.
Everything else is removed and counted; the count goes on record. A hijacked link can lie about receipts and withhold
forms; it can make no word of a person, for that takes a token or a code that it was given.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from agent.link.letters import MAX_NEWS, MOST_NEWS, NEWS, strict
from agent.messages import queue
from agent.messages.codes import is_known, redeem_token
from agent.messages.records import Answer
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

HANDLERS: Final[dict[str, str]] = {
    "report": "agent.messages.reports:take_report",
    "receipts": "agent.notice.sending:take_receipts",
    "ack": "agent.incident.orders:answered",
    "ack:drill": "agent.drill.asking:answered",
    "approval": "agent.approvals:answered",
}
"""`module:function` by an answer's purpose: `handler(agent, answer)`. An explicit list, imported when first needed.

`purpose:kind` goes before `purpose` for subjects that begin with `kind:`.
"""

RECEIPT: Final = {"schema": str, "id": str, "outcome": str, "reason": str, "detail": str, "receipt": str}
FORM: Final = {
    "schema": str, "receipt": str, "at": str, "kind": str, "when": str, "place": str, "what": str, "name": str,
    "contact": str,
}  # fmt: skip
WORD: Final = {"schema": str, "token": str, "at": str}
REASONS: Final = frozenset({
    "timeout", "unreachable", "tls", "login", "recipient", "bad_answer", "refused", "busy", "not_configured",
    "redirected", "not_delivered", "too_large",
})  # fmt: skip
FOR_GOOD: Final = frozenset({"recipient", "too_large"})

TELL_REFUSED: Final = 600.0

log = get_logger("messages")


def receive(agent: Agent) -> int:
    """Take everything that came in; how much of it was understood.

    Raises:
        ClocheError: the disk refused to keep it; it is still there for the next time.
    """
    taken = refused = 0
    for name in agent.post.news(MOST_NEWS):
        content = agent.post.read(name, MAX_NEWS) if NEWS.fullmatch(name) else None
        understood = content is not None and _take(agent, name, content)
        agent.post.drop(name)
        taken += understood
        refused += not understood
    if refused:
        agent.post.refused += refused
        _tell_refused(agent)
    return taken


def _tell_refused(agent: Agent) -> None:
    """On record, but not more often than every ten minutes: whoever makes files up must not fill the record."""
    seconds = agent.steady().seconds
    if agent.post.refused_told is None or seconds - agent.post.refused_told >= TELL_REFUSED:
        agent.post.refused_told = seconds
        agent.audit.append("messages.refused", "cloche", ok=False, files=agent.post.refused)


def _too_many_forms(agent: Agent) -> bool:
    """The link counts forms; a hijacked one would not, so they are counted here as well."""
    seconds = agent.steady().seconds
    agent.post.forms[:] = [at for at in agent.post.forms if 0 <= seconds - at < 3600]
    if len(agent.post.forms) >= agent.settings.page.per_hour:
        return True
    agent.post.forms.append(seconds)
    return False


def dispatch(agent: Agent, answer: Answer) -> bool:
    """Hand an answer to its room. A room that fails is logged; the answer is on record all the same."""
    agent.audit.append(
        "messages.answered", agent.mask(answer.person) or answer.how, purpose=answer.purpose, about=answer.about,
        how=answer.how, receipt=answer.receipt,
    )  # fmt: skip
    kind = f"{answer.purpose}:{answer.about.partition(':')[0]}"
    place = HANDLERS.get(kind) or HANDLERS.get(answer.purpose)
    if place is None:
        log.warning("nobody takes such an answer", purpose=answer.purpose)
        return False
    module, _, function = place.partition(":")
    try:
        handler: Callable[[Agent, Answer], object] = getattr(importlib.import_module(module), function)
        handler(agent, answer)
    except ClocheError as error:
        log.warning("an answer was not taken", purpose=answer.purpose, why=agent.mask(str(error)))
        return False
    except Exception as error:  # noqa: BLE001  one bad answer must not keep the others out
        log.error("an answer was not taken", purpose=answer.purpose, error=describe(error))
        return False
    return True


def _take(agent: Agent, name: str, content: bytes) -> bool:
    if name.startswith("R"):
        return _take_word(agent, content) or _take_form(agent, name, content)
    if name.startswith("M"):
        return _take_receipt(agent, name, content)
    from agent.messages.batches import take_progress

    return take_progress(agent, name, content)


def _take_receipt(agent: Agent, name: str, content: bytes) -> bool:
    """One try of one message. A try that is not the newest, or of a message that is dealt with, changes nothing."""
    facts = strict(content, RECEIPT)
    if facts is None or facts["schema"] != "cloche.receipt/1" or not name.startswith(f"{facts['id']}."):
        return False
    agent.post.take_back(name.removesuffix(".json"))
    try:
        delivery, handed = queue.handed(agent, facts["id"])
    except ClocheError:
        return False
    if name != f"{delivery.id}.{handed}.json":
        return False
    outcome, reason = facts["outcome"], facts["reason"] if facts["reason"] in REASONS else "bad_answer"
    detail = "".join(letter for letter in facts["detail"][:200] if letter.isprintable())
    receipt = facts["receipt"] if re.fullmatch(r"[A-Za-z0-9_.:@<>-]{0,120}", facts["receipt"]) else ""
    is_open = delivery.state in ("queued", "failed")
    if outcome == "accepted" and is_open:
        queue.accepted(agent, delivery.id, receipt)
    elif outcome == "delivered" and delivery.state in ("queued", "failed", "sent"):
        queue.delivered(agent, delivery.id)
    elif outcome == "failed" and (is_open or (delivery.state == "sent" and reason == "not_delivered")):
        queue.failed(agent, delivery.id, reason, detail, for_good=reason in FOR_GOOD)
    return outcome in ("accepted", "delivered", "failed", "pending")


def _take_word(agent: Agent, content: bytes) -> bool:
    facts = strict(content, WORD)
    if facts is None or facts["schema"] != "cloche.word/1" or not re.fullmatch(r"[\w-]{22}", facts["token"]):
        return False
    answer = redeem_token(agent, facts["token"])
    if answer is None:
        return is_known(agent, facts["token"])
    queue.delivered(agent, answer.receipt)
    dispatch(agent, answer)
    return True


def _take_form(agent: Agent, name: str, content: bytes) -> bool:
    facts = strict(content, FORM)
    if facts is None or facts["schema"] != "cloche.form/1" or name != f"{facts['receipt']}.json":
        return False
    if _too_many_forms(agent):
        return False
    fields: dict[str, Any] = {key: facts[key] for key in ("kind", "when", "place", "what", "name", "contact")}
    at = _time(facts["at"], agent.now())
    return dispatch(
        agent, Answer(purpose="report", about="", person="", how="page", at=at, receipt=facts["receipt"], fields=fields)
    )


def _time(text: str, now: datetime) -> datetime:
    """When the link says that it came in, as far as that can be; else now."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now
    if moment.tzinfo is None or moment > now or moment.year < 2000:
        return now
    return moment
