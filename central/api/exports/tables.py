"""What can be exported: a name, columns, and rows of what somebody may export, read in small portions.

Each portion has a session of its own: a slow reader at the other end holds no transaction open, and of five million
places one section is in memory at a time. The price: an export is no single moment; its first line says from when to
when it was read only as far as the record of it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from central.api.incidents import clocks_of
from central.api.places import sections_of
from central.api.words import is_silent, urgency
from central.models import Act, Entity, Region, Section, Store, StoredIncident
from central.moments import now
from central.people.rights import Act as Right
from central.people.rights import Viewer

PORTION: Final = 500
Cell = str | int | float | bool | datetime | None
Row = Sequence[Cell]
Sessions = sessionmaker[Session]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that can be exported. `columns` are keys of the texts `hq_api.column_*` and of the JSON rows."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Sessions, Viewer], Iterator[Row]]
    count: Callable[[Session, Viewer], int]
    """About how many rows there will be."""
    right: Right = "export"
    """Needed beside `export`."""


def _stores(sessions: Sessions, viewer: Viewer, last: str = "") -> Iterator[Store]:
    while True:
        with sessions() as session:
            query = select(Store).where(Store.id > last, viewer.visible("export")).order_by(Store.id).limit(PORTION)
            found = session.scalars(query).all()
        yield from found
        if len(found) < PORTION:
            return
        last = found[-1].id


def _store_rows(sessions: Sessions, viewer: Viewer) -> Iterator[Row]:
    moment = now()
    with sessions() as session:
        entities = {row.id: row.name for row in session.scalars(select(Entity))}
        regions = {row.id: row.name for row in session.scalars(select(Region))}
    for store in _stores(sessions, viewer):
        yield (
            store.id, store.name, entities.get(store.entity_id or "", ""), regions.get(store.region_id or "", ""),
            urgency(store, moment), is_silent(store, moment), store.heard_at, store.scanned_at, store.version,
            store.tier, store.mode, store.persons, store.places, store.sealed, store.exposed, store.unread,
            store.listed, store.score, store.open_alerts, store.open_incidents, store.faults,
        )  # fmt: skip


def _place_rows(sessions: Sessions, viewer: Viewer) -> Iterator[Row]:
    for store in _stores(sessions, viewer):
        with sessions() as session:
            for _section, places in sections_of(session, store.id):
                session.rollback()  # the next section is read at its own moment
                for place in places:  # five million of them: no more is done than must be
                    get = place.get
                    yield (
                        store.id, store.name, get("id", ""), get("path", ""), get("label", ""), get("kind", ""),
                        get("level", 1), get("persons", 0), get("state", ""), " ".join(get("entities", ())),
                    )  # fmt: skip


def _incidents(sessions: Sessions, viewer: Viewer, *, open_only: bool) -> Iterator[tuple[StoredIncident, str]]:
    after: tuple[str, str] = ("", "")
    while True:
        query = (
            select(StoredIncident, Store.name)
            .join(Store, Store.id == StoredIncident.store_id)
            .where(
                viewer.visible("export"),
                (StoredIncident.store_id > after[0])
                | ((StoredIncident.store_id == after[0]) & (StoredIncident.incident_id > after[1])),
            )
            .order_by(StoredIncident.store_id, StoredIncident.incident_id)
            .limit(PORTION // 10)  # a document may hold thousands of steps
        )
        if open_only:
            query = query.where(StoredIncident.is_open)
        with sessions() as session:
            found = [(row[0], row[1]) for row in session.execute(query)]
        yield from found
        if len(found) < PORTION // 10:
            return
        after = (found[-1][0].store_id, found[-1][0].incident_id)


def _incident_rows(sessions: Sessions, viewer: Viewer) -> Iterator[Row]:
    for row, name in _incidents(sessions, viewer, open_only=False):
        said = row.document
        yield (
            row.store_id, name, row.incident_id, row.case_id, row.kind, row.phase, row.is_open, row.discovered_at,
            row.deadline_at, said.get("summary", ""), said.get("files", 0), said.get("persons", 0),
            " ".join(str(word) for word in said.get("types", ())),
        )  # fmt: skip


def _clock_rows(sessions: Sessions, viewer: Viewer) -> Iterator[Row]:
    for row, name in _incidents(sessions, viewer, open_only=True):
        for clock in clocks_of(row):
            yield (
                row.store_id, name, row.incident_id, row.discovered_at, clock.title, clock.regime, clock.state,
                clock.deadline,
            )  # fmt: skip


def _record_rows(sessions: Sessions, _viewer: Viewer) -> Iterator[Row]:
    last = 0
    while True:
        with sessions() as session:
            found = session.scalars(select(Act).where(Act.id > last).order_by(Act.id).limit(PORTION)).all()
        for act in found:
            yield act.id, act.at, act.actor, act.act, act.store_id, act.detail, act.digest
        if len(found) < PORTION:
            return
        last = found[-1].id


def _count_stores(session: Session, viewer: Viewer) -> int:
    return session.scalar(select(func.count()).select_from(Store).where(viewer.visible("export"))) or 0


def _count_places(session: Session, viewer: Viewer) -> int:
    query = select(func.sum(Section.places)).join(Store, Store.id == Section.store_id)
    return int(session.scalar(query.where(viewer.visible("export"))) or 0)


def _count_incidents(session: Session, viewer: Viewer) -> int:
    query = select(func.count()).select_from(StoredIncident).join(Store, Store.id == StoredIncident.store_id)
    return session.scalar(query.where(viewer.visible("export"))) or 0


def _count_record(session: Session, _viewer: Viewer) -> int:
    return session.scalar(select(func.count()).select_from(Act)) or 0


TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        Table(
            name="stores",
            columns=(
                "store", "name", "entity", "region", "urgency", "silent", "heard_at", "scanned_at", "version", "tier",
                "mode", "persons", "places", "sealed", "exposed", "unread", "listed", "score", "open_alerts",
                "open_incidents", "faults",
            ),
            rows=_store_rows, count=_count_stores,
        ),
        Table(
            name="places",
            columns=(
                "store", "name", "place", "path", "label", "kind", "level", "persons", "state", "entities",
            ),
            rows=_place_rows, count=_count_places,
        ),
        Table(
            name="incidents",
            columns=(
                "store", "name", "incident", "case", "kind", "phase", "open", "discovered_at", "deadline_at",
                "summary", "files", "persons", "types",
            ),
            rows=_incident_rows, count=_count_incidents,
        ),
        Table(
            name="clocks",
            columns=("store", "name", "incident", "discovered_at", "title", "regime", "state", "deadline"),
            rows=_clock_rows, count=_count_incidents,
        ),
        Table(
            name="record",
            columns=("id", "at", "actor", "act", "store", "detail", "digest"),
            rows=_record_rows, count=_count_record, right="record",
        ),
    )
}  # fmt: skip
"""The explicit list."""
