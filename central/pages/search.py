"""Search over all stores: their names, incidents, what people call what lies about, alerts, and people.

Nothing reads every place: what things are called comes from the holdings (`central.summary`), up to a minute behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session
from starlette.routing import Route

from central.documents import Alert
from central.models import Holding, Person, Store, StoredAlert, StoredIncident
from central.moments import now
from central.pages.attention import Tile, tiles
from central.pages.doors import Doors, Visit
from central.pages.overview import named_like
from central.pages.render import choose_language, label

MAX_TEXT: Final = 80
STORES, INCIDENTS, LABELS, HOLDERS, ALERTS, PEOPLE = 20, 20, 8, 5, 20, 20
LOOKED_AT: Final = 500
"""The newest open alerts, among which is searched."""


@dataclass(frozen=True, kw_only=True)
class Called:
    """What goes by a name: in how many stores, and in which most."""

    label: str
    stores: int
    places: int
    persons: int
    exposed: int
    holders: tuple[tuple[str, str, int], ...]
    """The stores that hold most: identifier, name, places."""


@dataclass(frozen=True, kw_only=True)
class FoundAlert:
    """An open alert and whose it is."""

    store_id: str
    store_name: str
    alert: Alert


def routes(doors: Doors) -> list[Route]:
    """Path of the search."""
    return [doors.page("/search", search)]


def search(visit: Visit) -> tuple[str, dict[str, Any]]:
    """What fits a text."""
    session, text = visit.session, visit.request.query_params.get("q", "").strip()[:MAX_TEXT]
    visible = and_(visit.viewer.visible(), Store.revoked_at.is_(None))
    values: dict[str, Any] = {"text": text, "refresh": 0, "may_people": visit.viewer.may("people")}
    if not text:
        return "search.html", values | {"found": None}
    named = and_(visible, named_like(text))
    stores: list[Tile] = tiles(session, named, now(), limit=STORES)
    count = (
        session.scalar(select(func.count()).select_from(Store).where(named)) if len(stores) == STORES else len(stores)
    )
    found = {
        "stores": stores,
        "incidents": incidents(session, visible, text),
        "called": called(session, visible, text),
        "alerts": alerts(session, visible, text, choose_language(visit.request)),
        "people": people(session, text) if visit.viewer.may("people") else [],
    }
    return "search.html", values | {"found": found, "is_empty": not any(found.values()), "count": count}


def incidents(session: Session, visible: ColumnElement[bool], text: str) -> list[Any]:
    """Incidents and cases whose identifier begins with a text, the newest first."""
    return list(
        session.execute(
            select(
                StoredIncident.store_id, Store.name, StoredIncident.incident_id, StoredIncident.kind,
                StoredIncident.phase, StoredIncident.discovered_at,
            )
            .join(Store, Store.id == StoredIncident.store_id)
            .where(
                visible,
                or_(
                    StoredIncident.incident_id.startswith(text, autoescape=True),
                    StoredIncident.case_id.startswith(text, autoescape=True),
                ),
            )
            .order_by(StoredIncident.discovered_at.desc())
            .limit(INCIDENTS)
        )
    )  # fmt: skip


def called(session: Session, visible: ColumnElement[bool], text: str) -> list[Called]:
    """What goes by a name that has a text in it, most stores first."""
    labels = [name for name in labels_of(session) if name and text.lower() in name.lower()]
    if not labels:
        return []
    seen = Holding.store_id.in_(select(Store.id).where(visible))
    sums = session.execute(
        select(
            Holding.label, func.count(Holding.store_id.distinct()), func.sum(Holding.places),
            func.sum(Holding.persons), func.sum(Holding.exposed),
        )
        .where(Holding.label.in_(labels), seen)
        .group_by(Holding.label)
        .order_by(func.count(Holding.store_id.distinct()).desc(), Holding.label)
        .limit(LABELS)
    ).all()  # fmt: skip
    return [
        Called(
            label=name, stores=stores, places=int(places), persons=int(persons), exposed=int(exposed),
            holders=_holders(session, visible, name),
        )
        for name, stores, places, persons, exposed in sums
    ]  # fmt: skip


def labels_of(session: Session) -> list[str]:
    """All names there are, each found by one step in the index (PostgreSQL's DISTINCT would read every row)."""
    found = select(func.min(Holding.label).label("label")).cte("found", recursive=True)
    following = select(func.min(Holding.label)).where(Holding.label > found.c.label).correlate(found).scalar_subquery()
    found = found.union_all(select(following).where(found.c.label.is_not(None)))
    return [name for name in session.scalars(select(found.c.label)) if name is not None]


def _holders(session: Session, visible: ColumnElement[bool], name: str) -> tuple[tuple[str, str, int], ...]:
    most = (
        select(Holding.store_id, func.sum(Holding.places).label("places"))
        .where(Holding.label == name, Holding.store_id.in_(select(Store.id).where(visible)))
        .group_by(Holding.store_id)
        .order_by(func.sum(Holding.exposed).desc(), func.sum(Holding.places).desc(), Holding.store_id)
        .limit(HOLDERS)
        .subquery()
    )
    rows = session.execute(select(Store.id, Store.name, most.c.places).join(most, most.c.store_id == Store.id)).all()
    return tuple((identifier, store, int(places)) for identifier, store, places in rows)


def alerts(session: Session, visible: ColumnElement[bool], text: str, language: Any) -> list[FoundAlert]:
    """Open alerts, of the newest ones, whose kind, words, program or account have a text in them."""
    rows = session.execute(
        select(StoredAlert.store_id, Store.name, StoredAlert.document)
        .join(Store, Store.id == StoredAlert.store_id)
        .where(StoredAlert.is_open, visible)
        .order_by(StoredAlert.at.desc())
        .limit(LOOKED_AT)
    )
    wanted, found = text.lower(), []
    for store_id, name, document in rows:
        alert = Alert.model_validate(document)
        words = (alert.id, alert.kind, label(language, "alert", alert.kind), alert.text, alert.program, alert.user)
        if any(wanted in word.lower() for word in words):
            found.append(FoundAlert(store_id=store_id, store_name=name, alert=alert))
        if len(found) == ALERTS:
            break
    return found


def people(session: Session, text: str) -> list[Person]:
    """People by name or account; only for whoever may see them."""
    fits = or_(Person.name.icontains(text, autoescape=True), Person.login.icontains(text, autoescape=True))
    return list(
        session.scalars(select(Person).where(fits, Person.left_at.is_(None)).order_by(Person.name).limit(PEOPLE))
    )
