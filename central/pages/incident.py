"""The page of an incident: where it stands, what is due, what is mine to do, who did what, and every act on it."""

from __future__ import annotations

from typing import Any, Final, cast

from starlette.routing import Route

from central.law import grade_name, level_name
from central.models import Case
from central.moments import now
from central.pages import incident_view as view
from central.pages.acts import offered
from central.pages.attention import SILENT_AFTER
from central.pages.clocks import lines_of
from central.pages.doors import Doors, Visit
from central.pages.paging import page_of
from config.orders import APPROVED_BY_ORDER
from config.text import Language

STEPS: Final = 20
REFRESH: Final = 5


def routes(doors: Doors) -> list[Route]:
    """Path of an incident's page."""
    return [doors.page("/incidents/{store}/{incident}", one_incident)]


def one_incident(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Everything about one incident."""
    session, moment, language = visit.session, now(), cast("Language", visit.language)
    store, row, incident = view.find(visit)
    roles, lines = view.roles_at(visit.viewer, store), lines_of(incident, language, moment)
    given = view.orders_for(session, store, moment, incident=incident.id, case=incident.case or row.case_id)
    papers = view.papers_of(session, store.id, incident)
    acts = offered(visit.viewer, store, incident)
    reached = view.PHASES.index(incident.phase) if incident.phase in view.PHASES else -1
    area = visit.request.query_params.get("steps", "")
    steps = [step for step in reversed(incident.steps) if not area or view.area_of(step) == area]
    paging = page_of(visit.request, len(steps), size=STEPS, name="step")
    case_id = incident.case or row.case_id
    case = session.get(Case, case_id) if case_id else None
    return "incident.html", {
        "store": store,
        "incident": incident,
        "is_open": row.is_open,
        "is_silent": store.heard_at is None or store.heard_at + SILENT_AFTER < moment,
        "case": case,
        "phases": [(name, place < reached, place == reached) for place, name in enumerate(view.PHASES)],
        "lines": lines,
        "resting": [line for line in lines if not line.is_due],
        "mine": view.tasks_of(incident, visit.viewer, roles, language),
        "following": view.following(incident, language),
        "given": given,
        "waiting": sum(order.is_waiting for order in given),
        "acts": acts,
        "offered_kinds": {act.kind for act in acts},
        "by_order": APPROVED_BY_ORDER,
        "level": level_name(incident.level, language),
        "grade": grade_name(incident.law_grade, language),
        "pictures": [paper for paper in papers if paper.is_here and paper.media in view.PICTURES],
        "papers": papers,
        "areas": view.areas_of(incident.steps),
        "area": area,
        "steps": steps[paging.offset : paging.offset + paging.size],
        "paging": paging,
        "refresh": REFRESH,
    }
