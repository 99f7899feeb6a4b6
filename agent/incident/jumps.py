"""The wall clock against seconds that nobody can set: jumps are seen and recorded, and move no deadline.

A deadline is a wall time. If somebody sets the clock back, it would come later by as much: so each start of an incident
is anchored to the count of seconds as well, and what time it is for a deadline is the later of two readings, the
wall's and the count's (the earliest plausible reading of the deadline). A clock that was wrong and is corrected makes
both agree again. Limit: while the machine is off only the wall clock counts, and a clock that is set while nothing of
ours runs over a reboot shows only if it went back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import select

from agent.incident.course import Course
from agent.incident.duty_models import AnchorRow, MarkRow
from agent.incident.law import Start
from agent.incident.records import Incident
from agent.incident.store import incidents

if TYPE_CHECKING:
    from agent.wiring import Agent

JUMP_SECONDS: Final = 30.0
DRIFT: Final = 0.001
"""NTP slews at 500 parts in a million at most (adjtimex(2)); twice that is no jump."""
Anchored = Literal["discovered_at", "handling_ended_at"]
_ANCHOR_OF: Final[dict[Start, Anchored]] = {
    "discovered_at": "discovered_at", "learned_at": "discovered_at", "discovered_or_learned": "discovered_at",
    "handling_ended_at": "handling_ended_at",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a look at the clocks found. `pause`: time since the look before; `jump` None where the clocks agree."""

    pause: timedelta
    jump: timedelta | None


def observe(agent: Agent, now: datetime) -> Observed:
    """Compare both clocks with the last look, record a jump on every open timeline, anchor new starts."""
    beat = agent.steady()
    with agent.inventory.sessions.begin() as session:
        mark = session.get(MarkRow, 1)
        if mark is None:
            session.add(MarkRow(id=1, boot=beat.boot, seconds=beat.seconds, wall=now, total=0.0))
            observed, before = Observed(pause=timedelta(), jump=None), now
        else:
            before = mark.wall
            wall = (now - before).total_seconds()
            gone = beat.seconds - mark.seconds if beat.boot == mark.boot else max(wall, 0.0)
            off = wall - gone
            jumped = abs(off) > max(JUMP_SECONDS, DRIFT * gone)
            mark.total += max(gone, 0.0)
            mark.boot, mark.seconds, mark.wall = beat.boot, beat.seconds, now
            observed = Observed(
                pause=timedelta(seconds=max(gone, wall, 0.0)), jump=timedelta(seconds=off) if jumped else None
            )
    if observed.jump is not None:
        _record(agent, observed.jump, before, now)
    _anchor(agent, now)
    return observed


def judged(agent: Agent, incident: Incident, now: datetime) -> dict[Start, datetime]:
    """What time it is by the count of seconds, for each start that was anchored."""
    total = counted(agent, now)
    with agent.inventory.reading() as session:
        anchors = {
            row.start: row for row in session.scalars(select(AnchorRow).where(AnchorRow.incident == incident.id))
        }
    return {
        start: anchor.wall + timedelta(seconds=total - anchor.total)
        for start, name in _ANCHOR_OF.items()
        if (anchor := anchors.get(name)) is not None
    }


def counted(agent: Agent, now: datetime) -> float:
    """Seconds since the first look, by the count that nobody can set; 0 before it."""
    beat = agent.steady()
    with agent.inventory.reading() as session:
        mark = session.get(MarkRow, 1)
        if mark is None:
            return 0.0
        gone = beat.seconds - mark.seconds if beat.boot == mark.boot else (now - mark.wall).total_seconds()
        return mark.total + max(gone, 0.0)


def _anchor(agent: Agent, now: datetime) -> None:
    found = incidents(agent).all()
    with agent.inventory.sessions.begin() as session:
        mark = session.get_one(MarkRow, 1)
        known = {(row.incident, row.start) for row in session.scalars(select(AnchorRow))}
        for incident in found:
            starts: tuple[tuple[Anchored, datetime | None], ...] = (
                ("discovered_at", incident.discovered_at), ("handling_ended_at", incident.handling_ended_at),
            )  # fmt: skip
            for name, start in starts:
                if start is not None and (incident.id, name) not in known:
                    session.add(AnchorRow(incident=incident.id, start=name, wall=now, total=mark.total))


def _record(agent: Agent, jump: timedelta, before: datetime, now: datetime) -> None:
    details: dict[str, Any] = {
        "seconds": round(jump.total_seconds(), 1), "before": before.astimezone(UTC).isoformat(timespec="seconds"),
        "after": now.astimezone(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    touched = [incident for incident in incidents(agent).all() if incident.phase not in ("closed", "dismissed")]
    for incident in touched:
        way = "back" if jump < timedelta() else "forward"
        Course(agent, incident.id, "cloche").record(f"law.clock_{way}", **details)
    if not touched:
        agent.audit.append("law.clock_jumped", "cloche", **details)
