"""Days that are over: each store has a row of figures for each day, and their sums are kept by entity and region.

A store that told nothing on a day has the figures of the day before. Sums are by the entity and region that a store
belonged to when the day was closed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, and_, delete, exists, func, insert, literal, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql import visitors

from central.models import DayFigures, Fact, FleetDay, Store
from central.people.rights import Viewer

KEPT: Final = 40
CLOSED: Final = "summary.closed_day"
FIGURES: Final = ("persons", "places", "sealed", "exposed", "unread", "open_alerts", "open_incidents")


def next_open_day(session: Session, today: date) -> date | None:
    """The oldest day that is over and not closed yet; None where there is none. What is older than 40 days stays so."""
    fact = session.get(Fact, CLOSED)
    begin = session.scalar(select(func.min(DayFigures.day)).where(DayFigures.day >= today - timedelta(days=KEPT)))
    if begin is None:
        return None
    if fact is not None:
        begin = max(begin, date.fromisoformat(fact.value) + timedelta(days=1))
    return begin if begin < today else None


def close_day(session: Session, day: date) -> None:
    """Fill the rows that are missing on a day, sum it up, and remember that it is closed. Twice does no harm."""
    told, before = aliased(DayFigures), aliased(DayFigures)
    last = select(func.max(told.day)).where(told.store_id == Store.id, told.day < day).correlate(Store)
    columns = [column.name for column in DayFigures.__table__.columns if column.name not in ("store_id", "day")]
    has_row = exists().where(DayFigures.store_id == Store.id, DayFigures.day == day)
    source = (
        select(before.store_id, literal(day, DayFigures.day.type), *(getattr(before, name) for name in columns))
        .join(Store, Store.id == before.store_id)
        .where(~has_row, before.day == last.scalar_subquery())
    )
    session.execute(insert(DayFigures).from_select(["store_id", "day", *columns], source))
    session.execute(delete(FleetDay).where(FleetDay.day == day))
    entity, region = func.coalesce(Store.entity_id, ""), func.coalesce(Store.region_id, "")
    sums = (
        select(
            literal(day, FleetDay.day.type), entity, region, func.count(),
            *(func.sum(getattr(DayFigures, name)) for name in FIGURES),
            func.coalesce(func.sum(DayFigures.score), 0), func.count(DayFigures.score),
        )
        .join(Store, Store.id == DayFigures.store_id)
        .where(DayFigures.day == day, Store.revoked_at.is_(None))
        .group_by(entity, region)
    )  # fmt: skip
    names = ["day", "entity_id", "region_id", "stores", *FIGURES, "scores", "scored"]
    session.execute(insert(FleetDay).from_select(names, sums))
    session.merge(Fact(key=CLOSED, value=day.isoformat()))


def history(session: Session, viewer: Viewer, first: date, today: date) -> list[dict[str, Any]]:
    """Sums of what the viewer may see, day by day from `first` on; today's as they are now. Days without any are left
    out. Keys: day, stores, `FIGURES`, scores, scored."""
    days = [*_closed(session, viewer, first, today)]
    now = session.execute(
        select(
            func.count(), *(func.sum(getattr(Store, name)) for name in FIGURES), func.sum(Store.score),
            func.count(Store.score),
        ).where(viewer.visible(), Store.revoked_at.is_(None))
    ).one()  # fmt: skip
    if now[0]:
        days.append(_named(today, now))
    return days


def _closed(session: Session, viewer: Viewer, first: date, today: date) -> list[dict[str, Any]]:
    visible = viewer.visible()
    if _names_stores(visible):
        query = (
            select(
                DayFigures.day, func.count(), *(func.sum(getattr(DayFigures, name)) for name in FIGURES),
                func.sum(DayFigures.score), func.count(DayFigures.score),
            )
            .join(Store, Store.id == DayFigures.store_id)
            .where(and_(visible, DayFigures.day >= first, DayFigures.day < today))
            .group_by(DayFigures.day)
            .order_by(DayFigures.day)
        )  # fmt: skip
    else:
        query = (
            select(
                FleetDay.day, func.sum(FleetDay.stores), *(func.sum(getattr(FleetDay, name)) for name in FIGURES),
                func.sum(FleetDay.scores), func.sum(FleetDay.scored),
            )
            .where(_on_sums(visible), FleetDay.day >= first, FleetDay.day < today)
            .group_by(FleetDay.day)
            .order_by(FleetDay.day)
        )  # fmt: skip
    return [_named(row[0], row[1:]) for row in session.execute(query)]


def _named(day: date, row: Any) -> dict[str, Any]:
    names = ("stores", *FIGURES, "scores", "scored")
    return {"day": day} | {name: int(value or 0) for name, value in zip(names, row, strict=True)}


def _names_stores(condition: ColumnElement[bool]) -> bool:
    """Whether a condition on stores names single ones: the sums cannot answer that."""
    return any(_is_column(part, "id") for part in visitors.iterate(condition))


def _on_sums(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same condition on the sums, which know entity and region ('' for none)."""

    def put(element: Any, **_more: Any) -> Any:
        for name in ("entity_id", "region_id"):
            if _is_column(element, name):
                return func.nullif(getattr(FleetDay, name), "")
        return None

    changed: ColumnElement[bool] = visitors.replacement_traverse(condition, {}, put)
    return changed


def _is_column(part: Any, name: str) -> bool:
    return isinstance(part, Column) and part.name == name and part.table.name == Store.__tablename__
