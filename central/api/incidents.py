"""Incidents, the cases that hold them together, and the clocks of the law."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.api.caller import Asker, Asking, problems
from central.api.paging import Page, Pager, Sliced, page_of
from central.api.problems import ProblemError
from central.api.shapes import CaseShape, ClockShape, IncidentShape, IncidentWhole, PersonsShape
from central.api.stores import Identifier, Open, Spanned, Word, whole, zoned
from central.models import Case, Store, StoredIncident

router = APIRouter(tags=["incidents"], responses=problems())
NEWEST: Final = Pager(
    keys=(
        (StoredIncident.discovered_at, True, datetime), (StoredIncident.store_id, False, str),
        (StoredIncident.incident_id, False, str),
    )
)  # fmt: skip
NEAREST: Final = Pager(
    keys=(
        (StoredIncident.deadline_at, False, datetime), (StoredIncident.store_id, False, str),
        (StoredIncident.incident_id, False, str),
    )
)  # fmt: skip
CASES: Final = Pager(keys=((Case.made_at, True, datetime), (Case.id, False, str)))


@dataclass(frozen=True)
class Choice:
    """Which incidents, by the query of a request."""

    is_open: Open = None
    phase: Word = None
    case: Identifier = None


@router.get("/incidents", summary="Incidents")
def list_incidents(
    ask: Asker, wish: Sliced, span: Spanned, choice: Annotated[Choice, Depends()]
) -> Page[IncidentShape]:
    """Incidents of the stores that the token may see, the newest first."""
    query = select(StoredIncident).join(Store, Store.id == StoredIncident.store_id).where(ask.viewer.visible())
    if span.store is not None:
        query = query.where(StoredIncident.store_id == whole(span.store))
    if span.since is not None:
        query = query.where(StoredIncident.discovered_at >= zoned(span.since))
    if span.until is not None:
        query = query.where(StoredIncident.discovered_at < zoned(span.until))
    if choice.is_open is not None:
        query = query.where(StoredIncident.is_open.is_(choice.is_open))
    if choice.phase is not None:
        query = query.where(StoredIncident.phase == whole(choice.phase))
    if choice.case is not None:
        query = query.where(StoredIncident.case_id == whole(choice.case))
    with ask.reading() as session:
        rows, after = NEWEST.read(session, query, wish)
        return page_of(rows, after, lambda row: IncidentShape(**incident_values(row[0])))


@router.get("/incidents/{store}/{incident}", summary="One incident")
def one_incident(ask: Asker, store: str, incident: str) -> IncidentWhole:
    """An incident with clocks, steps, who did what: all that the store told, masked there."""
    with ask.reading() as session:
        ask.store(session, store)
        row = session.get(StoredIncident, (store, whole(incident)))
        if row is None:
            raise ProblemError(404, "not_found")
        return IncidentWhole(**incident_values(row), document=row.document)


@router.get("/cases", summary="Cases")
def list_cases(ask: Asker, wish: Sliced, is_open: Open = None) -> Page[CaseShape]:
    """Cases with an incident that the token may see, the newest first."""
    query = select(Case).where(Case.id.in_(_seen_cases(ask)))
    if is_open is not None:
        query = query.where(Case.closed_at.is_(None) if is_open else Case.closed_at.is_not(None))
    with ask.reading() as session:
        rows, after = CASES.read(session, query, wish)
        counts = _incidents_of(session, ask, [row[0].id for row in rows])
        return page_of(rows, after, lambda row: case_shape(row[0], counts.get(row[0].id, 0)))


@router.get("/cases/{case}", summary="One case")
def one_case(ask: Asker, case: str) -> CaseShape:
    """A case."""
    with ask.reading() as session:
        row = seen_case(session, ask, case)
        return case_shape(row, _incidents_of(session, ask, [row.id]).get(row.id, 0))


@router.get("/cases/{case}/persons", summary="Distinct persons of a case")
def persons_of_case(ask: Asker, case: str) -> PersonsShape:
    """How many people a case touches, each counted once across its stores, for grading by law."""
    with ask.reading() as session:
        row = seen_case(session, ask, case)
        members = session.execute(
            select(StoredIncident.store_id, StoredIncident.incident_id)
            .join(Store, Store.id == StoredIncident.store_id)
            .where(StoredIncident.case_id == row.id, ask.viewer.visible())
            .order_by(StoredIncident.store_id, StoredIncident.incident_id)
        ).all()
        incidents = [(member.store_id, member.incident_id) for member in members]
        from central.persons.count import distinct  # numpy with it: loaded when persons are counted

        found = distinct(session, incidents)
        return PersonsShape(
            case=row.id, incidents=len(incidents), exact=found.exact, persons=found.persons,
            sensitive=found.sensitive, error=found.error, missing=[str(item) for item in found.missing],
        )  # fmt: skip


@router.get("/clocks", summary="Clocks of the law")
def list_clocks(ask: Asker, wish: Sliced) -> Page[ClockShape]:
    """Duties of open incidents that still run, the nearest first. A page holds the clocks of `limit` incidents."""
    query = (
        select(StoredIncident)
        .join(Store, Store.id == StoredIncident.store_id)
        .where(ask.viewer.visible(), StoredIncident.is_open, StoredIncident.deadline_at.is_not(None))
    )
    with ask.reading() as session:
        rows, after = NEAREST.read(session, query, wish)
        return Page(items=[clock for row in rows for clock in clocks_of(row[0])], next=after)


def incident_values(row: StoredIncident) -> dict[str, Any]:
    """An incident in short."""
    return {
        "store": row.store_id, "id": row.incident_id, "case": row.case_id, "kind": row.kind, "phase": row.phase,
        "open": row.is_open, "discovered_at": row.discovered_at, "deadline_at": row.deadline_at,
        "files": int(row.document.get("files", 0) or 0), "persons": int(row.document.get("persons", 0) or 0),
    }  # fmt: skip


def clocks_of(row: StoredIncident) -> list[ClockShape]:
    """The clocks that a store told for an incident."""
    return [
        ClockShape(
            store=row.store_id, incident=row.incident_id, discovered_at=row.discovered_at,
            title=str(clock.get("title", "")), regime=str(clock.get("regime", "")), state=str(clock.get("state", "")),
            deadline=clock.get("deadline"),
        )
        for clock in row.document.get("clocks", ())
    ]  # fmt: skip


def case_shape(row: Case, incidents: int) -> CaseShape:
    """A case as answered."""
    return CaseShape(
        id=row.id, kind=row.kind, summary=row.summary, made_at=row.made_at, by=row.by_id, closed_at=row.closed_at,
        incidents=incidents,
    )  # fmt: skip


def seen_case(session: Session, ask: Asking, case: str) -> Case:
    """A case with an incident that may be seen.

    Raises:
        ProblemError: 404.
    """
    row = session.scalar(select(Case).where(Case.id == whole(case), Case.id.in_(_seen_cases(ask))))
    if row is None:
        raise ProblemError(404, "not_found")
    return row


def _seen_cases(ask: Asking) -> Any:
    return (
        select(StoredIncident.case_id)
        .join(Store, Store.id == StoredIncident.store_id)
        .where(StoredIncident.case_id.is_not(None), ask.viewer.visible())
    )


def _incidents_of(session: Session, ask: Asking, cases: list[str]) -> dict[str, int]:
    rows = session.execute(
        select(StoredIncident.case_id, func.count())
        .join(Store, Store.id == StoredIncident.store_id)
        .where(StoredIncident.case_id.in_(cases), ask.viewer.visible())
        .group_by(StoredIncident.case_id)
    )
    return {str(case_id): count for case_id, count in rows}
