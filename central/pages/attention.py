"""Which store needs somebody, and why: an open incident first, then alerts, faults, data lying open, silence, and what
was never scanned. The first and the last are known when a report comes in (`Store.urgency`); silence is judged when
asked, since nothing comes in then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from central.models import Store, StoredIncident

Urgency = Literal["incident", "alert", "fault", "exposed", "silent", "unscanned", "fine"]
ORDER: Final[dict[Urgency, int]] = {
    "incident": 60, "alert": 50, "fault": 40, "exposed": 30, "silent": 20, "unscanned": 10, "fine": 0,
}  # fmt: skip
WORDS: Final = {number: word for word, number in ORDER.items()}
SILENT: Final = ORDER["silent"]
SILENT_AFTER: Final = timedelta(hours=1)
MOST_INCIDENTS: Final = 3
"""Named on a tile."""


@dataclass(frozen=True, kw_only=True)
class OpenIncident:
    """What a tile says of an incident."""

    id: str
    kind: str
    phase: str
    discovered_at: datetime
    deadline_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One store on the first page. `share` is the part of the places with customers that is sealed, in percent."""

    store: Store
    urgency: Urgency
    is_silent: bool
    share: int | None
    incidents: tuple[OpenIncident, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Of all stores that somebody may see: how many by urgency, and their figures added up."""

    counts: dict[Urgency, int]
    persons: int
    places: int
    sealed: int
    exposed: int
    unread: int
    incidents: int
    alerts: int

    @property
    def stores(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def needing(self) -> int:
        """Those that are not fine."""
        return self.stores - self.counts["fine"]

    @property
    def share(self) -> int | None:
        """Percent of the places that are sealed."""
        return percent(self.sealed, self.places)


def percent(part: int, whole: int) -> int | None:
    """Cut, not rounded: 100 means all. None where there is nothing."""
    return part * 100 // whole if whole else None


def sealed_share(store: Store) -> int | None:
    """Percent of the places that are sealed."""
    return percent(store.sealed, store.places)


def is_silent(store: Store, moment: datetime) -> bool:
    """Whether it was not heard from for an hour, or never."""
    return store.heard_at is None or store.heard_at + SILENT_AFTER < moment


def urgency_at(moment: datetime) -> ColumnElement[int]:
    """SQL: how urgent a store is at a moment."""
    silent = or_(Store.heard_at.is_(None), Store.heard_at < moment - SILENT_AFTER)
    return case((and_(Store.urgency < SILENT, silent), SILENT), else_=Store.urgency)


def word_of(urgency: int) -> Urgency:
    """The name of an urgency; one that a newer version wrote counts as the next lower."""
    return WORDS[max((number for number in WORDS if number <= urgency), default=0)]


def sums(session: Session, condition: ColumnElement[bool], moment: datetime) -> Sums:
    """Add up all stores under a condition, in one look."""
    urgency = urgency_at(moment)
    figures = (
        Store.persons, Store.places, Store.sealed, Store.exposed, Store.unread, Store.open_incidents,
        Store.open_alerts,
    )  # fmt: skip
    rows = session.execute(
        select(urgency, func.count(), *(func.sum(figure) for figure in figures)).where(condition).group_by(urgency)
    ).all()
    counts: dict[Urgency, int] = dict.fromkeys(ORDER, 0)
    for row in rows:
        counts[word_of(row[0])] += row[1]
    added = [sum(int(row[place] or 0) for row in rows) for place in range(2, 2 + len(figures))]
    return Sums(
        counts=counts, persons=added[0], places=added[1], sealed=added[2], exposed=added[3], unread=added[4],
        incidents=added[5], alerts=added[6],
    )  # fmt: skip


def tiles(
    session: Session, condition: ColumnElement[bool], moment: datetime, *, limit: int, offset: int = 0
) -> list[Tile]:
    """Stores under a condition, the most urgent first, then those with most customers."""
    urgency = urgency_at(moment)
    rows = session.execute(
        select(Store, urgency)
        .where(condition)
        .order_by(urgency.desc(), Store.persons.desc(), Store.name, Store.id)
        .limit(limit)
        .offset(offset)
    ).all()
    incidents = open_incidents(session, [store.id for store, number in rows if number >= ORDER["incident"]])
    return [
        Tile(
            store=store, urgency=word_of(number), is_silent=is_silent(store, moment), share=sealed_share(store),
            incidents=tuple(incidents.get(store.id, ())),
        )
        for store, number in rows
    ]  # fmt: skip


def open_incidents(session: Session, store_ids: list[str]) -> dict[str, list[OpenIncident]]:
    """The newest open incidents of some stores, without their documents."""
    found: dict[str, list[OpenIncident]] = {}
    if not store_ids:
        return found
    rows = session.execute(
        select(
            StoredIncident.store_id, StoredIncident.incident_id, StoredIncident.kind, StoredIncident.phase,
            StoredIncident.discovered_at, StoredIncident.deadline_at,
        )
        .where(StoredIncident.is_open, StoredIncident.store_id.in_(store_ids))
        .order_by(StoredIncident.discovered_at.desc())
    )  # fmt: skip
    for store_id, identifier, kind, phase, discovered, deadline in rows:
        some = found.setdefault(store_id, [])
        if len(some) < MOST_INCIDENTS:
            some.append(
                OpenIncident(id=identifier, kind=kind, phase=phase, discovered_at=discovered, deadline_at=deadline)
            )
    return found
