"""Stores, the places with customer information in them, their alerts and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.api.caller import Asker, problems
from central.api.paging import Page, Pager, Sliced, page_of
from central.api.places import places_of
from central.api.shapes import AlertShape, EventShape, PlaceShape, StoreShape
from central.api.words import is_silent, urgency
from central.models import Store, StoredAlert, StoredEvent
from central.moments import now

router = APIRouter(tags=["stores"], responses=problems())
BY_ID: Final = Pager(keys=((Store.id, False, str),))
ALERTS: Final = Pager(
    keys=((StoredAlert.at, True, datetime), (StoredAlert.store_id, False, str), (StoredAlert.alert_id, False, str))
)
EVENTS: Final = Pager(
    keys=(
        (StoredEvent.at, True, datetime), (StoredEvent.store_id, False, str), (StoredEvent.number, True, int),
        (StoredEvent.place, False, int),
    )
)  # fmt: skip
Word = Annotated[str | None, Query(max_length=80)]
Open = Annotated[bool | None, Query(alias="open")]
Identifier = Annotated[str | None, Query(max_length=40)]


@dataclass(frozen=True)
class Span:
    """Of which store and time, by the query of a request."""

    store: Identifier = None
    since: Annotated[datetime | None, Query(description="not before")] = None
    until: Annotated[datetime | None, Query(description="before")] = None


Spanned = Annotated[Span, Depends()]


@router.get("/stores", summary="Stores")
def list_stores(ask: Asker, wish: Sliced, entity: Identifier = None, region: Identifier = None) -> Page[StoreShape]:
    """All stores that the token may see, by identifier."""
    query = select(Store).where(ask.viewer.visible())
    if entity is not None:
        query = query.where(Store.entity_id == whole(entity))
    if region is not None:
        query = query.where(Store.region_id == whole(region))
    with ask.reading() as session:
        rows, after = BY_ID.read(session, query, wish)
        moment = now()
        return page_of(rows, after, lambda row: store_shape(row[0], moment))


@router.get("/stores/{store}", summary="One store")
def one_store(ask: Asker, store: str) -> StoreShape:
    """A store and its figures."""
    with ask.reading() as session:
        return store_shape(ask.store(session, store), now())


@router.get("/stores/{store}/places", summary="Its inventory")
def list_places(
    ask: Asker,
    store: str,
    wish: Sliced,
    level: Annotated[int | None, Query(ge=1, le=4)] = None,
    state: Word = None,
) -> Page[PlaceShape]:  # fmt: skip
    """Places with customer information, by their identifiers; `level` and `state` choose among them."""
    with ask.reading() as session:
        ask.store(session, store)
        return places_of(session, store, wish, level=level, state=state)


@router.get("/alerts", summary="Alerts")
def list_alerts(ask: Asker, wish: Sliced, span: Spanned, is_open: Open = None) -> Page[AlertShape]:
    """Alerts, the newest first."""
    query = select(StoredAlert).join(Store, Store.id == StoredAlert.store_id).where(ask.viewer.visible())
    if is_open is not None:
        query = query.where(StoredAlert.is_open.is_(is_open))
    query = within(query, StoredAlert, span)
    with ask.reading() as session:
        rows, after = ALERTS.read(session, query, wish)
        return page_of(rows, after, lambda row: _alert(row[0]))


@router.get("/events", summary="Events")
def list_events(ask: Asker, wish: Sliced, span: Spanned, severity: Word = None, kind: Word = None) -> Page[EventShape]:
    """Events, the newest first. Ask with `since`: on PostgreSQL only the months that it touches are read."""
    query = select(StoredEvent).join(Store, Store.id == StoredEvent.store_id).where(ask.viewer.visible())
    if severity is not None:
        query = query.where(StoredEvent.severity == whole(severity))
    if kind is not None:
        query = query.where(StoredEvent.kind == whole(kind))
    query = within(query, StoredEvent, span)
    with ask.reading() as session:
        rows, after = EVENTS.read(session, query, wish)
        return page_of(rows, after, lambda row: _event(row[0]))


def within(query: Any, table: Any, span: Span) -> Any:
    """A question narrowed to a store and a time."""
    if span.store is not None:
        query = query.where(table.store_id == whole(span.store))
    if span.since is not None:
        query = query.where(table.at >= zoned(span.since))
    if span.until is not None:
        query = query.where(table.at < zoned(span.until))
    return query


def zoned(moment: datetime) -> datetime:
    """A time without a zone is UTC. The ends of the calendar have no UTC in some zones: they stay what they are."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def whole(text: str) -> str:
    """A text that a database takes: PostgreSQL's text holds no NUL, so nothing there equals one that has it."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def store_shape(store: Store, moment: datetime) -> StoreShape:
    """A store as answered."""
    return StoreShape(
        id=store.id, name=store.name, entity=store.entity_id, region=store.region_id, urgency=urgency(store, moment),
        silent=is_silent(store, moment), enrolled_at=store.enrolled_at, revoked_at=store.revoked_at,
        heard_at=store.heard_at, scanned_at=store.scanned_at, version=store.version, tier=store.tier, mode=store.mode,
        persons=store.persons, places=store.places, sealed=store.sealed, exposed=store.exposed, unread=store.unread,
        listed=store.listed, score=store.score, open_alerts=store.open_alerts, open_incidents=store.open_incidents,
        faults=store.faults,
    )  # fmt: skip


def names_of(session: Session, ids: set[str]) -> dict[str, str]:
    """Names of some stores."""
    return {row.id: row.name for row in session.execute(select(Store.id, Store.name).where(Store.id.in_(ids)))}


def _alert(row: StoredAlert) -> AlertShape:
    said = row.document
    return AlertShape(
        store=row.store_id, id=row.alert_id, at=row.at, open=row.is_open, kind=str(said.get("kind", "")),
        severity=str(said.get("severity", "")), text=str(said.get("text", "")), program=str(said.get("program", "")),
        user=str(said.get("user", "")), action=str(said.get("action", "")),
    )  # fmt: skip


def _event(row: StoredEvent) -> EventShape:
    said = row.document
    return EventShape(
        store=row.store_id, at=row.at, report=row.number, kind=row.kind, severity=row.severity,
        text=str(said.get("text", "")), user=str(said.get("user", "")), program=str(said.get("program", "")),
        place=str(said.get("place", "")), count=int(said.get("count", 0) or 0),
    )  # fmt: skip
