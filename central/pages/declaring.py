"""启动应急预案 or 疑似上报 for a store, a group or all: which stores, what happened, and a confirmation.

Two pages in one: without a choice of stores the page asks for it; with one it says whom it reaches and what will
happen there. A case is made, and one order goes to every store of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.routing import Route

from central.direct.orders import give_order, open_case
from central.models import Case, Entity, Region, Store
from central.moments import now
from central.pages.acts import LASTING_HOURS, LONG, SCOPES, chosen_number, moment_of
from central.pages.attention import SILENT_AFTER
from central.pages.case import find_case
from central.pages.doors import Doors, Fields, Visit
from central.people.rights import Viewer
from config.errors import UsageError
from config.orders import MOST_STORES, IncidentKind, OrderKind
from config.text import Language, Text

KINDS: Final[tuple[IncidentKind, ...]] = (
    "intrusion", "ransomware", "staff_mistake", "insider", "lost_device", "vendor", "sold_online", "other",
)  # fmt: skip
FOUND: Final = 60
WHERES: Final = ("stores", "region", "entity", "all")


def routes(doors: Doors) -> list[Route]:
    """Path of the page and where it is sent to."""
    return [doors.page("/declare", show, "report"), doors.form("/declare", carry_out, "report")]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Stores as somebody chose them. `is_all`: really all of them."""

    where: str
    which: str
    stores: tuple[Store, ...]

    @property
    def is_all(self) -> bool:
        """The order names no store but says `all`."""
        return self.where == "all"


def _enrolled(viewer: Viewer) -> tuple[Any, ...]:
    return Store.public_key.is_not(None), Store.revoked_at.is_(None), viewer.visible("report")


def choose(session: Session, viewer: Viewer, where: str, which: str, ids: list[str]) -> Chosen:
    """The stores of a choice that this viewer may report at, by name.

    Raises:
        UsageError: too many stores are named one by one.
    """
    query = select(Store).where(*_enrolled(viewer)).order_by(Store.name)
    match where:
        case "stores":
            if len(ids) > FOUND * 4:
                raise UsageError("stores: more than can be named one by one")
            query = query.where(Store.id.in_(ids))
        case "region":
            query = query.where(Store.region_id == which)
        case "entity":
            query = query.where(Store.entity_id == which)
        case "all":
            pass
        case _:
            return Chosen(where="", which="", stores=())
    return Chosen(where=where, which=which, stores=tuple(session.scalars(query.limit(MOST_STORES + 1))))


def show(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Choose, or confirm."""
    session, asked = visit.session, visit.request.query_params
    where, which, wanted = asked.get("where", ""), asked.get("which", "")[:40], asked.get("q", "").strip()[:80]
    ids = [store_id[:40] for store_id in asked.getlist("store")]
    if ids and not where:
        where = "stores"
    chosen = choose(session, visit.viewer, where, which, ids)
    case = session.get(Case, asked.get("case", "")[:40]) if asked.get("case") else None
    moment = now()
    query = select(Store).where(*_enrolled(visit.viewer)).order_by(Store.name)
    if wanted:
        query = query.where(Store.name.contains(wanted, autoescape=True))
    visible = select(Store).where(*_enrolled(visit.viewer)).subquery()
    return "declare.html", {
        "chosen": chosen if chosen.stores else None,
        "is_empty": bool(where) and not chosen.stores and not wanted,
        "silent": sum(store.heard_at is None or store.heard_at + SILENT_AFTER < moment for store in chosen.stores),
        "found": list(session.scalars(query.limit(FOUND))) if not chosen.stores else [],
        "wanted": wanted,
        "regions": session.scalars(
            select(Region).where(Region.id.in_(select(visible.c.region_id))).order_by(Region.name)
        ).all(),
        "entities": session.scalars(
            select(Entity).where(Entity.id.in_(select(visible.c.entity_id))).order_by(Entity.name)
        ).all(),
        "case": case if case is not None and case.closed_at is None else None,
        "may_declare": visit.viewer.may("declare")
        and all(visit.viewer.may("declare", store) for store in chosen.stores),
        "may_isolate": all(visit.viewer.may("isolate", store) for store in chosen.stores),
        "kinds": KINDS, "scopes": SCOPES, "lasting_hours": LASTING_HOURS,
        "local_now": f"{moment.astimezone(visit.office.timezone):%Y-%m-%dT%H:%M}",
        "refresh": 0,
    }  # fmt: skip


def carry_out(visit: Visit, fields: Fields) -> str:
    """Make the case and give its first order.

    Raises:
        UsageError: not confirmed, a wrong field, or no store is left that may be reached.
        RefusedError: not allowed at one of them.
    """
    text = Text(cast("Language", visit.language))
    if fields.optional("confirmed") != "yes":
        raise UsageError(text("hq_incident.not_confirmed"))
    what: OrderKind = "declare" if fields.text("what", most=10) == "declare" else "report"
    kind = fields.text("kind", most=20)
    if kind not in KINDS:
        raise UsageError(f"kind: none of {', '.join(KINDS)}")
    chosen = choose(
        visit.session, visit.viewer, fields.text("where", most=10), fields.optional("which", most=40),
        fields.all("store"),
    )  # fmt: skip
    if not chosen.stores:
        raise UsageError(text("hq_incident.where_none"))
    if len(chosen.stores) > MOST_STORES and not chosen.is_all:
        raise UsageError(text("hq_incident.too_many_stores"))
    summary = fields.text("summary", most=LONG)
    case = _case(visit, fields, kind, summary)
    params: dict[str, Any] = {
        "kind": kind, "summary": summary,
        "discovered_at": moment_of(fields, "discovered_at", visit.office.timezone),
        "occurred_at": moment_of(fields, "occurred_at", visit.office.timezone),
    }  # fmt: skip
    if what == "declare":
        params["scope"] = fields.optional("scope", most=10)
    lasts = timedelta(hours=chosen_number(fields, "hours", LASTING_HOURS, 24))
    stores = "all" if chosen.is_all else list(chosen.stores)
    reason = " ".join(summary.split())[:400]
    give_order(visit.session, visit.viewer, what, stores, params, reason=reason, case_id=case.id, lasts=lasts)  # type: ignore[arg-type]
    if what == "declare" and fields.optional("isolate") == "yes":
        give_order(
            visit.session, visit.viewer, "isolate_on", stores, {"minutes": 60}, reason=reason, case_id=case.id,  # type: ignore[arg-type]
            lasts=lasts,
        )  # fmt: skip
    visit.note(f"case.{what}", f"{case.id} ({len(chosen.stores)})")
    return f"/cases/{case.id}"


def _case(visit: Visit, fields: Fields, kind: str, summary: str) -> Case:
    """The open case that the form names, else a new one."""
    named = fields.optional("case", most=40)
    if named:
        visit.request.path_params["case"] = named
        case = find_case(visit)
        if case.closed_at is not None:
            raise UsageError("case: is closed")
        return case
    return open_case(visit.session, visit.viewer, cast("IncidentKind", kind), summary)
