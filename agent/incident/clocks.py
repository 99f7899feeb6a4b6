"""Clocks of an incident: what is due, to whom, by when, and what only counts up.

The 4 h and 72 h clocks run from *discovery*, never from the declaration; the plan's 48 h and the 30 days from the end
of handling. PIPL art. 57 names no hours: its clock counts up. A duty below its threshold is still shown, and never as
"no report needed": PIPL 57 has no threshold. A wall clock that is set back shows no negative time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

from agent.incident.law import Duty, Regime, load_regimes
from agent.incident.records import Incident
from config.text import Language

ClockState = Literal["waiting", "running", "overdue", "below_threshold", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One duty of one incident at one moment.

    `waiting`: its start has not come. `below_threshold`: the persons known so far do not reach its grade.
    `stopped`: the incident was dismissed. `deadline` None: it counts up.
    """

    regime: Regime
    duty: Duty
    state: ClockState
    start: datetime | None
    deadline: datetime | None
    elapsed: timedelta
    remaining: timedelta | None

    @property
    def key(self) -> str:
        """`<regime>/<duty>`, stable."""
        return f"{self.regime.id}/{self.duty.id}"

    @property
    def verified(self) -> bool:
        """Deadline, threshold and contents were all seen in a source."""
        return self.duty.verified and self.duty.contents_verified

    def document(self, language: Language, zone: tzinfo) -> dict[str, Any]:
        """As JSON; durations in seconds, times in `zone`."""
        return {
            "key": self.key, "regime": self.regime.name[language], "title": self.duty.title[language],
            "authority": self.duty.authority[language], "channel": self.duty.channel[language],
            "note": self.duty.note[language] if self.duty.note else "",
            "contents": [words[language] for words in self.duty.contents],
            "state": self.state, "counts_up": self.duty.hours is None,
            "start": iso(self.start, zone), "deadline": iso(self.deadline, zone),
            "elapsed_seconds": int(self.elapsed.total_seconds()),
            "remaining_seconds": None if self.remaining is None else int(self.remaining.total_seconds()),
            "verified": self.verified, "source": self.regime.source, "date": self.regime.date,
        }  # fmt: skip


def iso(moment: datetime | None, zone: tzinfo) -> str | None:
    """ISO 8601 in a zone, to the second."""
    return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")


def clocks(
    incident: Incident,
    now: datetime,
    regimes: Sequence[Regime] | None = None,
    listed: Iterable[str] = (),
) -> list[Clock]:
    """All clocks of an incident, the most urgent first.

    Args:
        incident: as stored.
        now: aware.
        regimes: default: those that ship with Cloche.
        listed: regimes or duties (`<regime>` or `<regime>/<duty>`) that the settings add.
    """
    chosen = set(listed)
    found = [
        clock_of(incident, now, regime, duty)
        for regime in (load_regimes() if regimes is None else regimes)
        for duty in regime.duties
        if (duty.applies == "always" or chosen & {regime.id, f"{regime.id}/{duty.id}"})
    ]
    rank = {"overdue": 0, "running": 1, "waiting": 2, "below_threshold": 3, "stopped": 4}
    return sorted(
        found,
        key=lambda clock: (
            rank[clock.state],
            clock.deadline is None,
            clock.deadline or now,
            not clock.verified,
            clock.key,
        ),
    )


def clock_of(incident: Incident, now: datetime, regime: Regime, duty: Duty) -> Clock:
    """One duty's clock."""
    start = incident.discovered_at if duty.start == "discovered_at" else incident.handling_ended_at
    deadline = start + timedelta(hours=duty.hours) if start and duty.hours is not None else None
    elapsed = max(now - start, timedelta()) if start else timedelta()
    remaining = deadline - now if deadline else None
    state: ClockState
    if incident.phase == "dismissed":
        state = "stopped"
    elif not reaches(incident.persons, regime, duty):
        state = "below_threshold"
    elif start is None:
        state = "waiting"
    else:
        state = "overdue" if remaining is not None and remaining < timedelta() else "running"
    return Clock(
        regime=regime, duty=duty, state=state, start=start, deadline=deadline, elapsed=elapsed, remaining=remaining
    )


def reaches(persons: int, regime: Regime, duty: Duty) -> bool:
    """The persons counted so far reach the duty's threshold (inclusive)."""
    if duty.from_grade is None:
        return True
    return persons >= next(grade.persons for grade in regime.grades if grade.id == duty.from_grade)


def as_hours(duration: timedelta) -> str:
    """`02:13`, hours and minutes, hours growing beyond a day; minutes are cut, never rounded up."""
    minutes = int(abs(duration).total_seconds() // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
