"""Who did what: access events of the affected files, told by session, program and client.

An account and a terminal are what the kernel knows; which person sat there is for people to find out. Under `inotify`
nobody is named, and what is on NFS or was read before the watch began has no event at all: an empty trace does not
mean that nobody read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agent.watch.api import AccessEvent, Crossing

if TYPE_CHECKING:
    from agent.wiring import Agent

LOOK_BACK: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Deed:
    """What one session did with one program (from one client). Names are masked; times are Unix seconds.

    `files` counts distinct files that it was not refused, `persons` the estimate of who is in them, `refused` the
    refused accesses.
    """

    user: str
    session: str
    program: str
    command: str
    client: str
    first: float
    last: float
    files: int
    persons: int
    refused: int
    suspect: bool

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Left:
    """What suspects had read before they were stopped, and how long that took (s)."""

    files: int
    persons: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What is known of who touched the affected files: events in order of time, suspects' sessions and crossings."""

    events: tuple[AccessEvent, ...]
    crossings: tuple[Crossing, ...]
    suspects: frozenset[str]


def trace_of(agent: Agent, keys: Collection[str], since: datetime) -> Trace:
    """The trace of these item keys since a moment, from events.db and the alerts."""
    if not keys:
        return Trace(events=(), crossings=(), suspects=frozenset())
    wanted, start = set(keys), since.timestamp()
    crossings = tuple(
        crossing
        for crossing in agent.events.crossings(since=start)
        if not wanted.isdisjoint((crossing.event.key, *crossing.keys))
    )
    sessions = {crossing.event.session for crossing in crossings}
    sessions |= {alert.session for alert in agent.inventory.alerts() if not wanted.isdisjoint(alert.keys)}
    return Trace(
        events=tuple(agent.events.accesses(since=start, keys=sorted(wanted))), crossings=crossings,
        suspects=frozenset(sessions - {""}),
    )  # fmt: skip


def deeds(
    events: Iterable[AccessEvent],
    persons: Mapping[str, int],
    suspects: frozenset[str],
    mask: Callable[[str], str],
) -> list[Deed]:
    """Deeds, suspects first, then by persons.

    Args:
        events: of the affected files, any order.
        persons: estimate by item key.
        suspects: sessions that crossed a bound or touched a decoy.
        mask: program paths, command lines and client names count as text.
    """
    groups: dict[tuple[str, str, bytes, str, str], list[AccessEvent]] = {}
    for event in events:
        key = (event.user, event.session, event.program, event.client_address, event.client_user)
        groups.setdefault(key, []).append(event)
    found = []
    for (user, session, program, address, client_user), group in groups.items():
        got = {event.key for event in group if event.decision != "deny"}
        first = min(group, key=lambda event: event.at)
        found.append(
            Deed(
                user=mask(user or (str(first.uid) if first.uid >= 0 else "")), session=session,
                program=mask(os.fsdecode(program)), command=mask(os.fsdecode(first.command)),
                client=mask(" ".join(part for part in (client_user, address) if part)),
                first=first.at, last=max(event.at for event in group), files=len(got),
                persons=sum(persons.get(key, 0) for key in got),
                refused=sum(event.decision == "deny" for event in group),
                suspect=bool(session) and session in suspects,
            )
        )  # fmt: skip
    return sorted(found, key=lambda deed: (not deed.suspect, -deed.persons, -deed.files, deed.first))


def what_left(events: Sequence[AccessEvent], persons: Mapping[str, int], suspects: frozenset[str]) -> Left | None:
    """What suspects got; None where nobody is suspected, for then nobody knows."""
    got = [
        event
        for event in events
        if event.session and event.session in suspects and event.decision != "deny"
        and event.operation in ("open", "read")
    ]  # fmt: skip
    if not suspects or not events:
        return None
    keys = {event.key for event in got}
    times = [event.at for event in got]
    return Left(
        files=len(keys), persons=sum(persons.get(key, 0) for key in keys),
        seconds=max(times) - min(times) if times else 0.0,
    )  # fmt: skip
