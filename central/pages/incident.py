"""An incident: phase, clocks, who did what, documents."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.documents import Incident
from central.models import StoredIncident
from central.moments import now
from central.pages.doors import Doors, Visit

PHASES: Final = ("reported", "directed", "responding", "cleaning", "reviewing", "closed")


def routes(doors: Doors) -> list[Route]:
    """Path of an incident's page."""
    return [doors.page("/incidents/{store}/{incident}", one_incident)]


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
