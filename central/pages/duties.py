"""What is due by law over all incidents: a line for each duty of each legal entity, however many stores it concerns.

Incidents of one case that owe the same duty in the name of the same entity are one line, with the earliest deadline and
everything that any of them lacks: an authority is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_
from sqlalchemy.orm import Session

from central.documents import Clock, Draft, Handed, Missing, Owed
from central.law import duties, office_named
from central.models import StoredIncident
from central.pages.briefs import Told, read_briefs
from central.pages.clocks import DUE, ClockLine, State, judged, line_of
from central.people.rights import Viewer
from config.text import Language, load_packs

Show = Literal["due", "overdue", "today", "waiting", "submitted", "all"]
SHOWS: Final[tuple[Show, ...]] = ("due", "overdue", "today", "waiting", "submitted", "all")
_RANK: Final = {"over": 0, "up": 1, "left": 2, "below_threshold": 3, "waiting": 4, "submitted": 5, "other": 6}


@dataclass(frozen=True, kw_only=True)
class DutyLine:
    """One duty of one entity. `told` are the incidents it is about, `clock` the most urgent of their clocks."""

    clock: ClockLine
    told: tuple[Told, ...]
    entity: str
    code: str
    province: str
    office: str
    office_verified: bool
    missing: tuple[Missing, ...]
    draft: Draft | None
    draft_of: Told | None
    submissions: tuple[Handed, ...]

    @property
    def case_id(self) -> str | None:
        """Of the case that these incidents belong to."""
        return self.told[0].case_id

    @property
    def id(self) -> str:
        """Stable name of the line on the page."""
        return f"{self.case_id or self.told[0].path}:{self.clock.key}:{self.code or self.entity}"


def all_lines(session: Session, viewer: Viewer, language: Language, moment: datetime) -> list[DutyLine]:
    """Every duty line that this viewer may see, by deadline: over first, then at once, then what has time."""
    told = read_briefs(
        session, viewer.visible("law"), or_(StoredIncident.is_open, StoredIncident.deadline_at.is_not(None))
    )
    grouped: dict[tuple[str, str, str], list[_Side]] = {}
    for side in _sides(told, moment):
        whose = side.told.case_id or side.told.path
        key = (whose, side.clock.key, side.owed.code or side.owed.name if side.owed else side.told.incident.entity)
        grouped.setdefault(key, []).append(side)
    return sorted((_line(sides, language, moment) for sides in grouped.values()), key=lambda line: _order(line, moment))


class _Side(NamedTuple):
    """An entity's side of one clock of one incident, judged but not yet put into a reader's words: a leak over two
    thousand stores has eighteen thousand of them, and nine lines."""

    urgency: tuple[int, bool, datetime | None]
    state: State
    clock: Clock
    owed: Owed | None
    told: Told


def _sides(told: Iterable[Told], moment: datetime) -> Iterator[_Side]:
    for one in told:
        if one.incident.phase == "dismissed" or one.incident.merged_into:
            continue
        for clock in one.incident.clocks:
            state, at = judged(clock, one.incident, moment)
            for owed in clock.entities or (None,):
                stands: State = "submitted" if owed and owed.submissions and state in DUE else state
                yield _Side((_RANK.get(stands, 9), at is None, at), stands, clock, owed, one)


def _line(sides: Sequence[_Side], language: Language, moment: datetime) -> DutyLine:
    """Incidents of a case that owe the same: the most urgent clock, and everything that lacks."""
    first = min(sides, key=lambda side: side.urgency)
    clock = line_of(first.clock, first.told.incident, language, moment)
    owed = first.owed or Owed(name=first.told.incident.entity)
    known = duties().get(first.clock.key)
    told = {one.path: one for one in (first.told, *(side.told for side in sides))}
    return DutyLine(
        clock=clock if clock.state == first.state else replace(clock, state=first.state), told=tuple(told.values()),
        entity=owed.name, code=owed.code, province=owed.province,
        office=office_named(owed.office, known, language) or clock.authority, office_verified=owed.office_verified,
        missing=tuple({gap.field: gap for side in sides if side.owed for gap in side.owed.missing}.values()),
        draft=owed.draft, draft_of=first.told,
        submissions=tuple(handed for side in sides if side.owed for handed in side.owed.submissions),
    )  # fmt: skip


def _order(line: DutyLine, moment: datetime) -> tuple[int, datetime, str, str]:
    return _RANK.get(line.clock.state, 9), line.clock.at or moment, line.entity, line.clock.key


def chosen(lines: Sequence[DutyLine], show: Show, moment: datetime, zone: ZoneInfo) -> list[DutyLine]:
    """The lines of a filter; `today` in head office's zone, with what is over and what is to be done at once."""
    match show:
        case "overdue":
            return [line for line in lines if line.clock.state == "over"]
        case "today":
            day = moment.astimezone(zone).date()
            return [
                line
                for line in lines
                if line.clock.is_due
                and (line.clock.deadline is None or line.clock.deadline.astimezone(zone).date() <= day)
            ]
        case "waiting":
            return [line for line in lines if line.clock.state in ("waiting", "below_threshold")]
        case "submitted":
            return [line for line in lines if line.clock.state == "submitted"]
        case "all":
            return list(lines)
        case _:
            return [line for line in lines if line.clock.is_due]


def missing_words(line: DutyLine, language: Language) -> list[str]:
    """What is missing: fields by their names in the reader's language, else in the store's words."""
    packs = load_packs()
    told = line.told[0].incident.language
    return [
        gap.text if gap.text and told == language else packs.get(f"law.field_{gap.field}", {}).get(language, gap.field)
        for gap in line.missing
    ]
