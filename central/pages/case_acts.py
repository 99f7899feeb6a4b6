"""Acts on all stores of a case: one order for every store that it fits, with what will happen in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast, get_args

from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.direct.orders import ACT_OF_KIND, give_order, needs_officers
from central.moments import now
from central.pages.acts import (
    CHANNELS,
    DUE_MINUTES,
    ISOLATE_MINUTES,
    LASTING_HOURS,
    SAMPLES,
    chosen_number,
    read_params,
)  # fmt: skip
from central.pages.briefs import Told
from central.pages.case import ON_ALL, StoreLine, find_case, lines_of
from central.pages.clocks import line_of
from central.pages.doors import Doors, Fields, Visit
from central.pages.incident_view import ENDED
from central.people.rights import Viewer
from config.errors import UsageError
from config.orders import ALONE_MINUTES, OrderKind
from config.schema import Role
from config.text import Language, Text

FRESH: Final[frozenset[OrderKind]] = frozenset({"isolate_on", "dismiss"})


def routes(doors: Doors) -> list[Route]:
    """Paths of the forms and where they are sent to."""
    return [
        doors.page("/cases/{case}/do/{act}", show_act),
        *(
            doors.form(f"/cases/{{case}}/do/{kind}", partial(carry_out, kind), ACT_OF_KIND[kind], fresh=kind in FRESH)
            for kind in ON_ALL
        ),
    ]


def show_act(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The form of an act on all stores of a case."""
    case, kind, language = find_case(visit), visit.request.path_params["act"], cast("Language", visit.language)
    if kind not in ON_ALL or case.closed_at is not None:
        raise HTTPException(404)
    visit.viewer.require(ACT_OF_KIND[kind])
    lines = lines_of(visit.session, visit.viewer, case, language)
    reached = _reached(visit.viewer, kind, lines)
    duties = {
        line.key: line
        for one in lines
        if one.told is not None
        for clock in one.told.incident.clocks
        if (line := line_of(clock, one.told.incident, language, now())).state not in ("stopped", "waiting")
    }
    entities = sorted({side.name for line in duties.values() for side in line.entities if side.name})
    asked = visit.request.query_params
    return "case_act.html", {
        "case": case, "kind": kind, "reached": reached, "silent": sum(line.is_silent for line in reached),
        "left_out": len(lines) - len(reached),
        "officers": needs_officers(kind, [line.store for line in reached] or "all", SAMPLES.get(kind, {})),
        "roles": get_args(Role), "due_minutes": DUE_MINUTES, "isolate_minutes": ISOLATE_MINUTES,
        "alone_minutes": ALONE_MINUTES, "lasting_hours": LASTING_HOURS, "duties": list(duties.values()),
        "entities": entities, "chosen_duty": asked.get("duty", "")[:120],
        "chosen_entity": asked.get("entity", "")[:200],
        "channels": CHANNELS,
        "local_now": f"{now().astimezone(visit.office.timezone):%Y-%m-%dT%H:%M}", "refresh": 0,
    }  # fmt: skip


def _reached(viewer: Viewer, kind: OrderKind, lines: Sequence[StoreLine], *, entity: str = "") -> list[StoreLine]:
    """Stores whom an order of this kind can mean: with an incident that is not over, and of this entity."""
    needs_incident = kind not in ("isolate_on", "rescan")
    return [
        line
        for line in lines
        if viewer.may(ACT_OF_KIND[kind], line.store)
        and (not needs_incident or (line.told is not None and _fits(kind, line.told)))
        and (not entity or (line.told is not None and entity in {party.name for party in line.told.incident.entities}))
    ]


def _fits(kind: OrderKind, told: Told) -> bool:
    if kind == "submit":
        return told.incident.phase != "dismissed"
    return told.incident.phase not in ENDED and (kind != "direct" or told.incident.phase != "reported")


def carry_out(kind: OrderKind, visit: Visit, fields: Fields) -> str:
    """Give the order to every store of the case that it fits.

    Raises:
        UsageError: not confirmed, a wrong field, or no store is left that it fits.
        RefusedError: not allowed.
    """
    case, language = find_case(visit), cast("Language", visit.language)
    text = Text(language)
    if fields.optional("confirmed") != "yes":
        raise UsageError(text("hq_incident.not_confirmed"))
    params = {} if kind == "rescan" else read_params(kind, "", fields, visit.office.timezone)
    entity = str(params.get("entity", "")) if kind == "submit" else ""
    reached = _reached(visit.viewer, kind, lines_of(visit.session, visit.viewer, case, language), entity=entity)
    if not reached:
        raise UsageError(text("hq_incident.no_store_fits"))
    params.pop("incident", None)
    give_order(
        visit.session, visit.viewer, kind, [line.store for line in reached], params,
        reason=fields.optional("why") or str(params.get("reason") or "") or text(f"hq_incident.act_{kind}"),
        case_id=case.id, lasts=timedelta(hours=chosen_number(fields, "hours", LASTING_HOURS, 24)),
    )  # fmt: skip
    visit.note(f"case.{kind}", case.id)
    return f"/cases/{case.id}#orders"
