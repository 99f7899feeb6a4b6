"""What is due by law over all incidents: a line for each duty of each legal entity, however many stores it concerns.

Incidents of one case that owe the same duty in the name of the same entity are one line, with the earliest deadline and
everything that any of them lacks: an authority is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import or_
from sqlalchemy.orm import Session

from central.documents import Draft, Handed, Missing, Owed
from central.models import StoredIncident
from central.pages.briefs import Told, read_briefs
from central.pages.clocks import ClockLine, line_of
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
    grouped: dict[tuple[str, str, str], DutyLine] = {}
    for line in _lines(told, language, moment):
        whose = line.case_id or line.told[0].path
        key = (whose, line.clock.key, line.code or line.entity)
        grouped[key] = _joined(grouped[key], line) if key in grouped else line
    return sorted(grouped.values(), key=lambda line: _order(line, moment))


def _lines(told: Iterable[Told], language: Language, moment: datetime) -> Iterable[DutyLine]:
    for one in told:
        if one.incident.phase == "dismissed" or one.incident.merged_into:
            continue
        for clock in one.incident.clocks:
            judged = line_of(clock, one.incident, language, moment)
            for side in judged.entities or (Owed(name=one.incident.entity, office=judged.authority),):
                submitted = bool(side.submissions) and judged.is_due
                yield DutyLine(
                    clock=replace(judged, state="submitted") if submitted else judged, told=(one,),
                    entity=side.name, code=side.code, province=side.province, office=side.office or judged.authority,
                    office_verified=side.office_verified, missing=side.missing, draft=side.draft, draft_of=one,
                    submissions=side.submissions,
                )  # fmt: skip


def _joined(one: DutyLine, other: DutyLine) -> DutyLine:
    """Two incidents of a case that owe the same: the more urgent clock, everything that lacks."""
    first, second = sorted((one, other), key=lambda line: _RANK.get(line.clock.state, 9))
    if (
        first.clock.state == second.clock.state
        and second.clock.at
        and first.clock.at
        and second.clock.at < first.clock.at
    ):
        first, second = second, first
    missing = {gap.field: gap for gap in (*first.missing, *second.missing)}
    return replace(
        first, told=(*first.told, *second.told), missing=tuple(missing.values()),
        submissions=(*first.submissions, *second.submissions),
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
