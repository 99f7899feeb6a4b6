"""The pages: stores by what needs attention, one store, one incident."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.documents import Alert, Health, Incident, Inventory
from central.models import Anchor, Fault, Gap, Snapshot, StoredAlert, StoredIncident
from central.moments import now
from central.pages.attention import SILENT_AFTER, sealed_share, tiles
from central.pages.doors import Doors, Visit

PHASES: Final = ("reported", "directed", "responding", "cleaning", "reviewing", "closed")
MAX_ALERTS: Final = 50


class Views:
    """The list of pages."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the pages."""
        return [
            self._doors.page("/", overview),
            self._doors.page("/stores/{store}", one_store),
            self._doors.page("/incidents/{store}/{incident}", one_incident),
        ]


def overview(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Stores by what needs attention."""
    found = tiles(visit.session, now())
    return "overview.html", {
        "urgent": [tile for tile in found if tile.needs_someone],
        "fine": [tile for tile in found if not tile.needs_someone],
        "persons": sum(tile.store.persons for tile in found),
        "incidents": sum(len(tile.incidents) for tile in found),
    }


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


def one_incident(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Phase, clocks, who did what, documents."""
    session = visit.session
    store = visit.store()
    row = session.get(StoredIncident, (store.id, visit.request.path_params["incident"]))
    if row is None:
        raise HTTPException(404)
    incident = Incident.model_validate(row.document)
    reached = PHASES.index(incident.phase) if incident.phase in PHASES else -1
    moment = now()
    return "incident.html", {
        "store": store,
        "incident": incident,
        "phases": [(name, place < reached, place == reached) for place, name in enumerate(PHASES)],
        "clocks": [
            (clock, int((clock.deadline - moment).total_seconds()) if clock.deadline else None)
            for clock in incident.clocks
        ],
        "elapsed": int((moment - incident.discovered_at).total_seconds()),
        "told_at": row.number,
        "is_open": row.is_open,
    }
