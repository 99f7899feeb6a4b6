"""A store: what it holds and how it is."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select
from starlette.routing import Route

from central.documents import Alert, Health, Incident, Inventory
from central.models import Anchor, Fault, Gap, Snapshot, StoredAlert, StoredIncident
from central.moments import now
from central.pages.attention import SILENT_AFTER, sealed_share
from central.pages.doors import Doors, Visit

MAX_ALERTS: Final = 50


def routes(doors: Doors) -> list[Route]:
    """Path of a store's page."""
    return [doors.page("/stores/{store}", one_store)]


def one_store(visit: Visit) -> tuple[str, dict[str, Any]]:
    """What a store holds and how it is."""
    session = visit.session
    store = visit.store()
    snapshots = {row.kind: row for row in session.scalars(select(Snapshot).where(Snapshot.store_id == store.id))}
    inventory, health = snapshots.get("inventory"), snapshots.get("health")
    incidents = session.scalars(
        select(StoredIncident)
        .where(StoredIncident.store_id == store.id)
        .order_by(StoredIncident.is_open.desc(), StoredIncident.discovered_at.desc())
    )
    alerts = session.scalars(
        select(StoredAlert)
        .where(StoredAlert.store_id == store.id)
        .order_by(StoredAlert.is_open.desc(), StoredAlert.at.desc())
        .limit(MAX_ALERTS)
    )
    return "store.html", {
        "store": store,
        "share": sealed_share(store),
        "is_silent": store.heard_at is None or store.heard_at + SILENT_AFTER < now(),
        "inventory": Inventory.model_validate(inventory.document) if inventory else None,
        "inventory_at": inventory.written_at if inventory else None,
        "health": Health.model_validate(health.document) if health else None,
        "health_at": health.written_at if health else None,
        "incidents": [Incident.model_validate(row.document) for row in incidents],
        "alerts": [Alert.model_validate(row.document) for row in alerts],
        "faults": list(session.scalars(select(Fault).where(Fault.store_id == store.id))),
        "gaps": list(session.scalars(select(Gap).where(Gap.store_id == store.id).order_by(Gap.number))),
        "anchor": session.scalar(
            select(Anchor).where(Anchor.store_id == store.id).order_by(Anchor.entries.desc()).limit(1)
        ),
    }
