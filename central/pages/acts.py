"""Acts on an incident from its page: each with its own form, what will happen in words, and a confirmation.

Nothing is done here: an order is given (`central.direct.orders`), the store decides and answers, and the incident's
page shows what became of it. A silent store gets the order when it is back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, cast, get_args
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.direct.orders import ACT_OF_KIND, give_order, needs_officers
from central.documents import Incident
from central.law import grading, levels
from central.models import Case, Store
from central.moments import now
from central.pages import own_words
from central.pages.attention import SILENT_AFTER
from central.pages.clocks import lines_of
from central.pages.doors import Doors, Fields, Visit
from central.pages.incident_view import ENDED, find, following
from central.people.rights import Viewer
from config.errors import UsageError
from config.orders import ALONE_MINUTES, IN_PERSON, OrderKind
from config.schema import Role
from config.text import Language, Text

DUE_MINUTES: Final = (15, 30, 60, 120, 240, 480, 1440, 2880, 10_080)
ISOLATE_MINUTES: Final = (15, 30, 60, 120, 240, 720, 1440)
LASTING_HOURS: Final = (1, 4, 24, 72, 168)
SCOPES: Final = ("", "alerts", "strays", "all")
LONG: Final = 4000
CHANNELS: Final = ("hotline", "site", "counter", "mail", "phone", "internal")


@dataclass(frozen=True, kw_only=True)
class IncidentAct:
    """One act: the order that it gives, and when it makes sense. `is_grave`: shown apart and in red."""

    kind: OrderKind
    fits: Callable[[Incident], bool]
    is_grave: bool = False


def _is_open(incident: Incident) -> bool:
    return incident.phase not in ENDED


def _is_handled(incident: Incident) -> bool:
    return incident.phase in ("responding", "cleaning", "reviewing")


def _has_locked_up(incident: Incident) -> bool:
    return _is_handled(incident) and bool(incident.states.get("vault") or incident.states.get("fenced"))


ACTS: Final[tuple[IncidentAct, ...]] = (
    IncidentAct(kind="declare", fits=lambda incident: incident.phase == "reported", is_grave=True),
    IncidentAct(kind="direct", fits=lambda incident: _is_open(incident) and incident.phase != "reported"),
    IncidentAct(kind="note", fits=_is_open),
    IncidentAct(kind="advance", fits=lambda incident: bool(incident.next)),
    IncidentAct(kind="grade", fits=_is_open),
    IncidentAct(kind="submit", fits=lambda incident: incident.phase != "dismissed" and bool(incident.clocks)),
    IncidentAct(kind="approve", fits=lambda incident: any(approval.missing for approval in incident.approvals)),
    IncidentAct(kind="ack", fits=lambda incident: any(task.state in own_words.OPEN for task in incident.orders)),
    IncidentAct(
        kind="fill", fits=lambda incident: incident.phase != "dismissed" and bool(own_words.lacking(incident).fields)
    ),
    IncidentAct(kind="isolate_on", fits=_is_open, is_grave=True),
    IncidentAct(kind="isolate_off", fits=lambda incident: incident.isolation is not None),
    IncidentAct(kind="release", fits=_has_locked_up),
    IncidentAct(kind="purge", fits=_has_locked_up, is_grave=True),
    IncidentAct(kind="dismiss", fits=_is_open, is_grave=True),
)  # fmt: skip
KINDS: Final[tuple[OrderKind, ...]] = tuple(act.kind for act in ACTS)
FRESH: Final[frozenset[OrderKind]] = frozenset({"purge", "release", "dismiss", "isolate_on", "approve"})
"""Whoever orders one of these proves once more who they are. A declaration does not wait for that: it only contains."""


def offered(viewer: Viewer, store: Store, incident: Incident) -> list[IncidentAct]:
    """The acts that make sense now and that this viewer may order at this store."""
    return [
        act
        for act in ACTS
        if act.fits(incident)
        and viewer.may(ACT_OF_KIND[act.kind], store)
        and own_words.is_offered(viewer, act.kind, store, incident)
    ]


def routes(doors: Doors) -> list[Route]:
    """The forms' pages and where they are sent to."""
    path = "/incidents/{store}/{incident}/do/{act}"
    return [
        doors.page(path, show_act),
        *(doors.form(path.replace("{act}", kind), partial(carry_out, kind), fresh=kind in FRESH) for kind in KINDS),
    ]


def _find(visit: Visit, kind: str) -> tuple[Store, Incident, IncidentAct]:
    store, _row, incident = find(visit)
    act = next((act for act in ACTS if act.kind == kind), None)
    if act is None:
        raise HTTPException(404)
    visit.viewer.require(ACT_OF_KIND[act.kind], store)
    return store, incident, act


def show_act(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The form of one act."""
    store, incident, act = _find(visit, visit.request.path_params["act"])
    language, moment = cast("Language", visit.language), now()
    asked = visit.request.query_params
    sample = SAMPLES.get(act.kind, {})
    return "act.html", {
        "store": store, "incident": incident, "act": act,
        "fits": act.fits(incident) and own_words.is_offered(visit.viewer, act.kind, store, incident),
        "officers": needs_officers(act.kind, [store], {"incident": incident.id, **sample}),
        "is_silent": store.heard_at is None or store.heard_at + SILENT_AFTER < moment,
        "roles": get_args(Role), "due_minutes": DUE_MINUTES, "isolate_minutes": ISOLATE_MINUTES,
        "alone_minutes": ALONE_MINUTES, "lasting_hours": LASTING_HOURS, "scopes": SCOPES, "channels": CHANNELS,
        "following": following(incident, language), "levels": levels(), "grading": grading(),
        "lines": [line for line in lines_of(incident, language, moment) if line.state not in ("stopped", "waiting")],
        "chosen_duty": asked.get("duty", "")[:120], "chosen_entity": asked.get("entity", "")[:200],
        "local_now": f"{moment.astimezone(visit.office.timezone):%Y-%m-%dT%H:%M}", "refresh": 0,
        **own_words.offer(visit, act.kind, store, incident),
    }  # fmt: skip


SAMPLES: Final[dict[str, dict[str, Any]]] = {
    "dismiss": {"reason": "-"}, "purge": {"reason": "-"}, "note": {"text": "-"}, "grade": {"reason": "-"},
    "direct": {"role": "legal", "text": "-", "minutes": 1}, "submit": {"duty": "-"},
    "declare": {"kind": "other", "summary": "-"}, "approve": {"approval": "-:-", "digest": "0" * 64},
    "fill": {"fields": {"other": "-"}}, "ack": {"order": "-/1"},
}  # fmt: skip
"""The least that an order of a kind must say, to ask how many officers sign one."""


def carry_out(kind: OrderKind, visit: Visit, fields: Fields) -> str:
    """Give the order.

    Raises:
        UsageError: not confirmed, a field that is missing or wrong, or the act does not fit the incident any more.
        RefusedError: not allowed here.
    """
    store, incident, act = _find(visit, kind)
    if fields.optional("confirmed") != "yes":
        raise UsageError(Text(cast("Language", visit.language))("hq_incident.not_confirmed"))
    if not act.fits(incident):
        raise UsageError(Text(cast("Language", visit.language))("hq_incident.not_now"))
    params = read_params(act.kind, incident.id, fields, visit.office.timezone)
    if act.kind in IN_PERSON:
        params |= own_words.read(visit, act.kind, store, incident, fields)
    kind_words = Text(cast("Language", visit.language))(f"hq_incident.act_{act.kind}")
    give_order(
        visit.session, visit.viewer, act.kind, [store], params,
        reason=fields.optional("why") or str(params.get("reason") or "") or kind_words,
        case_id=_case_of(visit, incident), lasts=timedelta(hours=chosen_number(fields, "hours", LASTING_HOURS, 24)),
    )  # fmt: skip
    visit.note(f"act.{act.kind}", incident.id, store_id=store.id)
    return f"/incidents/{store.id}/{incident.id}#given"


def _case_of(visit: Visit, incident: Incident) -> str | None:
    """The incident's case, as long as it is open; a store's word alone names none."""
    case = visit.session.get(Case, incident.case) if incident.case else None
    return case.id if case is not None and case.closed_at is None else None


def read_params(kind: OrderKind, incident_id: str, fields: Fields, zone: ZoneInfo) -> dict[str, Any]:
    """Parameters of an order from its form; the order's own schema checks them once more. '' is the case's incident.

    Raises:
        UsageError: a field is missing or no number or time.
    """
    params: dict[str, Any] = {"incident": incident_id}
    match kind:
        case "declare":
            params |= {"kind": fields.text("kind", most=40), "summary": fields.text("summary", most=LONG),
                       "scope": fields.optional("scope", most=20)}  # fmt: skip
        case "direct":
            params |= {
                "role": fields.text("role", most=40), "text": fields.text("text", most=LONG),
                "minutes": chosen_number(fields, "minutes", DUE_MINUTES, 60),
                "person": fields.optional("person", most=80),
            }  # fmt: skip
        case "note":
            params["text"] = fields.text("text", most=LONG)
        case "advance":
            params |= {
                "to": fields.optional("to", most=20), "override": fields.optional("override", most=LONG),
                "reason": fields.optional("reason"),
            }  # fmt: skip
        case "grade":
            params |= {
                "level": fields.optional("level", most=40), "law": fields.optional("law", most=40),
                "loss_cny": whole(fields, "loss"), "reason": fields.text("reason"),
            }  # fmt: skip
        case "submit":
            params |= {
                "duty": fields.text("duty", most=120), "at": moment_of(fields, "at", zone),
                "channel": fields.text("channel"), "receipt": fields.optional("receipt"),
                "to": fields.optional("to"), "entity": fields.optional("entity"),
            }  # fmt: skip
        case "isolate_on":
            params["minutes"] = chosen_number(fields, "minutes", ISOLATE_MINUTES, 60)
        case "isolate_off":
            params = {}
        case "purge":
            params |= {
                "reason": fields.text("reason"), "originals": fields.optional("originals") == "yes",
                "statement": fields.optional("statement", most=2000),
            }  # fmt: skip
        case "dismiss":
            params["reason"] = fields.text("reason")
    return params


def chosen_number(fields: Fields, name: str, allowed: tuple[int, ...], default: int) -> int:
    """A number of a closed list.

    Raises:
        UsageError: another one.
    """
    given = fields.optional(name, most=10) or str(default)
    if given not in {str(number) for number in allowed}:
        raise UsageError(f"{name}: none of {', '.join(str(number) for number in allowed)}")
    return int(given)


def whole(fields: Fields, name: str) -> int:
    """A whole number, 0 where the field is empty.

    Raises:
        UsageError: something else.
    """
    given = fields.optional(name, most=16).replace(",", "").replace("，", "")
    if not given:
        return 0
    if not (given.isascii() and given.isdecimal()):
        raise UsageError(f"{name}: a whole number")
    return int(given)


def moment_of(fields: Fields, name: str, zone: ZoneInfo) -> datetime | None:
    """A time from a `datetime-local` field, in head office's zone; None where it is empty.

    Raises:
        UsageError: something else.
    """
    given = fields.optional(name, most=40)
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise UsageError(f"{name}: a date and time") from None
