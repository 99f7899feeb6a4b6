"""Giving an order to stores: a form, a look at what will happen in words made from the exact text, and giving it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, cast, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import select
from starlette.responses import Response
from starlette.routing import Route

from central.direct.orders import ACT_OF_KIND, give_order, needs_officers
from central.direct.wording import in_words
from central.models import Entity, Region, Store
from central.moments import now
from central.pages.attention import SILENT_AFTER
from central.pages.doors import Doors, Fields, Visit
from config.errors import RefusedError, UsageError
from config.orders import NOT_IT, IncidentKind, OrderKind, read_params
from config.text import Language, Text

HERE: Final[tuple[OrderKind, ...]] = (
    "declare", "report", "isolate_on", "isolate_off", "rescan", "seal", "drill", "policy", "pack",
)  # fmt: skip
"""Kinds that are given from this page, in the order of the form; the others have their own place."""
FRESH: Final[frozenset[OrderKind]] = frozenset({"isolate_on", "isolate_off", "policy", "pack"})
"""Whoever orders one of these proves once more who they are. A declaration does not wait for that."""
PARAMS: Final = 300_000


def routes(doors: Doors) -> list[Route]:
    """Paths of giving; they come before `/orders/{order}`."""
    return [
        doors.page("/orders/new", new_order),
        doors.form("/orders/check", partial(check_order, doors), most=PARAMS),
        *(
            doors.form(f"/orders/give/{kind}", partial(carry_out, kind), fresh=kind in FRESH, most=PARAMS)
            for kind in HERE
        ),
    ]


def new_order(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The form: what, for whom, why."""
    session, viewer = visit.session, visit.viewer
    kinds = [kind for kind in HERE if viewer.may(ACT_OF_KIND[kind])]
    if not kinds:
        raise RefusedError("direct")
    chosen = visit.request.query_params.get("kind", kinds[0])
    if chosen not in kinds:
        chosen = kinds[0]
    act = ACT_OF_KIND[chosen]
    stores = session.execute(
        select(Store.id, Store.name)
        .where(viewer.visible(act), Store.public_key.is_not(None), Store.revoked_at.is_(None))
        .order_by(Store.name)
        .limit(5000)
    ).all()
    return "order_new.html", {
        "kinds": kinds, "chosen": chosen, "stores": stores,
        "regions": session.execute(select(Region.id, Region.name).order_by(Region.name)).all(),
        "entities": session.execute(select(Entity.id, Entity.name).order_by(Entity.name)).all(),
        "incident_kinds": get_args(IncidentKind), "store": visit.request.query_params.get("store", ""),
        "scopes": ("", "alerts", "strays", "all"), "refresh": 0,
    }  # fmt: skip


def check_order(doors: Doors, visit: Visit, fields: Fields) -> Response:
    """What will happen, in words and to how many stores, before anything leaves."""
    kind = _kind(fields.text("kind"))
    params = _params(kind, fields, visit.language)
    form = read_params(kind, params)
    stores = _stores(visit, kind, fields)
    listed = _rows(visit, stores)
    needed = needs_officers(kind, stores, params)
    silent = sum(store.heard_at is None or store.heard_at + SILENT_AFTER < now() for store in listed)
    hours = _hours(fields)
    reason = fields.text("reason")
    text, moment = Text(cast("Language", visit.language)), now()
    body = json.dumps(
        {
            "schema": "cloche.order/1", "id": "o-00000000", "kind": kind,
            "stores": "all" if stores == "all" else sorted(store.id for store in stores),
            "params": form.model_dump(mode="json", by_alias=True, exclude_unset=True), "case": None,
            "issued_at": moment.isoformat(), "expires_at": (moment + timedelta(hours=hours)).isoformat(),
            "by": {"person": visit.viewer.person_id, "name": visit.viewer.name}, "reason": reason,
        }
    )  # fmt: skip
    words = in_words(text, body, names={store.id: store.name for store in listed}, zone=visit.office.timezone)
    shown = {
        "kind": kind, "words": words[:-1], "count": len(listed), "silent": silent, "officers": needed,
        "not_it": kind in NOT_IT, "params": json.dumps(params, ensure_ascii=False), "to": fields.text("to"),
        "to_id": fields.optional("to_id"), "reason": reason, "hours": hours, "refresh": 0,
    }  # fmt: skip
    return doors.show(visit, "order_check.html", shown)


def carry_out(kind: OrderKind, visit: Visit, fields: Fields) -> str:
    """Give it, once it was confirmed."""
    if fields.optional("confirmed") != "yes":
        raise UsageError("confirmed: look it over first")
    try:
        params = json.loads(fields.text("params", most=PARAMS))
    except ValueError as error:
        raise UsageError("params: not as they were checked") from error
    if not isinstance(params, dict):
        raise UsageError("params: not as they were checked")
    stores = _stores(visit, kind, fields)
    given = give_order(
        visit.session, visit.viewer, kind, stores, params, reason=fields.text("reason"),
        lasts=timedelta(hours=_hours(fields)),
    )  # fmt: skip
    visit.office.waiting.wake()
    return f"/orders/{given.id}"


def _kind(text: str) -> OrderKind:
    if text not in HERE:
        raise UsageError("kind: none that is given here")
    return text


def _hours(fields: Fields) -> float:
    try:
        hours = float(fields.text("hours"))
    except ValueError as error:
        raise UsageError("hours: a number") from error
    if not 0.02 <= hours <= 720:
        raise UsageError("hours: from 0.02 to 720")
    return hours


def _stores(visit: Visit, kind: OrderKind, fields: Fields) -> Sequence[Store] | Literal["all"]:
    """Whom the form means: enrolled stores in which this may be ordered.

    Raises:
        UsageError: none.
    """
    to, to_id = fields.text("to"), fields.optional("to_id")
    if to == "all":
        return "all"
    query = select(Store).where(
        visit.viewer.visible(ACT_OF_KIND[kind]), Store.public_key.is_not(None), Store.revoked_at.is_(None)
    )
    match to:
        case "store":
            query = query.where(Store.id == to_id)
        case "region":
            query = query.where(Store.region_id == to_id)
        case "entity":
            query = query.where(Store.entity_id == to_id)
        case _:
            raise UsageError("to: store, region, entity or all")
    found = visit.session.scalars(query).all()
    if not found:
        raise UsageError("to: no store fits, or you may not do this there")
    return found


def _rows(visit: Visit, stores: Sequence[Store] | Literal["all"]) -> Sequence[Store]:
    if stores != "all":
        return stores
    return visit.session.scalars(select(Store).where(Store.public_key.is_not(None), Store.revoked_at.is_(None))).all()


def _params(kind: OrderKind, fields: Fields, language: str) -> dict[str, Any]:
    """What the form says, as the order's parameters."""
    match kind:
        case "declare" | "report":
            params: dict[str, Any] = {
                "kind": fields.text("incident_kind"),
                "summary": fields.text("summary", most=4000),
            }
            if kind == "declare" and fields.optional("scope"):
                params["scope"] = fields.text("scope")
            return params
        case "isolate_on":
            return {"minutes": _whole(fields, "minutes")}
        case "rescan":
            return {"full": fields.optional("full") == "yes"}
        case "drill":
            params = {"scenario": fields.optional("scenario", most=40)}
            if fields.optional("at"):
                try:
                    moment = datetime.fromisoformat(fields.text("at"))
                except ValueError as error:
                    raise UsageError("at: not a time") from error
                zone = fields.optional("zone") or "Asia/Shanghai"
                params["at"] = _zoned(moment, zone).isoformat()
            return params
        case "policy":
            return {"settings": _settings(fields.text("settings", most=4000), language)}
        case "pack":
            content = fields.optional("content", most=PARAMS)
            digest = hashlib.sha256(content.encode()).hexdigest()
            return {
                "path": fields.text("path"), "version": _whole(fields, "version"), "sha256": digest, "content": content
            }  # fmt: skip
        case _:
            return {}


def _zoned(moment: datetime, zone: str) -> datetime:
    try:
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    except (KeyError, ValueError) as error:
        raise UsageError("at: no such time zone") from error


def _settings(text: str, language: str) -> Mapping[str, Any]:
    """`watch.response = "stop"`, one a line; `none` gives a setting back to the store's own file.

    Raises:
        UsageError: a line that is none, by its number.
    """
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name or not value:
            raise UsageError(Text(cast("Language", language))("hq_direct.bad_setting", line=number))
        try:
            found[name] = None if value == "none" else tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise UsageError(Text(cast("Language", language))("hq_direct.bad_setting", line=number)) from error
    return found


def _whole(fields: Fields, name: str) -> int:
    text = fields.text(name)
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise UsageError(f"{name}: a whole number")
    return int(text)
