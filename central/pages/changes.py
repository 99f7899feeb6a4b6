"""What changed since yesterday: a store's figures now against its last ones of yesterday (head office's zone)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from central.models import DayFigures, Store, StoredIncident
from central.pages.attention import SILENT_AFTER

NAMED: Final = 5
"""Stores that each kind of change names; the rest is counted."""
DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A store in a change: by how much, or from what to what."""

    id: str
    name: str
    amount: int = 0
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One kind of change: how many stores, how much altogether, and the first of them."""

    kind: str
    stores: int
    amount: int = 0
    named: tuple[Named, ...] = ()


def changes(
    session: Session, visible: ColumnElement[bool], moment: datetime, today: date
) -> tuple[date | None, list[Change]]:
    """All changes that there are, and the day that figures are compared with (None: there are none of yesterday).

    New incidents and silence are of the last 24 hours.
    """
    yesterday = today - timedelta(days=1)
    rows = _compared(session, visible, yesterday)
    found = [
        _incidents(session, visible, moment),
        _pick("needing", rows, _newly_needing),
        _silent(session, visible, moment),
        _pick("exposed_more", rows, lambda row: max(0, row.exposed - row.was_exposed)),
        _pick("exposed_less", rows, lambda row: max(0, row.was_exposed - row.exposed)),
        _sealed(session, visible, yesterday),
        _pick("tier", rows, lambda row: int(row.tier != row.was_tier), lambda row: (row.was_tier, row.tier)),
        _versions(rows),
    ]
    day = session.scalar(select(DayFigures.day).where(DayFigures.day == yesterday).limit(1))
    return day, [change for change in found if change.stores]


def _compared(session: Session, visible: ColumnElement[bool], yesterday: date) -> list[Any]:
    """Stores that differ from yesterday in something that is told store by store."""
    differs = or_(
        Store.exposed != DayFigures.exposed,
        and_(Store.open_alerts > 0, DayFigures.open_alerts == 0),
        and_(Store.open_incidents > 0, DayFigures.open_incidents == 0),
        and_(Store.unread > 0, DayFigures.unread == 0),
        Store.version != DayFigures.version,
        Store.tier != DayFigures.tier,
    )
    query = (
        select(
            Store.id, Store.name, Store.exposed, Store.unread, Store.open_alerts, Store.open_incidents, Store.version,
            Store.tier, DayFigures.exposed.label("was_exposed"), DayFigures.unread.label("was_unread"),
            DayFigures.open_alerts.label("had_alerts"), DayFigures.open_incidents.label("had_incidents"),
            DayFigures.version.label("was_version"), DayFigures.tier.label("was_tier"),
        )
        .join(DayFigures, and_(DayFigures.store_id == Store.id, DayFigures.day == yesterday))
        .where(visible, differs)
    )  # fmt: skip
    return list(session.execute(query))


def _newly_needing(row: Any) -> int:
    before = row.had_incidents or row.had_alerts or row.was_exposed or row.was_unread
    return int(not before and bool(row.open_incidents or row.open_alerts or row.exposed or row.unread))


def _pick(
    kind: str,
    rows: list[Any],
    amount: Callable[[Any], int],
    words: Callable[[Any], tuple[str, str]] = lambda _row: ("", ""),
) -> Change:
    chosen = sorted(((amount(row), row) for row in rows if amount(row)), key=lambda pair: (-pair[0], pair[1].name))
    named = []
    for much, row in chosen[:NAMED]:
        before, after = words(row)
        named.append(Named(id=row.id, name=row.name, amount=much, before=before, after=after))
    return Change(kind=kind, stores=len(chosen), amount=sum(much for much, _ in chosen), named=tuple(named))


def _versions(rows: list[Any]) -> Change:
    """By what they came to, because an update reaches hundreds of stores."""
    counts: dict[str, int] = {}
    for row in rows:
        if row.version and row.version != row.was_version:
            counts[row.version] = counts.get(row.version, 0) + 1
    named = [Named(id="", name=version, amount=count) for version, count in sorted(counts.items(), reverse=True)]
    return Change(kind="version", stores=sum(counts.values()), named=tuple(named[:NAMED]))


def _sealed(session: Session, visible: ColumnElement[bool], yesterday: date) -> Change:
    more = case((Store.sealed > DayFigures.sealed, Store.sealed - DayFigures.sealed), else_=0)
    stores, amount = session.execute(
        select(func.sum(case((Store.sealed > DayFigures.sealed, 1), else_=0)), func.sum(more))
        .join(DayFigures, and_(DayFigures.store_id == Store.id, DayFigures.day == yesterday))
        .where(visible)
    ).one()
    return Change(kind="sealed", stores=int(stores or 0), amount=int(amount or 0))


def _incidents(session: Session, visible: ColumnElement[bool], moment: datetime) -> Change:
    condition = and_(StoredIncident.discovered_at >= moment - DAY, visible)
    joined = select(Store.id, Store.name, StoredIncident.incident_id, StoredIncident.kind).join(
        Store, Store.id == StoredIncident.store_id
    )
    rows = session.execute(joined.where(condition).order_by(StoredIncident.discovered_at.desc()).limit(500)).all()
    named = [Named(id=row[0], name=row[1], before=row[2], after=row[3]) for row in rows[:NAMED]]
    return Change(kind="incidents", stores=len({row[0] for row in rows}), amount=len(rows), named=tuple(named))


def _silent(session: Session, visible: ColumnElement[bool], moment: datetime) -> Change:
    edge = moment - SILENT_AFTER
    condition = and_(visible, Store.heard_at < edge, Store.heard_at >= edge - DAY)
    rows = session.execute(select(Store.id, Store.name).where(condition).order_by(Store.heard_at).limit(NAMED)).all()
    count = session.scalar(select(func.count()).select_from(Store).where(condition)) or 0
    return Change(kind="silent", stores=count, named=tuple(Named(id=row[0], name=row[1]) for row in rows))
