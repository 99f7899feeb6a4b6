"""Clocks of incidents as pages show them: judged now, in the reader's language, a line for each duty.

What a store told is a moment old: whether a deadline is over is judged here, by head office's own clock. The line is
right without scripts to the minute; `static/clock.js` counts its seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

import msgspec

from central.documents import Clock, Incident, Owed
from central.law import duties, office_named
from config.text import Language, Text

State = Literal["over", "left", "up", "waiting", "below_threshold", "submitted", "stopped", "other"]
RUNNING: Final = frozenset({"running", "overdue"})
DUE: Final[frozenset[State]] = frozenset({"over", "left", "up"})
DAYS_FROM: Final = 48 * 3600
_RANK: Final[dict[State, int]] = {
    "over": 0, "left": 1, "up": 2, "waiting": 3, "below_threshold": 4, "submitted": 5, "stopped": 6, "other": 7,
}  # fmt: skip


class Discovered(Protocol):
    """An incident, whole or brief."""

    @property
    def discovered_at(self) -> datetime:
        """Aware."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClockLine:
    """One duty of an incident. `at` is the moment counted to (`left`, `over`) or from (`up`)."""

    key: str
    title: str
    regime: str
    authority: str
    channel: str
    note: str
    state: State
    at: datetime | None
    deadline: datetime | None
    submitted_at: datetime | None
    verified: bool
    source: str
    date: str
    entities: tuple[Owed, ...] = ()
    language: Language
    judged_at: datetime

    @property
    def words(self) -> str:
        """What the line says now; put into words only where it is shown, for a page looks at thousands."""
        return clock_words(Text(self.language), self.state, self.at, self.judged_at)

    @property
    def is_due(self) -> bool:
        """Somebody has to do something about it now."""
        return self.state in DUE

    @property
    def missing(self) -> int:
        """Fields that nobody has filled in, of the entity that lacks most."""
        return max((len(side.missing) for side in self.entities), default=0)


def lines_of(incident: Incident, language: Language, moment: datetime) -> list[ClockLine]:
    """All clocks of an incident, what is over first."""
    lines = [line_of(clock, incident, language, moment) for clock in incident.clocks]
    return sorted(lines, key=lambda line: (_RANK[line.state], line.deadline or moment, line.key))


def line_of(clock: Clock, incident: Discovered, language: Language, moment: datetime) -> ClockLine:
    """One clock, judged at `moment` (aware)."""
    known = duties().get(clock.key)
    state, at = judged(clock, incident, moment)
    return ClockLine(
        key=clock.key,
        title=known.title[language] if known else clock.title,
        regime=known.regime[language] if known else clock.regime,
        authority=known.authority[language] if known else clock.authority,
        channel=known.channel[language] if known else clock.channel,
        note=clock.note, state=state, at=at, language=language, judged_at=moment,
        deadline=clock.deadline, submitted_at=clock.submitted_at,
        verified=clock.verified and (known is None or known.verified),
        source=known.source if known else clock.source, date=known.date if known else clock.date,
        entities=tuple(
            msgspec.structs.replace(side, office=office_named(side.office, known, language)) for side in clock.entities
        ),
    )  # fmt: skip


def judged(clock: Clock, incident: Discovered, moment: datetime) -> tuple[State, datetime | None]:
    """The state now, and the moment that is counted to or from."""
    if clock.state in RUNNING:
        if clock.deadline is not None:
            return ("over" if clock.deadline < moment else "left"), clock.deadline
        return "up", clock.start or incident.discovered_at
    if clock.state in ("waiting", "below_threshold", "submitted", "stopped"):
        return clock.state, clock.submitted_at  # type: ignore[return-value]
    return "other", None


def clock_words(text: Text, state: State, at: datetime | None, moment: datetime) -> str:
    """`还剩 03:20`, `已过 02:13`, `已超时 26:40`; or what the state is called."""
    if state in ("over", "left", "up") and at is not None:
        return text(f"hq_incident.clock_{state}", time=span(text, moment - at))
    return text(f"hq_incident.clock_{state}")


def span(text: Text, duration: timedelta) -> str:
    """Hours and minutes, cut; days and hours from two days on."""
    seconds = int(abs(duration).total_seconds())
    if seconds >= DAYS_FROM:
        return text("hq_incident.span_days", days=seconds // 86_400, hours=seconds % 86_400 // 3600)
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"
