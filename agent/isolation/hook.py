"""What a declaration orders about the network by policy (`isolate.on_declare`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from agent.isolation.carrying import order
from agent.isolation.kept import all_kept, ended_by, links_told, offers
from agent.isolation.state import Isolation
from config.errors import ClocheError
from containment.connections import connections

if TYPE_CHECKING:
    from agent.incident.course import Course
    from agent.incident.records import Kind
    from agent.isolation.hand import Hand

KINDS: Final[frozenset[Kind]] = frozenset({"intrusion", "ransomware"})


def on_declaration(course: Course, hand: Hand | None = None) -> bool:
    """Isolate this machine if the settings say so and the incident is of such a kind; whether it did.

    A part of a declaration, recorded like the others: one that fails is named and stops nothing. The settings' lists
    go on, and by `isolate.keep_protected` the connections that the till's own programs have now.
    """
    agent, incident = course.agent, course.incident
    settings = agent.settings.isolate
    if not settings.on_declare or incident.kind not in KINDS:
        return False
    now, found = agent.now(), connections()
    until = now + timedelta(minutes=settings.minutes) if settings.minutes else None

    def change(known: Isolation | None) -> Isolation:
        base = known or Isolation(since=now, by=course.actor)
        if base.everything:
            return base
        kept = tuple(str(offer.entry) for offer in offers(agent, found)) if settings.keep_protected else ()
        return replace(
            base, everything=True, until=until, kept=kept, since=now, by=agent.mask(course.actor), incident=incident.id
        )

    try:
        done = order(agent, change, hand)
    except ClocheError as error:
        course.record("isolate.on", ok=False, kept=0, minutes=settings.minutes, reason=agent.mask(str(error)))
        return False
    kept = all_kept(agent, done.isolation.kept, found)
    course.record(
        "isolate.on", kept=len(kept), minutes=settings.minutes, unknown=list(done.unknown),
        ends=links_told(agent, ended_by(kept, found)),
    )  # fmt: skip
    return True
