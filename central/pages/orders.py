"""Orders to stores: follow them store by store, sign them as an officer, take them back.

What is signed is shown in words made from the exact text (`central.direct.wording`). Orders to stores are given in
`central.pages.order_giving`, acts on one incident in `central.pages.acts`; here is the way of every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, cast

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from central.direct import officers
from central.direct.keyfile import SIGNING_SCHEMA
from central.direct.orders import (
    ACT_OF_KIND,
    lacks_signatures,
    name_of,
    require_for,
    sign_order,
    withdraw,
)
from central.direct.signing import HQ
from central.direct.wording import in_words
from central.models import Delivery, Order, Store
from central.moments import now
from central.pages import order_giving
from central.pages.doors import Doors, Fields, Visit
from central.pages.paging import page_of
from central.people.rights import Viewer
from central.wire import encode
from config.errors import RefusedError, UsageError
from config.orders import read_order
from config.text import Language, Text

LIVE_SECONDS: Final = 3
STATES: Final = ("waiting", "told", "received", "done", "refused", "failed", "expired", "withdrawn")
TROUBLE: Final = ("refused", "failed", "expired")


def routes(doors: Doors) -> list[Route]:
    """Paths of orders."""
    return [
        doors.page("/orders", list_orders),
        *order_giving.routes(doors),
        doors.page("/orders/{order}", one_order, None),
        doors.page("/orders/{order}/signing.json", to_sign, None),
        doors.form("/orders/{order}/sign", put_signature, None, fresh=True),
        doors.form("/orders/{order}/withdraw", take_back),
    ]


def list_orders(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Newest first, with how far each is."""
    session = visit.session
    seen = _seen_by(visit.viewer)
    total = session.scalar(select(func.count()).select_from(Order).where(seen)) or 0
    paging = page_of(visit.request, total)
    orders = session.scalars(
        select(Order).where(seen).order_by(Order.made_at.desc()).offset(paging.offset).limit(paging.size)
    ).all()
    counts = _counts(session, [order.id for order in orders])
    rows = [
        {
            "order": order, "standing": _standing(order), "states": counts.get(order.id, ()),
            "by": name_of(session, order.by_id), "reason": read_order(order.body).reason,
        }
        for order in orders
    ]  # fmt: skip
    may_give = any(visit.viewer.may(ACT_OF_KIND[kind]) for kind in order_giving.HERE)
    return "orders.html", {"rows": rows, "paging": paging, "may_give": may_give, "refresh": LIVE_SECONDS}


def one_order(visit: Visit) -> tuple[str, dict[str, Any]]:
    """An order in words, its signatures, and every store's state, live."""
    order = _find(visit)
    session, text = visit.session, Text(cast("Language", visit.language))
    body = read_order(order.body)
    names = _names(session, body.stores)
    states = dict(_counts(session, [order.id]).get(order.id, ()))
    wanted = visit.request.query_params.get("state", "")
    rows = (
        select(Delivery, Store)
        .join(Store, Store.id == Delivery.store_id)
        .where(Delivery.order_id == order.id, visit.viewer.visible())
    )
    if wanted in STATES:
        rows = rows.where(Delivery.state == wanted)
    total = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
    paging = page_of(visit.request, total)
    listed = session.execute(
        rows.order_by(Delivery.state.not_in(TROUBLE), Store.name).offset(paging.offset).limit(paging.size)
    ).all()
    is_open = order.sent_at is None and order.withdrawn_at is None and order.expires_at > now()
    signed = [str(entry["key"]) for entry in order.signatures if entry["key"] != HQ]
    own_keys = [encode(key) for key in officers.keys_that_count(session, visit.viewer.person_id)]
    return "order.html", {
        "order": order, "standing": _standing(order),
        "words": in_words(text, order.body, names=names, zone=visit.office.timezone),
        "signed": [name_of(session, person) for person in signed], "lacks": lacks_signatures(session, order),
        "may_sign": is_open and bool(order.officers_needed) and bool(own_keys) and visit.viewer.person_id not in signed,
        "has_signed": visit.viewer.person_id in signed, "own_keys": " ".join(own_keys), "is_open": is_open,
        "may_withdraw": _may_withdraw(visit, order) and (is_open or states.get("waiting", 0) > 0),
        "states": [(state, states[state]) for state in STATES if state in states], "all": sum(states.values()),
        "rows": listed, "paging": paging, "wanted": wanted, "refresh": LIVE_SECONDS,
    }  # fmt: skip


def to_sign(visit: Visit) -> JSONResponse:
    """The order as a file, to be signed on a machine of the officer's own."""
    order = _find(visit)
    names = _names(visit.session, read_order(order.body).stores)
    return JSONResponse(
        {"schema": SIGNING_SCHEMA, "body": order.body, "names": names},
        headers={"Content-Disposition": f'attachment; filename="{order.id}.json"'},
    )


def put_signature(visit: Visit, fields: Fields) -> str:
    """An officer's signature, made in their browser or elsewhere."""
    order = _find(visit)
    if fields.optional("confirmed") != "yes":
        raise UsageError("confirmed: look it over first")
    signature = fields.text("signature", most=200)
    sign_order(visit.session, order, visit.viewer.person_id, signature)
    visit.office.waiting.wake()
    return f"/orders/{order.id}"


def take_back(visit: Visit, fields: Fields) -> str:
    """Withdraw it from all stores that have not been told."""
    order = _find(visit)
    if fields.optional("confirmed") != "yes":
        raise UsageError("confirmed: look it over first")
    withdraw(visit.session, visit.viewer, order)
    return f"/orders/{order.id}"


def _find(visit: Visit) -> Order:
    """The order of a path, if it is one's own, concerns a store one may look at, or waits for one's signature.

    Raises:
        HTTPException: 404.
    """
    order = visit.session.get(Order, visit.request.path_params["order"])
    if order is None:
        raise HTTPException(404)
    is_seen = visit.session.scalar(select(Order.id).where(Order.id == order.id, _seen_by(visit.viewer))) is not None
    is_officer = order.officers_needed and officers.keys_that_count(visit.session, visit.viewer.person_id)
    if not is_seen and not is_officer:
        raise HTTPException(404)
    return order


def _seen_by(viewer: Viewer) -> Any:
    told = select(Delivery.order_id).join(Store, Store.id == Delivery.store_id).where(viewer.visible())
    everything = any(right.scope == "all" for right in viewer.rights)
    waiting = (Order.sent_at.is_(None),) if everything else ()
    return or_(Order.by_id == viewer.person_id, Order.id.in_(told), *waiting)


def _standing(order: Order) -> str:
    if order.withdrawn_at is not None:
        return "is_withdrawn"
    if order.sent_at is not None:
        return "is_sent"
    return "is_over" if order.expires_at <= now() else "waits_for_officers"


def _counts(session: Session, order_ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, dict[str, int]] = {}
    query = (
        select(Delivery.order_id, Delivery.state, func.count())
        .where(Delivery.order_id.in_(order_ids))
        .group_by(Delivery.order_id, Delivery.state)
    )
    for order_id, state, count in session.execute(query):
        found.setdefault(order_id, {})[state] = count
    return {
        order_id: [(state, states[state]) for state in STATES if state in states] for order_id, states in found.items()
    }


def _may_withdraw(visit: Visit, order: Order) -> bool:
    if order.withdrawn_at is not None:
        return False
    if order.by_id == visit.viewer.person_id:
        return True
    try:
        require_for(visit.session, visit.viewer, order)
    except (RefusedError, UsageError):
        return False
    return True


def _names(session: Session, stores: Literal["all"] | Sequence[str]) -> dict[str, str]:
    if stores == "all":
        return {}
    query = select(Store.id, Store.name).where(Store.id.in_(list(stores)[:500]))
    return {row.id: row.name for row in session.execute(query)}
