"""A store: what needs somebody there, what it holds, and how it is."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.routing import Route

from central.direct.orders import ACT_OF_KIND
from central.documents import (
    Alert,
    Assessment,
    Drill,
    Event,
    Health,
    Incident,
    Inventory,
    Part,
    Training,
    Vendors,
)  # fmt: skip
from central.models import (
    Anchor,
    Certificate,
    Entity,
    Gap,
    Region,
    Snapshot,
    StoredAlert,
    StoredDrill,
    StoredEvent,
    StoredIncident,
)  # fmt: skip
from central.moments import now
from central.pages.attention import is_silent, sealed_share
from central.pages.doors import Doors, Visit
from central.pages.faults import faults_of, settle_fault, settle_gaps
from central.pages.paging import page_of
from central.pages.places import places_page, worst_places
from config.orders import OrderKind

NAMED: Final = 10
"""Entries of each list that the store's own page shows."""
CLOSED_ALERTS: Final = 3
"""Shown where none or few are open."""
GAPS: Final = 20
ORDERS: Final[tuple[OrderKind, ...]] = ("rescan", "isolate_on", "isolate_off", "drill", "policy", "seal")
"""What can be ordered from here; declaring has a page of its own."""
SNAPSHOTS: Final[dict[str, type[Part]]] = {
    "inventory": Inventory, "health": Health, "assessment": Assessment, "training": Training, "vendors": Vendors,
}  # fmt: skip


def routes(doors: Doors) -> list[Route]:
    """Paths of a store's pages."""
    return [
        doors.page("/stores/{store}", one_store),
        doors.page("/stores/{store}/places", places_page),
        doors.page("/stores/{store}/alerts", alerts_page),
        doors.page("/stores/{store}/events", events_page),
        doors.form("/stores/{store}/faults/{kind}/settle", settle_fault, "stores"),
        doors.form("/stores/{store}/gaps/settle", settle_gaps, "stores"),
    ]


def one_store(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The page of a store: each part in short, with the way to the whole."""
    session, store, moment = visit.session, visit.store(), now()
    told = snapshots(session, store.id)
    inventory = told["inventory"][0]
    values = {
        "store": store,
        "region": session.get(Region, store.region_id) if store.region_id else None,
        "entity": session.get(Entity, store.entity_id) if store.entity_id else None,
        "share": sealed_share(store),
        "is_silent": is_silent(store, moment),
        "orders": [
            kind for kind in ORDERS if store.public_key is not None and visit.viewer.may(ACT_OF_KIND[kind], store)
        ],
        "may_report": visit.viewer.may("report", store),
        "may_settle": visit.viewer.may("stores", store),
        "incidents": incidents_of(session, store.id),
        "alerts": [
            Alert.model_validate(document)
            for document in session.scalars(
                _alerts(store.id)
                .with_only_columns(StoredAlert.document)
                .limit(max(CLOSED_ALERTS, min(NAMED, store.open_alerts)))
            )
        ],
        "faults": faults_of(session, store.id),
        "gaps": list(
            session.scalars(select(Gap).where(Gap.store_id == store.id).order_by(Gap.number.desc()).limit(GAPS))
        ),
        "groups": _levels(inventory) if inventory else [],
        "worst": worst_places(session, store.id, NAMED),
        "certificate": session.scalar(
            select(Certificate)
            .where(Certificate.store_id == store.id, Certificate.revoked_at.is_(None))
            .order_by(Certificate.expires_at.desc())
            .limit(1)
        ),
        "anchor": session.scalar(
            select(Anchor).where(Anchor.store_id == store.id).order_by(Anchor.entries.desc()).limit(1)
        ),
        "drills": [
            Drill.model_validate(document)
            for document in session.scalars(
                select(StoredDrill.document)
                .where(StoredDrill.store_id == store.id)
                .order_by(StoredDrill.at.desc())
                .limit(NAMED)
            )
        ],
        "moment": moment,
    }
    for kind, (document, written_at) in told.items():
        values[kind], values[f"{kind}_at"] = document, written_at
    return "store.html", values


def snapshots(session: Session, store_id: str) -> dict[str, tuple[Any, Any]]:
    """The newest documents of a store by kind, with when they were written; None for what it never told."""
    rows = session.execute(
        select(Snapshot.kind, Snapshot.document, Snapshot.written_at).where(
            Snapshot.store_id == store_id, Snapshot.kind.in_(SNAPSHOTS)
        )
    )
    told: dict[str, tuple[Any, Any]] = dict.fromkeys(SNAPSHOTS, (None, None))
    for kind, document, written_at in rows:
        told[kind] = SNAPSHOTS[kind].model_validate(document), written_at
    return told


def incidents_of(session: Session, store_id: str) -> list[Incident]:
    """The newest incidents, open ones first."""
    documents = session.scalars(
        select(StoredIncident.document)
        .where(StoredIncident.store_id == store_id)
        .order_by(StoredIncident.is_open.desc(), StoredIncident.discovered_at.desc())
        .limit(NAMED)
    )
    return [Incident.model_validate(document) for document in documents]


def alerts_page(visit: Visit) -> tuple[str, dict[str, Any]]:
    """All alerts, the open ones first."""
    store = visit.store()
    query = _alerts(store.id)
    paging = page_of(visit.request, count_of(visit.session, query))
    documents = visit.session.scalars(
        query.with_only_columns(StoredAlert.document).limit(paging.size).offset(paging.offset)
    )
    return "store_alerts.html", {
        "store": store, "alerts": [Alert.model_validate(document) for document in documents], "paging": paging,
    }  # fmt: skip


def events_page(visit: Visit) -> tuple[str, dict[str, Any]]:
    """What happened on the store, the newest first."""
    store = visit.store()
    severity = visit.request.query_params.get("severity", "")[:20]
    query = select(StoredEvent).where(StoredEvent.store_id == store.id)
    if severity:
        query = query.where(StoredEvent.severity == severity)
    paging = page_of(visit.request, count_of(visit.session, query))
    rows = visit.session.scalars(
        query.with_only_columns(StoredEvent.document)
        .order_by(StoredEvent.at.desc(), StoredEvent.number.desc(), StoredEvent.place.desc())
        .limit(paging.size)
        .offset(paging.offset)
    )
    severities = visit.session.scalars(
        select(StoredEvent.severity).where(StoredEvent.store_id == store.id).distinct().order_by(StoredEvent.severity)
    )
    return "store_events.html", {
        "store": store, "events": [Event.model_validate(row) for row in rows], "paging": paging, "severity": severity,
        "severities": [word for word in severities if word],
    }  # fmt: skip


def count_of(session: Session, query: Any) -> int:
    """How many rows a query would give."""
    return session.scalar(query.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)) or 0


def _alerts(store_id: str) -> Any:
    return (
        select(StoredAlert)
        .where(StoredAlert.store_id == store_id)
        .order_by(StoredAlert.is_open.desc(), StoredAlert.at.desc())
    )


def _levels(inventory: Inventory) -> list[Any]:
    return sorted(inventory.groups, key=lambda group: (-group.level, -group.persons, group.kind))
