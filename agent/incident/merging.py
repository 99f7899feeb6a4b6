"""Two incidents that are one, and one that turns out to be two.

Merged: the one that stays takes over items, open orders and the *earliest* discovery, for a clock never gains time by
paperwork; the other ends, names its successor, and its timeline stays as it is. Split: the new one begins where the old
one was discovered, with the items named; each goes its own way from then on. Vaulted files stay under the key they
were sealed with; both find them by their items.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete

from agent.incident.course import Course
from agent.incident.levels import regrade
from agent.incident.models import IncidentItemRow
from agent.incident.moments import zone_of
from agent.incident.orders import cancel_all, issue_for_phase
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


def merge(agent: Agent, into_id: str, other_id: str, actor: str, reason: str) -> Incident:
    """Let one incident take another over; the one that stays.

    Raises:
        UsageError: no such incident, both are the same, one is ended, or no reason is given.
    """
    store = incidents(agent)
    into, other = store.get(into_id), store.get(other_id)
    if into.id == other.id:
        raise UsageError(agent.text("incident.merge_same", id=into.id))
    for incident in (into, other):
        _alive(agent, incident)
    if into.declared_at is None and other.declared_at is not None:
        raise UsageError(agent.text("incident.merge_other_way", into=other.id, other=into.id))
    _reason(agent, reason)
    known = {item.path for item in into.items}
    store.set_items(into.id, [item for item in other.items if item.path not in known])
    merged = store.get(into.id)
    occurred = [moment for moment in (into.occurred_at, other.occurred_at) if moment is not None]
    store.change(
        into.id, files=len(merged.items), persons=_together(merged, into.persons + other.persons),
        types=tuple(sorted({*into.types, *other.types})), counted_at=None,
        discovered_at=min(into.discovered_at, other.discovered_at), occurred_at=min(occurred, default=None),
    )  # fmt: skip
    head = agent.timelines.head(other.id)
    course = Course(agent, into.id, actor)
    course.record("merge", other=other.id, files=len(merged.items) - len(known), head=head.hash,
                  entries=head.seq, reason_given=agent.mask(reason))  # fmt: skip
    cancel_all(agent, other.id, actor, agent.text("orders.merged", id=into.id))
    store.change(other.id, phase="closed", closed_at=agent.now(), merged_into=into.id)
    Course(agent, other.id, actor).record("merged", into=into.id, reason_given=agent.mask(reason))
    return regrade(agent, into.id, actor)


def split(agent: Agent, incident_id: str, paths: tuple[bytes, ...], actor: str, reason: str) -> Incident:
    """Make a new incident of some items of another; the new one.

    Raises:
        UsageError: no such incident, it is ended, an item is none of its, or nothing or everything is named.
    """
    store = incidents(agent)
    old = store.get(incident_id)
    _alive(agent, old)
    _reason(agent, reason)
    moving = tuple(item for item in old.items if item.path in paths)
    unknown = set(paths) - {item.path for item in moving}
    if unknown:
        shown = agent.mask(os.fsdecode(min(unknown)))
        raise UsageError(agent.text("incident.split_unknown", path=shown, id=old.id))
    if not moving or len(moving) == len(old.items):
        raise UsageError(agent.text("incident.split_all", id=old.id))
    fresh = store.add(
        replace(
            old, id="", files=len(moving), persons=sum(item.persons for item in moving),
            types=tuple(sorted({kind for item in moving for kind in item.types})), counted_at=None, sensitive=None,
            virtual=None, level="", law_grade="", left_files=None, left_persons=None, left_seconds=None, items=(),
            steps=(),
        ),
        agent.now().astimezone(zone_of(agent.settings.store.timezone)),
    )  # fmt: skip
    store.set_items(fresh.id, moving)
    _take_items(agent, old.id, moving)
    stayed = store.get(old.id)
    store.change(
        old.id, files=len(stayed.items), persons=min(old.persons, sum(item.persons for item in stayed.items)),
        counted_at=None,
    )  # fmt: skip
    reason = agent.mask(reason)
    Course(agent, old.id, actor).record("split", other=fresh.id, files=len(moving), reason_given=reason)
    Course(agent, fresh.id, actor).record("split_from", other=old.id, files=len(moving), reason_given=reason)
    regrade(agent, old.id, actor)
    issue_for_phase(agent, fresh.id, fresh.phase, actor)
    return regrade(agent, fresh.id, actor)


def _take_items(agent: Agent, incident_id: str, moving: tuple[Affected, ...]) -> None:
    with agent.inventory.sessions.begin() as session:
        for item in moving:
            session.execute(
                delete(IncidentItemRow).where(
                    IncidentItemRow.incident == incident_id, IncidentItemRow.path == item.path
                )
            )


def _together(merged: Incident, total: int) -> int:
    """At most the sum of the two, at least the largest file."""
    counts = [item.persons for item in merged.items]
    return max(min(total, sum(counts)), max(counts, default=0))


def _alive(agent: Agent, incident: Incident) -> None:
    if incident.phase in ("closed", "dismissed"):
        raise UsageError(agent.text("incident.ended", id=incident.id))


def _reason(agent: Agent, reason: str) -> None:
    if not reason.strip():
        raise UsageError(agent.text("incident.reason_needed"))
