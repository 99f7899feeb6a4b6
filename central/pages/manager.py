"""The store manager's pages, for a phone: 今天, 哪里有顾客信息, 出事了. Plain words, three things at most.

Whoever holds a role for one store only comes here after the login. Nothing here needs to be known before: what is to be
done is said, with whom to call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeVar, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.api.places import sections_of
from central.documents import Health, Incident, Training
from central.models import Grant, Person, Snapshot, Store, StoredIncident
from central.moments import now
from central.pages.attention import SILENT_AFTER
from central.pages.doors import Doors, Visit
from central.pages.incident_view import read_incident, roles_at, tasks_of
from central.pages.paging import page_of
from central.people.rights import Viewer
from config.schema import Role
from config.text import Language

MOST: Final = 3
PLACES: Final = 30
DISK_LOW: Final = 0.05
Verdict = Literal["fine", "look", "act"]
Told = TypeVar("Told", Health, Training)
TO_CALL: Final[tuple[Role, ...]] = (
    "area_manager", "response_lead", "security_lead", "security_deputy", "tech_support", "legal",
)  # fmt: skip
CALLED: Final = 4


def routes(doors: Doors) -> list[Route]:
    """Paths of the three pages; the third has a module of its own (`trouble`)."""
    return [doors.page("/my", today), doors.page("/my/data", where_data_lies)]


def is_of_one_store(viewer: Viewer) -> bool:
    """Everything this person may do is in stores named one by one: theirs is the simple page."""
    return bool(viewer.rights) and all(right.scope == "store" for right in viewer.rights)


def my_stores(visit: Visit) -> list[Store]:
    """Stores that are this viewer's own, by name."""
    own = [right.scope_id for right in visit.viewer.rights if right.scope == "store"]
    return list(
        visit.session.scalars(
            select(Store)
            .where(Store.id.in_(own), visit.viewer.visible("look"), Store.revoked_at.is_(None))
            .order_by(Store.name)
        )
    )


def my_store(visit: Visit) -> tuple[Store, list[Store]]:
    """The store that the page is about (`?store=`, else the first of one's own), and all of one's own.

    Raises:
        HTTPException: 404: there is none.
    """
    stores = my_stores(visit)
    asked = visit.request.query_params.get("store", "")
    if asked:
        store = visit.session.get(Store, asked[:40])
        if store is None or not visit.viewer.may("look", store):
            raise HTTPException(404)
        return store, stores
    if not stores:
        raise HTTPException(404)
    return stores[0], stores


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something to do: `key` of its texts (`hq_my.do_<key>`, `…_why`, `…_button`), their values, and where it leads."""

    key: str
    path: str
    values: dict[str, Any]


def today(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Is the till fine, and what is there to do."""
    store, stores = my_store(visit)
    moment = now()
    incidents = [
        read_incident(row)
        for row in visit.session.scalars(
            select(StoredIncident)
            .where(StoredIncident.store_id == store.id, StoredIncident.is_open)
            .order_by(StoredIncident.discovered_at.desc())
            .limit(5)
        )
    ]
    health = _snapshot(visit.session, store.id, "health", Health)
    things = list(_things(visit, store, incidents, health, moment))
    return "my.html", {
        "store": store,
        "stores": stores,
        "verdict": verdict_of(store, incidents, moment),
        "things": things[:MOST],
        "more": len(things) - MOST,
        "incidents": incidents,
        "people": people_to_call(visit.session, store),
        "refresh": 15,
    }


def verdict_of(store: Store, incidents: Sequence[Incident], moment: datetime) -> tuple[Verdict, str]:
    """How it looks, and the key of the sentence that says so (`hq_my.till_…`)."""
    if store.heard_at is None:
        return "look", "never"
    if store.heard_at + SILENT_AFTER < moment:
        return "look", "silent"
    if any(incident.isolation is not None and incident.isolation.everything for incident in incidents):
        return "act", "isolated"
    if any(incident.phase not in ("reported", "reviewing") for incident in incidents):
        return "act", "incident"
    if incidents or store.open_alerts:
        return "look", "alert"
    return "fine", "fine"


def _things(
    visit: Visit, store: Store, incidents: Sequence[Incident], health: Health | None, moment: datetime
) -> Iterator[Thing]:
    language = cast("Language", visit.language)
    roles = roles_at(visit.viewer, store)
    for incident in incidents:
        path = f"/incidents/{store.id}/{incident.id}"
        mine = tasks_of(incident, visit.viewer, roles, language)
        for task in mine.orders:
            yield Thing(key="order", path=f"{path}#mine", values={"text": task.text, "by": task.by})
        if mine.approvals:
            yield Thing(key="approve", path=f"{path}#mine", values={"text": mine.approvals[0].what})
        if not mine.orders:
            yield Thing(key="incident", path=path, values={"summary": incident.summary[:120]})
    if store.heard_at is None or store.heard_at + SILENT_AFTER < moment:
        yield Thing(key="silent", path="/my/trouble?what=silent", values={})
    if store.open_alerts and not incidents:
        yield Thing(key="alert", path=f"/my/trouble?store={store.id}", values={"count": store.open_alerts})
    if health is not None and health.disk_total and health.disk_free < health.disk_total * DISK_LOW:
        yield Thing(key="disk", path="#call", values={})
    if store.exposed:
        yield Thing(key="exposed", path=f"/my/data?store={store.id}", values={"count": f"{store.exposed:,}"})
    training = _snapshot(visit.session, store.id, "training", Training)
    if training is not None and training.overdue:
        yield Thing(key="training", path=f"/stores/{store.id}", values={"count": training.overdue})
    if visit.person.confirmed_at is None or visit.person.confirmed_at < moment - timedelta(days=31):
        yield Thing(key="contacts", path="/own", values={})
    if store.scanned_at is None and store.heard_at is not None:
        yield Thing(key="unscanned", path="#call", values={})


def _snapshot(session: Session, store_id: str, kind: str, model: type[Told]) -> Told | None:
    row = session.get(Snapshot, (store_id, kind))
    return None if row is None else model.model_validate(row.document)


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Somebody to call."""

    name: str
    role: str
    mobile: str


def people_to_call(session: Session, store: Store) -> list[Contact]:
    """Who is called about this store, nearest first; only people who are still there."""
    scopes = or_(
        Grant.scope == "all",
        (Grant.scope == "region") & (Grant.scope_id == (store.region_id or "")),
        (Grant.scope == "entity") & (Grant.scope_id == (store.entity_id or "")),
        (Grant.scope == "store") & (Grant.scope_id == store.id),
    )
    rows = session.execute(
        select(Person, Grant.role)
        .join(Grant, Grant.person_id == Person.id)
        .where(scopes, Grant.role.in_(TO_CALL), Person.left_at.is_(None))
    ).all()
    ordered = sorted(rows, key=lambda row: (not row[0].mobile, TO_CALL.index(row[1]), row[0].name))
    found: dict[str, Contact] = {}
    for person, role in ordered:
        found.setdefault(person.id, Contact(name=person.name, role=role, mobile=person.mobile))
    return list(found.values())[:CALLED]


@dataclass(frozen=True, kw_only=True)
class PlaceLine:
    """A place in plain words: what people call it, the file's name, its folder; `what` is the key of what to do
    (`hq_my.todo_…`)."""

    label: str
    name: str
    folder: str
    kind: str
    persons: int
    level: int
    state: str
    what: str
    entities: tuple[str, ...]


def where_data_lies(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Places with customers, those that lie open and hold most first."""
    store, stores = my_store(visit)
    places = [
        _place(place) for _name, section in sections_of(visit.session, store.id) for place in section
        if place.get("state") != "gone"
    ]  # fmt: skip
    places.sort(key=lambda place: (place.state != "plain", -place.level, -place.persons, place.label))
    paging = page_of(visit.request, len(places), size=PLACES)
    return "my_data.html", {
        "store": store,
        "stores": stores,
        "places": places[paging.offset : paging.offset + paging.size],
        "paging": paging,
        "open": sum(place.state == "plain" for place in places),
        "sealed": sum(place.state in ("sealed", "vault") for place in places),
        "refresh": 30,
    }


def _place(place: dict[str, Any]) -> PlaceLine:
    path, state, kind = str(place.get("path", "")), str(place.get("state", "")), str(place.get("kind", ""))
    folder, _, name = path.rpartition("/")
    return PlaceLine(
        label=str(place.get("label") or name or path), name=name if place.get("label") else "",
        folder=folder or "/", kind=kind,
        persons=int(place.get("persons", 0)), level=int(place.get("level", 1)), state=state,
        what=_what_to_do(state, kind), entities=tuple(str(word) for word in place.get("entities", ())),
    )  # fmt: skip


def _what_to_do(state: str, kind: str) -> str:
    if state in ("sealed", "vault", "fenced"):
        return state
    if kind in ("sqlite", "table"):
        return "live"
    return {"sql_dump": "backup", "image": "image", "archive": "backup"}.get(kind, "stray")
