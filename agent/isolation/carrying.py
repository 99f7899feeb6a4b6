"""Put an isolation up, take it down, and keep it as it was ordered.

Written before it is done: the order stands in the journal before the kernel hears of it, so a cut in between is made
good at the next look. Who reads it back asks the kernel, never the journal alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agent.incident.course import Course
from agent.isolation.hand import Hand, hand_of
from agent.isolation.kept import all_kept, link_accounts
from agent.isolation.state import Isolation, Isolations, boot_id
from config.errors import ClocheError
from containment.allowlist import parse_client
from containment.network import Cut, Rules, Seen

if TYPE_CHECKING:
    from agent.wiring import Agent

_TURN: Final = threading.Lock()
"""One order at a time in this process: two at once would each put up rules that know nothing of the other."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PutUp:
    """What was put up; `unknown` are names of the allow-list that nobody could look up."""

    isolation: Isolation
    unknown: tuple[str, ...] = ()


def order(agent: Agent, change: Callable[[Isolation | None], Isolation], hand: Hand | None = None) -> PutUp:
    """Change what is cut and let the kernel know.

    Args:
        agent: all parts.
        change: from what is ordered now (None: nothing) to what shall be.
        hand: puts the rules up; by default this home's.

    Raises:
        ClocheError: nothing changed in the kernel. What was ordered before stands.
    """
    with _TURN:
        isolations = Isolations(agent.journal)
        before = isolations.current()
        wanted = replace(change(before), boot=boot_id(), told=False)
        doer = hand or hand_of(agent.home)
        _write(lambda: isolations.order(wanted))
        try:
            unknown = doer.put_up(rules_for(agent, wanted))
        except ClocheError:
            if before is None:
                isolations.lifted()
            else:
                _write(lambda: isolations.order(before))
            raise
        return PutUp(isolation=wanted, unknown=unknown)


def lift(agent: Agent, clients: tuple[str, ...] = (), hand: Hand | None = None) -> Isolation | None:
    """End it all, or let these clients in again; what was ordered before, None where nothing was.

    Raises:
        ClocheError: the kernel was not reached: it stays as ordered.
    """
    with _TURN:
        isolations = Isolations(agent.journal)
        before = isolations.current()
        doer = hand or hand_of(agent.home)
        if clients and before is not None:
            left = {address: until for address, until in before.clients.items() if address not in clients}
            wanted = replace(before, clients=left)
            if wanted.cuts:
                doer.put_up(rules_for(agent, wanted))
                _write(lambda: isolations.order(wanted))
                return before
        doer.take_down()
        isolations.lifted()
        return before


def rules_for(agent: Agent, isolation: Isolation) -> Rules:
    """The rules that an order means now.

    Raises:
        UsageError: an entry of the settings is none.
    """
    now = agent.now()
    return Rules(
        everything=isolation.everything, seconds=_left(isolation.until, now),
        allowed=tuple(item.entry for item in all_kept(agent, isolation.kept)) if isolation.everything else (),
        clients=tuple(
            Cut(address=parse_client(address), seconds=_left(until, now))
            for address, until in isolation.clients.items()
        ),
        own_accounts=link_accounts(agent) if isolation.everything else (),
    )  # fmt: skip


def seen(agent: Agent, hand: Hand | None = None) -> Seen | None:
    """What the kernel cuts; None where it cannot be asked."""
    try:
        return (hand or hand_of(agent.home)).look()
    except ClocheError:
        return None


def look_after(agent: Agent, now: datetime, hand: Hand | None = None) -> None:
    """A duty of the keeper: what ran out is told and put away, and what was lost comes back or is told.

    Somebody who restarts another firewall (`nft flush ruleset`) takes our table with it; it is put up again. After a
    reboot it comes back only if the settings say so.

    Raises:
        ClocheError: the kernel could not be reached; tried again at the next look.
    """
    isolations = Isolations(agent.journal)
    isolation = isolations.current()
    if isolation is None:
        return
    left = isolation.without_ended(now)
    if left != isolation:
        _run_out(agent, isolation, left, hand)
        return
    if isolation.boot != boot_id():
        if agent.settings.isolate.after_reboot:
            order(agent, lambda found: found or isolation, hand)
            note(agent, isolation, "back", why="reboot")
        elif not isolation.told:
            _write(lambda: isolations.order(replace(isolation, told=True)))
            note(agent, isolation, "lost", ok=False, reason=agent.text("isolate.lost_reason"))
        return
    found = (hand or hand_of(agent.home)).look()
    wanted = rules_for(agent, isolation)
    if found.everything != wanted.everything or {cut.address for cut in found.clients} != {
        cut.address for cut in wanted.clients
    }:
        order(agent, lambda known: known or isolation, hand)
        note(agent, isolation, "back", why="flushed")


def _run_out(agent: Agent, before: Isolation, left: Isolation, hand: Hand | None) -> None:
    with _TURN:
        doer = hand or hand_of(agent.home)
        if left.cuts:
            doer.put_up(rules_for(agent, left))
            _write(lambda: Isolations(agent.journal).order(left))
        else:
            doer.take_down()
            Isolations(agent.journal).lifted()
    ended = sorted(before.clients.keys() - left.clients.keys())
    note(agent, before, "ended", everything=before.everything and not left.everything, clients=ended)


def note(
    agent: Agent, isolation: Isolation, act: str, *, actor: str = "cloche", ok: bool = True, **details: Any
) -> None:
    """On the timeline of the incident that it was ordered for, and in the record of every act."""
    if isolation.incident:
        Course(agent, isolation.incident, actor).record(f"isolate.{act}", ok=ok, **details)
    else:
        agent.audit.append(f"isolate.{act}", agent.mask(actor), ok=ok, **details)


def _left(until: datetime | None, now: datetime) -> int | None:
    return None if until is None else max(int((until - now).total_seconds()), 1)


def _write(step: Callable[[], T]) -> T:
    try:
        return step()
    except OSError as error:
        raise ClocheError(f"the journal cannot be written, nothing was isolated: {error.strerror}") from error
