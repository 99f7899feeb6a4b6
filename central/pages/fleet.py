"""All stores under one question: who is overdue for a drill or a training, with whom data is shared, how assessments
stand. Worst first, with the same filters as the first page."""

from __future__ import annotations

import tomllib
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session
from starlette.routing import Route

from central.documents import Drill
from central.models import Entity, Region, Snapshot, Store, StoredDrill, TrainingFigures, VendorShare
from central.moments import now
from central.pages.doors import Doors, Visit
from central.pages.overview import choices, condition_of, read_filter
from central.pages.paging import page_of
from central.pages.remembered import Remembered, sight_of

REMEMBERED: Final = 60.0
LOW: Final = 60
"""Below it a score is called low on the page; it decides nothing."""
Shown = tuple[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class SharedWith:
    """A vendor as all stores together know it, by its name."""

    name: str
    stores: int
    shared: int
    persons: int
    ends: date | None
    """The earliest end of a contract."""
    open_now: int


def routes(doors: Doors) -> list[Route]:
    """Paths of the pages over all stores."""
    remembered: Remembered[list[SharedWith]] = Remembered(REMEMBERED)
    return [
        doors.page("/drills", partial(drills, Remembered(REMEMBERED))),
        doors.page("/training", training),
        doors.page("/vendors", partial(vendors, remembered)),
        doors.page("/assessment", assessment),
    ]


@cache
def drill_interval() -> timedelta:
    """How old the last drill may be (`config/data/drill/plan.toml`)."""
    plan = tomllib.loads(files("config").joinpath("data", "drill", "plan.toml").read_text(encoding="utf-8"))
    return timedelta(days=round(plan["interval"]["months"] * 365.25 / 12))


def drills(remembered: Remembered[Any], visit: Visit) -> Shown:
    """Stores by when they last had a drill, the longest ago first; `?only=overdue`, or `?only=worst`: by its score.

    Which stores stand where, and how many there are, is up to a minute old; what is said of a drill is not.
    """
    session, edge, only = visit.session, now() - drill_interval(), visit.request.query_params.get("only", "")
    only = only if only in ("overdue", "worst") else ""
    condition, around = _asked(visit)
    step = select(func.max(StoredDrill.at)).where(StoredDrill.store_id == Store.id).correlate(Store).scalar_subquery()
    last = select(Store.id, Store.name, step.label("at")).where(condition).subquery()  # a step in the index for each
    overdue = (last.c.at.is_(None)) | (last.c.at < edge)
    counts = select(
        func.count(), func.coalesce(func.sum(case((overdue, 1), else_=0)), 0), func.count(last.c.at)
    ).select_from(last)  # fmt: skip
    wish = around["wish"]
    key: Hashable = (sight_of(visit.viewer), wish.region, wish.entity, wish.text)
    stores, late, drilled = remembered.get(key, lambda: tuple(map(int, session.execute(counts).one())))
    listed = select(last.c.id, last.c.name, last.c.at)
    order: tuple[ColumnElement[Any], ...] = (last.c.at.is_not(None), last.c.at)
    if only == "overdue":
        listed = listed.where(overdue)
    elif only == "worst":
        score = StoredDrill.document["score"].as_integer()
        listed = listed.join(StoredDrill, and_(StoredDrill.store_id == last.c.id, StoredDrill.at == last.c.at))
        order = (score.is_(None), score)
    paging = page_of(visit.request, {"overdue": late, "worst": drilled}.get(only, stores))
    asked = listed.order_by(*order, last.c.name, last.c.id).limit(paging.size).offset(paging.offset)
    rows = remembered.get((key, only, paging.number), lambda: session.execute(asked).all())
    newest = _newest_drills(session, [row[0] for row in rows])
    drilled_by = [(identifier, name, newest.get(identifier)) for identifier, name, _at in rows]
    return "drills.html", around | {
        "rows": [(identifier, name, drill, drill is None or drill.at < edge) for identifier, name, drill in drilled_by],
        "paging": paging, "stores": stores, "late": late, "drilled": drilled, "only": only,
        "months": round(drill_interval().days / 30.4),
    }  # fmt: skip


def training(visit: Visit) -> Shown:
    """Stores by how many people are overdue, most first; stores that told nothing come last."""
    session, only = visit.session, visit.request.query_params.get("only", "")
    condition, around = _asked(visit)
    names = ("staff", "done", "due", "overdue")
    figures = {name: func.coalesce(getattr(TrainingFigures, name), 0) for name in names}
    joined = select(Store.id).outerjoin(TrainingFigures, TrainingFigures.store_id == Store.id).where(condition)
    sums = session.execute(
        joined.with_only_columns(
            func.count(), func.count(TrainingFigures.store_id),
            *(func.coalesce(func.sum(one), 0) for one in figures.values()),
            func.coalesce(func.sum(case((figures["overdue"] > 0, 1), else_=0)), 0),
        )
    ).one()  # fmt: skip
    if only == "overdue":
        joined = joined.where(figures["overdue"] > 0)
    paging = page_of(visit.request, int(sums[-1]) if only == "overdue" else sums[0])
    rows = session.execute(
        joined.with_only_columns(Store.id, Store.name, *figures.values(), TrainingFigures.told_at)
        .order_by(
            figures["overdue"].desc(), figures["due"].desc(), TrainingFigures.store_id.is_(None), Store.name, Store.id
        )
        .limit(paging.size)
        .offset(paging.offset)
    ).all()
    return "training.html", around | {
        "rows": rows, "paging": paging, "only": only if only == "overdue" else "", "stores": sums[0],
        "telling": sums[1], "staff": int(sums[2]), "done": int(sums[3]), "due": int(sums[4]),
        "overdue": int(sums[5]), "late": int(sums[6]),
    }  # fmt: skip


def vendors(remembered: Remembered[list[SharedWith]], visit: Visit) -> Shown:
    """With whom customers' data is shared: windows that are open now first, then by how many customers."""
    condition, around = _asked(visit)
    wish = around["wish"]
    key: Hashable = (sight_of(visit.viewer), wish.region, wish.entity, wish.text)
    found = remembered.get(key, lambda: shared_with(visit.session, condition))
    paging = page_of(visit.request, len(found))
    return "vendors.html", around | {
        "rows": found[paging.offset : paging.offset + paging.size], "paging": paging, "today": now().date(),
        "open_now": sum(1 for one in found if one.open_now),
    }  # fmt: skip


def shared_with(session: Session, condition: ColumnElement[bool]) -> list[SharedWith]:
    """All vendors of the stores under a condition, added up by name."""
    rows = session.execute(
        select(
            VendorShare.name, func.count(VendorShare.store_id.distinct()), func.sum(VendorShare.shared),
            func.sum(VendorShare.persons), func.min(VendorShare.contract_until),
            func.sum(case((VendorShare.window_open, 1), else_=0)),
        )
        .join(Store, Store.id == VendorShare.store_id)
        .where(condition)
        .group_by(VendorShare.name)
    )  # fmt: skip
    found = [
        SharedWith(
            name=name, stores=stores, shared=int(shared), persons=int(persons), ends=ends.date() if ends else None,
            open_now=int(open_now),
        )
        for name, stores, shared, persons, ends, open_now in rows
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.open_now, -one.persons, one.name))


def assessment(visit: Visit) -> Shown:
    """Stores by their last score, the worst first; those without one come last."""
    session = visit.session
    condition, around = _asked(visit)
    stores, scored, mean, low = session.execute(
        select(
            func.count(), func.count(Store.score), func.avg(Store.score),
            func.coalesce(func.sum(case((Store.score < LOW, 1), else_=0)), 0),
        ).where(condition)
    ).one()  # fmt: skip
    paging = page_of(visit.request, stores)
    rows = session.execute(
        select(Store.id, Store.name, Store.score)
        .where(condition)
        .order_by(Store.score.is_(None), Store.score, Store.name, Store.id)
        .limit(paging.size)
        .offset(paging.offset)
    ).all()
    dates = dict(
        session.execute(
            select(Snapshot.store_id, Snapshot.written_at).where(
                Snapshot.kind == "assessment", Snapshot.store_id.in_([row[0] for row in rows])
            )
        ).all()
    )
    return "assessment.html", around | {
        "rows": [(identifier, name, score, dates.get(identifier)) for identifier, name, score in rows],
        "paging": paging, "stores": stores, "scored": scored, "mean": round(mean) if mean is not None else None,
        "low": int(low), "edge": LOW,
    }  # fmt: skip


def _asked(visit: Visit) -> tuple[ColumnElement[bool], dict[str, Any]]:
    """The condition of what a reader asked for, and what the filter of the page needs."""
    visible = and_(visit.viewer.visible(), Store.revoked_at.is_(None))
    wish = read_filter(visit)
    condition = and_(visible, condition_of(wish)) if wish.is_set else visible
    return condition, {
        "wish": wish,
        "regions": choices(visit.session, Region, Store.region_id, visible),
        "entities": choices(visit.session, Entity, Store.entity_id, visible),
    }


def _newest_drills(session: Session, store_ids: list[str]) -> dict[str, Drill]:
    rows = session.execute(
        select(StoredDrill.store_id, StoredDrill.document)
        .where(StoredDrill.store_id.in_(store_ids))
        .order_by(StoredDrill.store_id, StoredDrill.at)
    )
    return {store_id: Drill.model_validate(document) for store_id, document in rows}  # the newest is the last
