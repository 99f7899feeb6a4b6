"""出事了: three questions for a store manager with a phone in one hand, and then what to do and whom to call.

It sends the store an order to record a suspicion (疑似上报); whoever is sure and may, declares at once instead.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.routing import Route

from central.direct.orders import give_order
from central.models import Delivery, Order, Store
from central.moments import now
from central.pages.attention import SILENT_AFTER
from central.pages.doors import Doors, Fields, Visit
from central.pages.manager import my_store, people_to_call
from config.errors import UsageError
from config.orders import IncidentKind
from config.text import Language, Text

KINDS: Final[tuple[IncidentKind, ...]] = (
    "insider", "staff_mistake", "ransomware", "lost_device", "intrusion", "sold_online", "vendor", "other",
)  # fmt: skip
"""In the order of how often a shop meets them."""
WHENS: Final = ("now", "hour", "today", "yesterday", "earlier", "unknown")
TYPES: Final[dict[str, tuple[str, ...]]] = {
    "contact": ("PERSON", "PHONE_NUMBER"), "address": ("ADDRESS",), "identity": ("CN_RESIDENT_ID",),
    "card": ("CREDIT_CARD",), "member": ("MEMBER_ID",), "unknown": (),
}  # fmt: skip
"""Kinds of information as people name them, and the types that they mean."""
LONG: Final = 2000
LASTS: Final = timedelta(days=7)


def routes(doors: Doors) -> list[Route]:
    """Paths of the form and of what to do next."""
    return [
        doors.page("/my/trouble", ask, "report"),
        doors.form("/my/trouble", send, "report"),
        doors.page("/my/trouble/{order}", what_next, "report"),
    ]


def ask(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The three questions."""
    store, stores = my_store(visit)
    visit.viewer.require("report", store)
    return "my_trouble.html", {
        "store": store, "stores": stores, "kinds": KINDS, "whens": WHENS, "types": list(TYPES),
        "may_declare": visit.viewer.may("declare", store), "people": people_to_call(visit.session, store),
        "is_silent": _is_silent(store), "what": visit.request.query_params.get("what", ""),
        "refresh": 0,
    }  # fmt: skip


def send(visit: Visit, fields: Fields) -> str:
    """Give the store the order.

    Raises:
        UsageError: not confirmed, or an answer that is none of the list.
        RefusedError: not allowed at this store.
    """
    text = Text(cast("Language", visit.language))
    if fields.optional("confirmed") != "yes":
        raise UsageError(text("hq_incident.not_confirmed"))
    store = visit.session.get(Store, fields.text("store", most=40))
    if store is None or not visit.viewer.may("look", store):
        raise UsageError(text("hq.error_not_found"))
    kind, when = fields.text("kind", most=20), fields.text("when", most=20)
    if kind not in KINDS or when not in WHENS:
        raise UsageError(f"kind: one of {', '.join(KINDS)}; when: one of {', '.join(WHENS)}")
    wanted = [name for name in fields.all("types") if name in TYPES]
    words = fields.optional("words", most=LONG)
    seen = text(f"hq_my.kind_{kind}")
    params: dict[str, Any] = {
        "kind": kind, "summary": f"{seen}{text('hq_my.colon')}{words}" if words else seen,
        "discovered_at": now(), "occurred_at": occurred_at(when, now(), visit.office.timezone),
        "place": fields.optional("place", most=200),
        "types": sorted({entity for name in wanted for entity in TYPES[name]}),
    }  # fmt: skip
    declares = fields.optional("sure") == "yes"
    order = give_order(
        visit.session, visit.viewer, "declare" if declares else "report", [store], params,
        reason=text("hq_my.reason", name=visit.viewer.name), lasts=LASTS,
    )  # fmt: skip
    visit.note("trouble.declared" if declares else "trouble.reported", order.id, store_id=store.id)
    return f"/my/trouble/{order.id}"


def occurred_at(when: str, moment: datetime, zone: ZoneInfo) -> datetime | None:
    """About when it happened, never later than now; None: nobody knows.

    Args:
        when: of `WHENS`.
        moment: now, aware.
        zone: head office's: `today` begins at midnight there.
    """
    midnight = moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    match when:
        case "now":
            return moment
        case "hour":
            return moment - timedelta(hours=1)
        case "today":
            return midnight
        case "yesterday":
            return midnight - timedelta(days=1)
        case _:
            return None


def what_next(visit: Visit) -> tuple[str, dict[str, Any]]:
    """What became of it, what to do now, whom to call.

    Raises:
        HTTPException: 404: not an order to a store that one may look at.
    """
    order = visit.session.get(Order, visit.request.path_params["order"])
    row = None
    if order is not None and order.kind in ("report", "declare"):
        row = next(iter(visit.session.query(Delivery).filter(Delivery.order_id == order.id).limit(1)), None)
    store = visit.session.get(Store, row.store_id) if row is not None else None
    if order is None or row is None or store is None or not visit.viewer.may("look", store):
        raise HTTPException(404)
    answer = row.answer or {}
    incident = str(answer.get("incident") or answer.get("id") or "")
    state = "expired" if row.state in ("waiting", "told") and order.expires_at < now() else row.state
    return "my_next.html", {
        "store": store, "stores": [], "order": order, "state": state, "said": row.reason, "incident": incident,
        "is_silent": _is_silent(store), "people": people_to_call(visit.session, store),
        "steps": ("power", "files", "photo", "quiet"), "refresh": 3,
    }  # fmt: skip


def _is_silent(store: Store) -> bool:
    return store.heard_at is None or store.heard_at + SILENT_AFTER < now()
