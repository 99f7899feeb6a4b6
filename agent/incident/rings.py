"""When people are reminded of a duty: moments that follow from its start and deadline alone, as data says.

The same start and deadline always give the same moments with the same names, so that each can be given exactly once,
whatever happened in between: a daemon that was down, a clock that went back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from config.packs import read_pack
from config.schema import Role

EARLIEST_SHARE: Final = 0.25
"""No reminder before a deadline comes earlier than this share of the whole time."""


class _Pack(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class After(_Pack):
    """So long after the deadline (or the start, where the clock counts up), to those of a level."""

    hours: float = Field(ge=0)
    level: int = Field(ge=0, le=2)


class Deadline(_Pack):
    """Moments of a duty with a deadline."""

    at_start: bool
    fractions: tuple[float, ...]
    before_hours: tuple[float, ...]
    after: tuple[After, ...]


class Repeat(_Pack):
    """After the last moment, again and again."""

    every_hours: float = Field(gt=0)
    times: int = Field(ge=0)
    level: int = Field(ge=0, le=2)


class Audience(_Pack):
    """Who is meant by the levels."""

    owners: tuple[Role, ...]
    level_1: tuple[Role, ...]
    level_2: tuple[Role, ...]


class Schedule(_Pack):
    """`config/data/plan/reminders.toml`."""

    deadline: Deadline
    counting_up: tuple[After, ...]
    repeat: Repeat
    roles: Audience


@cache
def load_schedule() -> Schedule:
    """The schedule that ships with Cloche."""
    return Schedule.model_validate(read_pack("plan", "reminders.toml"))


@dataclass(frozen=True, kw_only=True)
class Ring:
    """One reminder: a name that is stable, when (UTC), and for whom (0 owners, 1 and 2 up the line)."""

    id: str
    at: datetime
    level: int


def rings(start: datetime, deadline: datetime | None, schedule: Schedule) -> list[Ring]:
    """Every reminder of a duty, in order of time.

    Args:
        start: when its clock started, aware.
        deadline: None where it counts up.
        schedule: when and whom.
    """
    start = start.astimezone(UTC)
    found = {"start": Ring(id="start", at=start, level=0)} if deadline is None or schedule.deadline.at_start else {}
    if deadline is None:
        steps, base, last = schedule.counting_up, start, "up"
    else:
        steps, base, last = schedule.deadline.after, deadline.astimezone(UTC), "over"
        whole = base - start
        for share in schedule.deadline.fractions:
            found[f"part-{share:g}"] = Ring(id=f"part-{share:g}", at=start + whole * share, level=0)
        for hours in schedule.deadline.before_hours:
            at = base - timedelta(hours=hours)
            if at >= start + whole * EARLIEST_SHARE:
                found[f"before-{hours:g}h"] = Ring(id=f"before-{hours:g}h", at=at, level=0)
    furthest = 0.0
    for step in steps:
        name = f"{last}-{step.hours:g}h"
        if step.hours or deadline is not None:
            found[name] = Ring(id=name, at=base + timedelta(hours=step.hours), level=step.level)
        furthest = max(furthest, step.hours)
    for number in range(1, schedule.repeat.times + 1):
        hours = furthest + number * schedule.repeat.every_hours
        name = f"{last}-{hours:g}h"
        found[name] = Ring(id=name, at=base + timedelta(hours=hours), level=schedule.repeat.level)
    return sorted(found.values(), key=lambda ring: (ring.at, ring.level, ring.id))
