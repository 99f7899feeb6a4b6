"""Clocks of an incident: what is due, to whom, by when, and what only counts up.

The 4 h and 72 h clocks run from *discovery* (or learning of it, whichever came first), never from the declaration; the
plan's 48 h and the 30 days from the end of handling. PIPL art. 57 names no hours: its clock counts up. A duty below
its threshold is still shown, and never as "no report needed": PIPL 57 has no threshold. A wall clock that is set back
shows no negative time; where the machine's own count of seconds says that more time has gone by, that is believed
(`Circumstances.judged`). Durations are differences in UTC: a day with a change to summer time has 23 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from agent.incident.grading import grade_of
from agent.incident.law import Duty, Regime, Start, When, load_regimes
from agent.incident.records import Incident
from agent.incident.workdays import after_working_days
from config.text import Language

ClockState = Literal["waiting", "running", "overdue", "below_threshold", "submitted", "stopped"]
CARDS: Final = frozenset({"CREDIT_CARD", "CARD_TRACK_DATA"})
_RANK: Final[dict[ClockState, int]] = {
    "overdue": 0, "running": 1, "waiting": 2, "below_threshold": 3, "submitted": 4, "stopped": 5,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What an authority ordered: when, and by when (None: no date was named)."""

    at: datetime
    due: datetime | None


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What clocks need to know besides the incident. Duties are named `<regime>/<duty>`.

    `submitted`: when each was submitted. `judged`: the time now by the earliest plausible reading, by what a clock
    starts from; absent where the wall clock is believed.
    """

    faces: int = 0
    held_persons: int = 0
    submitted: Mapping[str, datetime] = field(default_factory=dict)
    ordered: Mapping[str, Demand] = field(default_factory=dict)
    judged: Mapping[Start, datetime] = field(default_factory=dict)


NOTHING_KNOWN: Final = Circumstances()


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One duty of one incident at one moment.

    `waiting`: its start has not come. `below_threshold`: the persons known so far do not reach its grade or bound.
    `submitted`: done, at `submitted_at`. `stopped`: the incident was dismissed. `deadline` None: it counts up.
    """

    regime: Regime
    duty: Duty
    state: ClockState
    start: datetime | None
    deadline: datetime | None
    elapsed: timedelta
    remaining: timedelta | None
    submitted_at: datetime | None = None
    days_verified: bool = True

    @property
    def key(self) -> str:
        """`<regime>/<duty>`, stable."""
        return f"{self.regime.id}/{self.duty.id}"

    @property
    def verified(self) -> bool:
        """Deadline, threshold, contents and the days counted were all seen in a source."""
        duty = self.duty
        return duty.verified and duty.contents_verified and duty.threshold_verified and self.days_verified

    @property
    def was_late(self) -> bool:
        """Submitted after its deadline, or not at all and past it."""
        if self.submitted_at is not None:
            return self.deadline is not None and self.submitted_at > self.deadline
        return self.state == "overdue"

    def document(self, language: Language, zone: tzinfo) -> dict[str, Any]:
        """As JSON; durations in seconds, times in `zone`."""
        return {
            "key": self.key, "regime": self.regime.name[language], "title": self.duty.title[language],
            "authority": self.duty.authority[language], "channel": self.duty.channel[language],
            "note": self.duty.note[language] if self.duty.note else "",
            "contents": [words[language] for words in self.duty.contents],
            "state": self.state, "counts_up": not self.duty.timed and self.deadline is None,
            "start": iso(self.start, zone), "deadline": iso(self.deadline, zone),
            "elapsed_seconds": int(self.elapsed.total_seconds()),
            "remaining_seconds": None if self.remaining is None else int(self.remaining.total_seconds()),
            "submitted_at": iso(self.submitted_at, zone),
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
    circumstances: Circumstances = NOTHING_KNOWN,
) -> list[Clock]:
    """All clocks of an incident, the most urgent first.

    Args:
        incident: as stored.
        now: aware.
        regimes: default: those that ship with Cloche.
        listed: regimes or duties (`<regime>` or `<regime>/<duty>`) that the settings add.
        circumstances: what was submitted or ordered, and what time it is by the machine's own count.
    """
    chosen = set(listed)
    found = [
        clock_of(incident, now, regime, duty, circumstances)
        for regime in (load_regimes() if regimes is None else regimes)
        for duty in regime.duties
        if is_shown(incident, regime, duty, chosen)
    ]
    return sorted(
        found,
        key=lambda clock: (
            _RANK[clock.state],
            clock.deadline is None,
            clock.deadline or now,
            not clock.verified,
            clock.key,
        ),
    )


def is_shown(incident: Incident, regime: Regime, duty: Duty, listed: set[str]) -> bool:
    """Whether a duty belongs to this kind of incident at all. What the settings list by its own name always does."""
    if f"{regime.id}/{duty.id}" in listed:
        return True
    if duty.applies == "if_listed" and regime.id not in listed:
        return False
    if duty.when.kinds and incident.kind not in duty.when.kinds:
        return False
    return not duty.when.card_data or not CARDS.isdisjoint(incident.types)


def clock_of(
    incident: Incident, now: datetime, regime: Regime, duty: Duty, circumstances: Circumstances = NOTHING_KNOWN
) -> Clock:
    """One duty's clock."""
    key = f"{regime.id}/{duty.id}"
    start = start_of(incident, duty.start, circumstances.ordered.get(key))
    deadline, days_verified = deadline_of(regime, duty, start, circumstances.ordered.get(key))
    submitted = circumstances.submitted.get(key)
    judged = max(now.astimezone(UTC), circumstances.judged.get(duty.start, now).astimezone(UTC))
    stops = submitted.astimezone(UTC) if submitted else judged
    elapsed = max(stops - start, timedelta()) if start else timedelta()
    remaining = deadline - stops if deadline else None
    state: ClockState
    if incident.phase == "dismissed":
        state = "stopped"
    elif submitted is not None:
        state = "submitted"
    elif start is None:
        state = "below_threshold" if not reaches(incident, regime, duty, circumstances) else "waiting"
    elif not reaches(incident, regime, duty, circumstances) and key not in circumstances.ordered:
        state = "below_threshold"
    else:
        state = "overdue" if remaining is not None and remaining < timedelta() else "running"
    return Clock(
        regime=regime, duty=duty, state=state, start=start, deadline=deadline, elapsed=elapsed, remaining=remaining,
        submitted_at=submitted, days_verified=days_verified,
    )  # fmt: skip


def start_of(incident: Incident, start: Start, demand: Demand | None = None) -> datetime | None:
    """When a clock started (UTC); None if it has not."""
    found: datetime | None
    match start:
        case "discovered_at":
            found = incident.discovered_at
        case "learned_at":
            found = incident.learned_at
        case "discovered_or_learned":
            found = min(incident.discovered_at, incident.learned_at)
        case "handling_ended_at":
            found = incident.handling_ended_at
        case "ordered":
            found = demand.at if demand else None
    return found.astimezone(UTC) if found else None


def deadline_of(
    regime: Regime, duty: Duty, start: datetime | None, demand: Demand | None
) -> tuple[datetime | None, bool]:
    """The deadline (UTC), and whether the calendar that it rests on was verified. The earlier of law and order wins."""
    found: list[datetime] = []
    verified = True
    if start is not None and duty.hours is not None:
        found.append(start + timedelta(hours=duty.hours))
    if start is not None and duty.working_days is not None:
        due = after_working_days(start, duty.working_days, duty.calendar, ZoneInfo(regime.zone or "UTC"))
        found.append(due.at.astimezone(UTC))
        verified = due.verified
    if demand is not None and demand.due is not None:
        found.append(demand.due.astimezone(UTC))
    return min(found, default=None), verified


def reaches(incident: Incident, regime: Regime, duty: Duty, circumstances: Circumstances = NOTHING_KNOWN) -> bool:
    """The incident reaches the duty's grade and one of its bounds, if it has any (inclusive)."""
    if duty.from_grade is not None:
        order = [grade.id for grade in regime.grades]
        graded = grade_of(regime.grades, incident)
        if graded is None or order.index(graded.grade.id) < order.index(duty.from_grade):
            return False
    return within(duty.when, incident, circumstances)


def within(when: When, incident: Incident, circumstances: Circumstances) -> bool:
    """One of the bounds is reached, or there is none. Sensitive persons not counted yet may be all of them."""
    sensitive = incident.persons if incident.sensitive is None else incident.sensitive
    bounds = (
        (when.persons, incident.persons), (when.sensitive, sensitive), (when.faces, circumstances.faces),
        (when.held_persons, circumstances.held_persons),
    )  # fmt: skip
    asked = [value >= bound for bound, value in bounds if bound is not None]
    return any(asked) or not asked


def as_hours(duration: timedelta) -> str:
    """`02:13`, hours and minutes, hours growing beyond a day; minutes are cut, never rounded up."""
    minutes = int(abs(duration).total_seconds() // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
