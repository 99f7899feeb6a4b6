"""Head office itself: figures over all stores, drills and assessments, people, the record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from central.api.caller import Asker, Asking, problems
from central.api.paging import Page, Pager, Sliced, page_of
from central.api.shapes import ActShape, AssessmentShape, DrillShape, PersonShape, RoleShape, SummaryShape
from central.api.stores import Spanned, within
from central.api.words import SILENT_AFTER, WORDS
from central.models import Act, Delivery, Grant, Person, Snapshot, Store, StoredDrill, StoredIncident
from central.moments import now

router = APIRouter(tags=["head office"], responses=problems())
DRILLS: Final = Pager(
    keys=((StoredDrill.at, True, datetime), (StoredDrill.store_id, False, str), (StoredDrill.drill_id, False, str))
)
ASSESSMENTS: Final = Pager(keys=((Snapshot.store_id, False, str),))
PEOPLE: Final = Pager(keys=((Person.id, False, str),))
RECORD: Final = Pager(keys=((Act.id, True, int),))


@router.get("/summary", summary="Summary")
def summary(ask: Asker) -> SummaryShape:
    """The figures of the first page, over the stores that the token may see."""
    with ask.reading() as session:
        return summary_of(session, ask)


@router.get("/drills", summary="Drills")
def list_drills(ask: Asker, wish: Sliced, span: Spanned) -> Page[DrillShape]:
    """Drills as stores played them, the newest first."""
    query = select(StoredDrill).join(Store, Store.id == StoredDrill.store_id).where(ask.viewer.visible())
    query = within(query, StoredDrill, span)
    with ask.reading() as session:
        rows, after = DRILLS.read(session, query, wish)
        return page_of(
            rows, after,
            lambda row: DrillShape(
                store=row[0].store_id, id=row[0].drill_id, at=row[0].at, document=row[0].document
            ),
        )  # fmt: skip


@router.get("/assessments", summary="Assessments")
def list_assessments(ask: Asker, wish: Sliced) -> Page[AssessmentShape]:
    """The last assessment of each store."""
    query = (
        select(Snapshot, Store.score)
        .join(Store, Store.id == Snapshot.store_id)
        .where(Snapshot.kind == "assessment", ask.viewer.visible())
    )
    with ask.reading() as session:
        rows, after = ASSESSMENTS.read(session, query, wish)
        return page_of(
            rows, after,
            lambda row: AssessmentShape(
                store=row[0].store_id, score=row[1], written_at=row[0].written_at, document=row[0].document
            ),
        )  # fmt: skip


@router.get("/people", summary="People")
def list_people(ask: Asker, wish: Sliced) -> Page[PersonShape]:
    """Who holds which role where. Mail and mobile only with the right `people`, which tokens never have."""
    with_contacts = ask.viewer.may("people")
    with ask.reading() as session:
        rows, after = PEOPLE.read(session, select(Person), wish)
        people = [row[0] for row in rows]
        grants: dict[str, list[RoleShape]] = {}
        for grant in session.scalars(select(Grant).where(Grant.person_id.in_([person.id for person in people]))):
            role = RoleShape(role=grant.role, scope=grant.scope, scope_id=grant.scope_id)
            grants.setdefault(grant.person_id, []).append(role)
        return Page(
            items=[
                PersonShape(
                    id=person.id, name=person.name, roles=grants.get(person.id, []), left_at=person.left_at,
                    confirmed_at=person.confirmed_at, mail=person.mail if with_contacts else None,
                    mobile=person.mobile if with_contacts else None,
                )
                for person in people
            ],
            next=after,
        )  # fmt: skip


@router.get("/record", summary="The record")
def list_record(ask: Asker, wish: Sliced, span: Spanned) -> Page[ActShape]:
    """What was done at head office, the newest first; the chain of digests is checked by `cloche-hq record verify`."""
    ask.require("record")
    query = within(select(Act), Act, span)
    with ask.reading() as session:
        rows, after = RECORD.read(session, query, wish)
        return page_of(rows, after, lambda row: act_shape(row[0]))


def act_shape(row: Act) -> ActShape:
    """An entry as answered."""
    return ActShape(
        id=row.id, at=row.at, actor=row.actor, act=row.act, store=row.store_id, detail=row.detail, digest=row.digest
    )


def summary_of(session: Session, ask: Asking) -> SummaryShape:
    """The figures, in two questions."""
    moment = now()
    edge = moment - SILENT_AFTER
    silent = Store.heard_at.is_(None) | (Store.heard_at < edge)
    word: Any = case(
        *((Store.urgency >= place, name) for place, name in WORDS),
        (silent, "silent"),
        (Store.scanned_at.is_(None), "unscanned"),
        else_="fine",
    )
    sums = [
        Store.persons,
        Store.places,
        Store.sealed,
        Store.exposed,
        Store.unread,
        Store.open_alerts,
        Store.open_incidents,
    ]
    rows = session.execute(
        select(word, func.count(), func.sum(case((silent, 1), else_=0)), *(func.sum(column) for column in sums))
        .where(ask.viewer.visible(), Store.revoked_at.is_(None))
        .group_by(word)
    ).all()
    totals = [sum(int(row[place] or 0) for row in rows) for place in range(1, 3 + len(sums))]
    deadline = session.scalar(
        select(func.min(StoredIncident.deadline_at))
        .join(Store, Store.id == StoredIncident.store_id)
        .where(StoredIncident.is_open, ask.viewer.visible())
    )
    oldest = session.scalar(
        select(func.min(Delivery.made_at))
        .join(Store, Store.id == Delivery.store_id)
        .where(Delivery.acknowledged_at.is_(None), Delivery.state.in_(("waiting", "told")), ask.viewer.visible())
    )
    names = ("stores", "silent", *(column.key for column in sums))
    return SummaryShape(
        **dict(zip(names, totals, strict=True)), urgency={row[0]: row[1] for row in rows}, next_deadline_at=deadline,
        oldest_unacknowledged_at=oldest,
    )  # fmt: skip
