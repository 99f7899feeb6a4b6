"""Cases: one leak over one or many stores. The list of them, a case, and acts on all of its stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Final, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.direct.orders import ACT_OF_KIND, name_of
from central.law import Grade, Level, grading, level_of, levels
from central.models import Case, Delivery, Order, Store, StoredIncident
from central.moments import now
from central.pages.attention import SILENT_AFTER
from central.pages.briefs import Told, read_briefs
from central.pages.clocks import ClockLine, line_of
from central.pages.distinct import TogetherCounts, Touched
from central.pages.doors import Doors, Fields, Visit
from central.pages.incident_view import ENDED, PHASES
from central.pages.paging import page_of
from central.people.rights import Viewer
from config.errors import UsageError
from config.orders import OrderKind
from config.text import Language, Text

ON_ALL: Final[tuple[OrderKind, ...]] = ("direct", "note", "submit", "isolate_on", "rescan", "dismiss")
STORES: Final = 50
CASES: Final = 50
TROUBLE: Final = ("refused", "failed", "expired")


def routes(doors: Doors) -> list[Route]:
    """Paths of cases."""
    counts = TogetherCounts()
    return [
        doors.page("/cases", list_cases),
        doors.page("/cases/{case}", partial(one_case, counts)),
        doors.form("/cases/{case}/close", close_case, "declare"),
    ]


def find_case(visit: Visit) -> Case:
    """The case of a path, if this viewer may see one of its stores.

    Raises:
        HTTPException: 404.
    """
    case = visit.session.get(Case, visit.request.path_params["case"])
    if case is None or visit.session.scalar(select(Case.id).where(Case.id == case.id, _seen_by(visit.viewer))) is None:
        raise HTTPException(404)
    return case


def _seen_by(viewer: Viewer) -> Any:
    visible = viewer.visible("look")
    touched = select(StoredIncident.case_id).join(Store, Store.id == StoredIncident.store_id).where(visible)
    ordered = (
        select(Order.case_id)
        .join(Delivery, Delivery.order_id == Order.id)
        .join(Store, Store.id == Delivery.store_id)
        .where(visible)
    )
    return or_(Case.by_id == viewer.person_id, Case.id.in_(touched), Case.id.in_(ordered))


def list_cases(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Cases, open ones first, and open incidents that belong to none."""
    session = visit.session
    cases = session.scalars(
        select(Case)
        .where(_seen_by(visit.viewer))
        .order_by(Case.closed_at.is_not(None), Case.made_at.desc())
        .limit(CASES)
    ).all()
    of_case = Counter(
        session.scalars(
            select(StoredIncident.case_id)
            .join(Store, Store.id == StoredIncident.store_id)
            .where(visit.viewer.visible("look"), StoredIncident.case_id.in_([case.id for case in cases]))
        )
    )
    loose = read_briefs(
        session, visit.viewer.visible("look"), StoredIncident.is_open, StoredIncident.case_id.is_(None), most=CASES
    )
    return "cases.html", {
        "cases": [(case, of_case[case.id], name_of(session, case.by_id)) for case in cases],
        "loose": loose,
        "may_declare": visit.viewer.may("declare"),
    }


@dataclass(frozen=True, kw_only=True)
class StoreLine:
    """A store of a case: its incident, if it told of one, and what became of the order that began it."""

    store: Store
    told: Told | None
    state: str
    said: str
    is_silent: bool
    language: Language
    judged_at: datetime

    @cached_property
    def clock(self) -> ClockLine | None:
        """Its nearest deadline; judged only where it is shown, for a case may have thousands of stores."""
        return _first_clock(self.told, self.language, self.judged_at)

    @property
    def rank(self) -> tuple[bool, bool, int, str]:
        """What needs somebody first: refused, then silent, then by persons."""
        persons = self.told.incident.persons if self.told else 0
        return (self.state not in TROUBLE, not self.is_silent or self.told is not None, -persons, self.store.name)


def lines_of(session: Session, viewer: Viewer, case: Case, language: Language) -> list[StoreLine]:
    """Every store that the case touches and this viewer may see."""
    moment = now()
    told = {
        one.store.id: one
        for one in reversed(read_briefs(session, viewer.visible("look"), StoredIncident.case_id == case.id))
    }
    rows = session.execute(
        select(Store, Delivery.state, Delivery.reason, Order.expires_at)
        .join(Delivery, Delivery.store_id == Store.id)
        .join(Order, Order.id == Delivery.order_id)
        .where(Order.case_id == case.id, Order.kind.in_(("declare", "report")), viewer.visible("look"))
        .order_by(Delivery.number)
    ).all()
    stores = {one.store.id: one.store for one in told.values()}
    states: dict[str, tuple[str, str]] = {}
    for store, state, reason, expires_at in rows:
        stores[store.id] = store
        over = state in ("waiting", "told") and expires_at < moment
        states[store.id] = ("expired" if over else state, reason)
    lines = []
    for store_id, store in stores.items():
        one = told.get(store_id)
        state, said = states.get(store_id, ("", ""))
        lines.append(
            StoreLine(
                store=store, told=one, state=state, said=said, language=language, judged_at=moment,
                is_silent=store.heard_at is None or store.heard_at + SILENT_AFTER < moment,
            )
        )  # fmt: skip
    return sorted(lines, key=lambda line: line.rank)


def _first_clock(told: Told | None, language: Language, moment: datetime) -> ClockLine | None:
    if told is None:
        return None
    due = [line_of(clock, told.incident, language, moment) for clock in told.incident.clocks]
    ahead = [line for line in due if line.is_due and line.deadline is not None]
    return min(ahead, key=lambda line: line.deadline or moment, default=None)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A level or grade with how far the persons are from it."""

    name: str
    persons: int
    verified: bool
    is_reached: bool
    left: int


def one_case(counts: TogetherCounts, visit: Visit) -> tuple[str, dict[str, Any]]:
    """All stores of a case, its persons counted once each, its grade by law."""
    session, language = visit.session, cast("Language", visit.language)
    case = find_case(visit)
    lines = lines_of(session, visit.viewer, case, language)
    told = [line.told for line in lines if line.told is not None and line.told.incident.phase != "dismissed"]
    touched = [
        Touched(
            store=one.store.id, incident=one.incident.id, persons=one.incident.persons,
            sensitive=one.incident.sensitive or 0,
        )
        for one in told
    ]  # fmt: skip
    persons = counts.of(session, touched)
    paging = page_of(visit.request, len(lines), size=STORES)
    level, grade = level_of(persons.persons, persons.sensitive), grading().of(persons.persons)
    orders = session.scalars(
        select(Order).where(Order.case_id == case.id).order_by(Order.made_at.desc()).limit(50)
    ).all()
    return "case.html", {
        "case": case,
        "by": name_of(session, case.by_id),
        "lines": lines[paging.offset : paging.offset + paging.size],
        "paging": paging,
        "stores": len(lines),
        "phases": _phases(lines),
        "silent": sum(line.is_silent for line in lines),
        "trouble": sum(line.state in TROUBLE for line in lines),
        "files": sum(one.incident.files for one in told),
        "summed": sum(one.persons for one in touched),
        "persons": persons,
        "persons_words": persons.words(Text(language)),
        "level": level.name[language],
        "grade": grade.name[language] if grade else "",
        "levels": _levels(level, persons.persons, language),
        "grades": _grades(grade, persons.persons, language),
        "grading": grading(),
        "orders": [(order, _count(session, order.id)) for order in orders],
        "acts": [kind for kind in ON_ALL if visit.viewer.may(ACT_OF_KIND[kind])] if case.closed_at is None else [],
        "may_declare": visit.viewer.may("declare") and case.closed_at is None,
        "may_close": visit.viewer.may("declare") and case.closed_at is None
        and all(line.told is not None and line.told.incident.phase in ENDED for line in lines),
        "refresh": 5,
    }  # fmt: skip


def _phases(lines: Sequence[StoreLine]) -> list[tuple[str, int]]:
    counts = Counter(line.told.incident.phase for line in lines if line.told is not None)
    named = [(phase, counts[phase]) for phase in (*PHASES, "dismissed") if counts[phase]]
    untold = sum(line.told is None for line in lines)
    return [*named, ("untold", untold)] if untold else named


def _levels(reached: Level, persons: int, language: Language) -> list[Bound]:
    order = [level.id for level in levels()]
    return [
        Bound(
            name=level.name[language], persons=level.persons, verified=False,
            is_reached=order.index(level.id) <= order.index(reached.id), left=max(0, level.persons - persons),
        )
        for level in levels()
    ]  # fmt: skip


def _grades(reached: Grade | None, persons: int, language: Language) -> list[Bound]:
    return [
        Bound(
            name=grade.name[language], persons=grade.persons, verified=grade.persons_verified,
            is_reached=reached is not None and persons >= grade.persons, left=max(0, grade.persons - persons),
        )
        for grade in grading().grades
    ]  # fmt: skip


def _count(session: Session, order_id: str) -> list[tuple[str, int]]:
    return Counter(session.scalars(select(Delivery.state).where(Delivery.order_id == order_id))).most_common()


def close_case(visit: Visit, fields: Fields) -> str:
    """No more orders go out in this case; the stores' own records stay theirs.

    Raises:
        UsageError: not confirmed, closed already, or a store's incident is not ended.
    """
    case = find_case(visit)
    text = Text(cast("Language", visit.language))
    if fields.optional("confirmed") != "yes":
        raise UsageError(text("hq_incident.not_confirmed"))
    lines = lines_of(visit.session, visit.viewer, case, cast("Language", visit.language))
    if case.closed_at is not None or any(line.told is None or line.told.incident.phase not in ENDED for line in lines):
        raise UsageError(text("hq_incident.not_now"))
    case.closed_at = now()
    visit.note("case.closed", case.id)
    return f"/cases/{case.id}"
