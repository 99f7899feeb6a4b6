"""Keeper: remind people of what is due, go up the line when it is over, and watch the clock itself.

Each reminder is given once for ever and none is left out: what came due while nothing ran is given late and says so.
What is due at the same look goes out as one message for each circle of people, and a duty that goes up the line as
one to the wider circle alone. A reminder is put down after it was
queued: cut off between the two it would be given twice, never not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from agent.incident.clocks import Clock
from agent.incident.course import Course
from agent.incident.duties import drafts_of, known_clocks
from agent.incident.duty_models import DemandRow, RingRow
from agent.incident.entities import concerned, office_of
from agent.incident.jumps import observe
from agent.incident.records import Incident
from agent.incident.rings import Ring, load_schedule, rings
from agent.incident.store import incidents
from agent.incident.view import wording_of
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("law")
_LOOKING: Final = threading.Lock()
"""Two looks at once would give a reminder twice."""
LATE: Final = timedelta(minutes=10)
AFTERCARE: Final = timedelta(days=60)
"""Longer than the summary after 30 days with all its reminders."""


@dataclass(frozen=True, kw_only=True)
class Due:
    """A reminder that is to be given now."""

    clock: Clock
    ring: Ring
    late: bool


def keep_clocks(agent: Agent, now: datetime) -> None:
    """Look at the clock, then give what is due; an incident that fails keeps no other from its reminders."""
    with _LOOKING:
        _look(agent, now)


def _look(agent: Agent, now: datetime) -> None:
    observed = observe(agent, now)
    ordered = demanded(agent)
    for row in incidents(agent).all():
        if row.phase == "dismissed" or row.merged_into or (row.id not in ordered and is_long_over(row, now)):
            continue
        try:
            remind(agent, incidents(agent).get(row.id), now, slept=observed.pause > LATE)
        except ClocheError as error:
            log.warning("reminders could not be given", incident=row.id, why=agent.mask(describe(error)))


def is_long_over(incident: Incident, now: datetime) -> bool:
    """Closed, and every deadline that the end of handling starts has long gone by."""
    ended = incident.handling_ended_at or incident.closed_at
    return incident.phase == "closed" and ended is not None and now - ended > AFTERCARE


def demanded(agent: Agent) -> set[str]:
    """Incidents about which an authority ordered something: its date may lie far ahead."""
    with agent.inventory.reading() as session:
        return set(session.scalars(select(DemandRow.incident)))


def remind(agent: Agent, incident: Incident, now: datetime, *, slept: bool = False) -> list[Due]:
    """Give what is due of one incident and was not given yet; what was given.

    Args:
        agent: all parts.
        incident: with its items and steps.
        now: aware.
        slept: nothing ran for a while before, so what came due meanwhile is late.

    Raises:
        ClocheError: nothing could be queued; it is tried again at the next look.
    """
    given = rings_given(agent, incident.id)
    found: list[Due] = []
    for clock in known_clocks(agent, incident, now):
        if clock.state not in ("running", "overdue") or clock.start is None:
            continue
        if incident.phase == "closed" and clock.deadline is None:
            continue
        reading = clock.start + clock.elapsed
        found += [
            Due(clock=clock, ring=ring, late=slept and reading - max(ring.at, incident.learned_at) > LATE)
            for ring in rings(clock.start, clock.deadline, load_schedule())
            if ring.at <= reading and (clock.key, ring.id) not in given
        ]
    level_of = {due.clock.key: 0 for due in found}
    for due in found:
        level_of[due.clock.key] = max(level_of[due.clock.key], due.ring.level)
    for level in sorted(set(level_of.values())):
        _give(agent, incident, level, [due for due in found if level_of[due.clock.key] == level], now)
    return found


def rings_given(agent: Agent, incident_id: str) -> set[tuple[str, str]]:
    """Reminders of an incident that were given: duty and name."""
    with agent.inventory.reading() as session:
        rows = session.scalars(select(RingRow).where(RingRow.incident == incident_id))
        return {(row.duty, row.ring) for row in rows}


def _give(agent: Agent, incident: Incident, level: int, due: Sequence[Due], now: datetime) -> None:
    from agent.messages import tell

    text = agent.text
    late = any(entry.late for entry in due)
    subject = text(
        "law.escalate_subject" if level else "law.remind_subject", store=agent.settings.store.name, id=incident.id
    )
    told = tell(
        agent, audience(agent, [entry.clock for entry in due], level), subject, message(agent, incident, due),
        purpose="escalation" if level else "reminder", incident=incident.id, urgent=level > 0,
    )  # fmt: skip
    with agent.inventory.sessions.begin() as session:
        for entry in due:
            session.add(
                RingRow(
                    incident=incident.id, duty=entry.clock.key, ring=entry.ring.id, level=entry.ring.level,
                    due_at=entry.ring.at, sent_at=now, late=entry.late, told=len(told),
                )
            )  # fmt: skip
    Course(agent, incident.id, "cloche").record(
        "law.reminded_late" if late else "law.reminded", rung=level, told=len(told),
        duties=list(dict.fromkeys(entry.clock.key for entry in due)),
        rings=[f"{entry.clock.key}:{entry.ring.id}" for entry in due],
    )  # fmt: skip


def message(agent: Agent, incident: Incident, due: Sequence[Due]) -> str:
    """What people read: each duty once, as it stands now, the most urgent first."""
    text, wording = agent.text, wording_of(agent)
    drafts = drafts_of(agent, incident.id)
    ones = concerned(agent, incident)
    lines = [
        text(
            "law.remind_intro", id=incident.id, kind=text(f"incident.kind_{incident.kind}"),
            discovered=wording.with_offset(incident.discovered_at),
        )
    ]  # fmt: skip
    for clock in {entry.clock.key: entry.clock for entry in due}.values():
        missing = max((drafts[clock.key, one.key].missing for one in ones if (clock.key, one.key) in drafts), default=0)
        to = dict.fromkeys(office_of(clock.duty, one.entity)[text.language] for one in ones)
        lines.append(
            text(
                "law.remind_line", title=clock.duty.title[text.language], to=text("reports.comma").join(to),
                clock=wording.clock(clock),
                due=(text("law.remind_due", time=wording.with_offset(clock.deadline)) if clock.deadline else "")
                + (text("law.remind_missing", count=missing) if missing else ""),
                flag="" if clock.verified else text("law.flag"),
            )
        )  # fmt: skip
    if any(entry.late for entry in due):
        lines.append(text("law.remind_late"))
    lines += [text("law.remind_next", id=incident.id), text("reports.assists")]
    return "\n".join(lines)


def audience(agent: Agent, clocks: Sequence[Clock], level: int) -> list[str]:
    """Names of whom a level means; roles that nobody holds stay roles, so that it shows that nobody was told."""
    circle = load_schedule().roles
    roles = dict.fromkeys(role for clock in clocks for role in (clock.duty.owners or circle.owners))
    people = agent.people.holding(roles)
    names = dict.fromkeys(person.name for person in people)
    if level or not people:
        for person in people:
            substitute = agent.people.substitute_of(person)
            if substitute is not None:
                names.setdefault(substitute.name)
        names.update(dict.fromkeys(person.name for person in agent.people.holding(circle.level_1)))
    if level > 1 or not names:
        names.update(dict.fromkeys(person.name for person in agent.people.holding(circle.level_2)))
    return list(names) or list(roles)
