"""A vendor let in for some minutes: who, with which tool, why, by whose word; and the end of it, put on record.

A window opens nothing by itself: it says what is allowed, so that whoever finds a remote-control tool running knows if
it may. It ends at its time by itself, and what was noticed meanwhile is shown with it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.vendors.approval import approved_by, number_of, text_of
from agent.vendors.records import Window
from agent.vendors.store import vendors
from agent.vendors.view import window_document
from config.errors import RefusedError, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.operation import Answer, Request
    from agent.wiring import Agent

OPENERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "tech_support", "store_manager", "area_manager",
    "franchisee",
)  # fmt: skip
MINUTES: Final = 30
_WORDS: Final = re.compile(r"[a-z0-9]+|[\u4e00-\u9fff]+")


def allowed_now(agent: Agent, now: datetime | None = None, tool: str = "") -> tuple[Window, ...]:
    """The windows that are open; with `tool` only those that name it (`ToDesk 4.7` names `todesk`, not `desk`)."""
    now = now or agent.now()
    return tuple(window for window in vendors(agent).windows() if window.is_open(now) and names(window.tool, tool))


def names(said: str, tool: str) -> bool:
    """Whether what somebody said holds a tool's name: by whole Latin words, Chinese ones wherever they stand."""
    said = said.casefold()
    words = set(_WORDS.findall(said))
    return all(word in words or (not word.isascii() and word in said) for word in _WORDS.findall(tool.casefold()))


def let_in(agent: Agent, request: Request) -> Answer:
    """`vendor.let_in`. Arguments: `vendor`, `minutes`, `who`, `tool`, `reason`.

    Raises:
        RefusedError: the store manager's word is missing, or the vendor is in already.
        UsageError: too long, or something is not said.
    """
    from agent.operation import Answer

    request.may(*OPENERS)
    store, now = vendors(agent), agent.now()
    vendor = store.get(text_of(request, "vendor", needed=True))
    minutes = number_of(request, "minutes", MINUTES, agent.settings.vendors.most_minutes)
    # people of the vendor, no customers; masked all the same: a note may say whose order was looked at
    who, tool, reason = (agent.mask(text_of(request, name, needed=True)) for name in ("who", "tool", "reason"))
    for window in store.windows(vendor.id):
        if window.is_open(now):
            raise RefusedError(agent.text("vendor.in_already", vendor=vendor.name, until=_clock(agent, window.until)))
    facts = "\n".join((vendor.id, str(minutes), who, tool, reason, str(len(store.windows(vendor.id)))))
    digest = hashlib.sha256(facts.encode("utf-8")).hexdigest()
    about = agent.text(
        "vendor.about_let_in", vendor=vendor.name, minutes=minutes, who=who, tool=tool, reason=reason
    )  # fmt: skip
    approver = approved_by(agent, request, "let_in", f"let_in:{vendor.id}-{digest[:8]}", (digest, about))
    window = store.add_window(
        Window(
            id=0, vendor=vendor.id, who=who, tool=tool, reason=reason, begun_at=now,
            until=now + timedelta(minutes=minutes), opened_by=agent.mask(request.caller.user), approved_by=approver,
            ended_at=None, ended_by="",
        )
    )  # fmt: skip
    agent.audit.append(
        "vendor.let_in", request.caller.user, window=window.id, vendor=vendor.id, who=who, tool=tool, reason=reason,
        until=window.until.isoformat(), approved_by=approver,
    )  # fmt: skip
    document = {
        "schema": "cloche.vendor.window/1", "vendor": vendor.id, "vendor_name": vendor.name,
        **window_document(agent, window, now),
    }  # fmt: skip
    return Answer(document=document)


def let_out(agent: Agent, request: Request) -> Answer:
    """`vendor.let_out`: end a vendor's window before its time.

    Raises:
        UsageError: none is open.
    """
    from agent.operation import Answer

    request.may(*OPENERS)
    store, now = vendors(agent), agent.now()
    vendor = store.get(text_of(request, "vendor", needed=True))
    window = next((window for window in store.windows(vendor.id) if window.is_open(now)), None)
    if window is None:
        raise UsageError(agent.text("vendor.not_in", vendor=vendor.name))
    close_window(agent, window, now, request.caller.user)
    ended = next(found for found in store.windows(vendor.id) if found.id == window.id)
    document = {
        "schema": "cloche.vendor.window/1", "vendor": vendor.id, "vendor_name": vendor.name,
        **window_document(agent, ended, now),
    }  # fmt: skip
    return Answer(document=document)


def close_window(agent: Agent, window: Window, at: datetime, by: str) -> None:
    """Put an end on record, once."""
    if vendors(agent).end_window(window.id, at, agent.mask(by)):
        ended = next(found for found in vendors(agent).windows(window.vendor) if found.id == window.id)
        alerts = window_document(agent, ended, at)["alerts"]
        agent.audit.append(
            "vendor.let_out", by, window=window.id, vendor=window.vendor, at=at.isoformat(), alerts=len(alerts)
        )  # fmt: skip


def _clock(agent: Agent, moment: datetime) -> str:
    from agent.incident.moments import zone_of

    return moment.astimezone(zone_of(agent.settings.store.timezone)).strftime("%H:%M")
