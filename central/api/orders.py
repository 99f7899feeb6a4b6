"""Orders: what was given, how far it went, and giving one.

Giving is one function for people and programs (`central.direct.orders.give_order`): the same rights, the same two
officers' signatures where stores want them, and those are people's: a program can ask for such an order and never
complete it. `Idempotency-Key` makes a repeated request the same order (draft-ietf-httpapi-idempotency-key-header-07).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Depends, Header, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.api.caller import Asker, Asking, problems
from central.api.paging import Page, Pager, Sliced, page_of
from central.api.problems import ProblemError
from central.api.shapes import DeliveryShape, OrderShape, OrderWhole, OrderWish
from central.api.stores import Identifier, Open, Word, whole
from central.direct.orders import ACT_OF_KIND, give_order
from central.models import Delivery, OnceKey, Order, Store
from central.moments import now
from central.people.contacts import without_contacts
from central.people.record import note_act
from config.orders import MOST_STORES

MOST_DELIVERIES: Final = 10_000
router = APIRouter(tags=["orders"], responses=problems())
NEWEST: Final = Pager(keys=((Order.made_at, True, datetime), (Order.id, False, str)))
OnceName = Annotated[str | None, Header(max_length=200, description="makes a repeated request one order")]


@dataclass(frozen=True)
class Choice:
    """Which orders, by the query of a request. `open`: not yet answered by all its stores."""

    store: Identifier = None
    kind: Word = None
    case: Identifier = None
    is_open: Open = None


@router.get("/orders", summary="Orders")
def list_orders(ask: Asker, wish: Sliced, choice: Annotated[Choice, Depends()]) -> Page[OrderShape]:
    """Orders with a delivery to a store that the token may see, and those given by its own person; newest first."""
    deliveries = select(Delivery.order_id).join(Store, Store.id == Delivery.store_id).where(ask.viewer.visible())
    if choice.store is not None:
        deliveries = deliveries.where(Delivery.store_id == whole(choice.store))
    mine = Order.id.in_(deliveries)
    query = select(Order).where(mine if choice.store is not None else mine | (Order.by_id == ask.viewer.person_id))
    if choice.kind is not None:
        query = query.where(Order.kind == whole(choice.kind))
    if choice.case is not None:
        query = query.where(Order.case_id == whole(choice.case))
    if choice.is_open is not None:
        waiting = select(Delivery.order_id).where(Delivery.acknowledged_at.is_(None))
        query = query.where(Order.id.in_(waiting) if choice.is_open else Order.id.not_in(waiting))
    with ask.reading() as session:
        rows, after = NEWEST.read(session, query, wish)
        return page_of(rows, after, lambda row: OrderShape(**order_values(row[0])))


@router.get("/orders/{order}", summary="One order")
def one_order(ask: Asker, order: str) -> OrderWhole:
    """An order and how far it is at each store."""
    with ask.reading() as session:
        row = session.get(Order, whole(order))
        deliveries = session.scalars(
            select(Delivery)
            .join(Store, Store.id == Delivery.store_id)
            .where(Delivery.order_id == whole(order), ask.viewer.visible())
            .order_by(Delivery.store_id)
            .limit(MOST_DELIVERIES)
        ).all()
        if row is None or not (deliveries or row.by_id == ask.viewer.person_id):
            raise ProblemError(404, "not_found")
        return OrderWhole(
            **order_values(row), params=without_contacts(row.kind, dict(json.loads(row.body).get("params", {}))),
            deliveries=[delivery_shape(delivery) for delivery in deliveries],
        )  # fmt: skip


@router.post("/orders", summary="Give an order", status_code=201, responses=problems(409, 413))
async def make_order(ask: Asker, wish: OrderWish, response: Response, idempotency_key: OnceName = None) -> OrderShape:
    """Give an order to stores. 201 with the order; 200 where this `Idempotency-Key` had given it before. The order is
    on its way at once, unless officers have to sign it first (`officers_needed`)."""
    values, is_new = await asyncio.wrap_future(
        ask.office.writer.submit(lambda session: carry_out(session, ask, wish, idempotency_key))
    )
    if not is_new:
        response.status_code = 200
    response.headers["Location"] = f"/api/v1/orders/{values['id']}"
    return OrderShape(**values)


def carry_out(session: Session, ask: Asking, wish: OrderWish, key: str | None) -> tuple[dict[str, Any], bool]:
    """Give the order, or find the one that this key gave; True where it is new.

    Raises:
        ProblemError: a store that is not there, a key that was used for another request, a missing right.
    """
    body = hashlib.sha256(wish.model_dump_json().encode()).hexdigest()
    digest = hashlib.sha256((key or "").encode()).hexdigest()
    if key is not None and (known := session.get(OnceKey, (ask.viewer.token_id, digest))):
        if known.body != body:
            raise ProblemError(409, "once", "this Idempotency-Key was used for another request")
        return order_values(session.get_one(Order, known.order_id)), False
    if wish.kind not in ACT_OF_KIND:
        raise ProblemError(422, "kind", "no such kind of order")
    stores = _stores(session, ask, wish)
    order = give_order(
        session, ask.viewer, cast("Any", wish.kind), cast("Any", stores), wish.params, reason=wish.reason,
        case_id=wish.case, lasts=timedelta(hours=wish.hours),
    )  # fmt: skip
    note_act(session, ask.viewer.person_id, "api.order", f"{order.id} by token {ask.viewer.token_id}")
    if key is not None:
        session.add(OnceKey(token_id=ask.viewer.token_id, digest=digest, body=body, order_id=order.id, made_at=now()))
    session.flush()
    return order_values(order), True


def _stores(session: Session, ask: Asking, wish: OrderWish) -> list[Store] | str:
    if isinstance(wish.stores, str):
        if wish.stores != "all":
            raise ProblemError(422, "stores", 'a list of identifiers, or "all"')
        return "all"
    if not 0 < len(wish.stores) <= MOST_STORES:
        raise ProblemError(422, "stores", f"between 1 and {MOST_STORES} stores")
    wanted = sorted({whole(store) for store in wish.stores})
    found: list[Store] = []
    for start in range(0, len(wanted), 500):  # SQLite binds at most 32,766 values in one question
        part = wanted[start : start + 500]
        found += session.scalars(select(Store).where(Store.id.in_(part), ask.viewer.visible()))
    if len(found) != len(wanted):
        raise ProblemError(404, "stores", f"{len(wanted) - len(found)} of these stores are not there")
    return found


def order_values(row: Order) -> dict[str, Any]:
    """An order in short."""
    said = json.loads(row.body)
    return {
        "id": row.id, "kind": row.kind, "case": row.case_id, "by": row.by_id, "reason": str(said.get("reason", "")),
        "made_at": row.made_at, "expires_at": row.expires_at, "sent_at": row.sent_at,
        "withdrawn_at": row.withdrawn_at, "officers_needed": row.officers_needed,
        "officers_signed": sum(1 for signature in row.signatures if signature.get("key") != "hq"),
    }  # fmt: skip


def delivery_shape(row: Delivery) -> DeliveryShape:
    """A delivery as answered."""
    return DeliveryShape(
        store=row.store_id, number=row.number, state=row.state, made_at=row.made_at, told_at=row.told_at,
        acknowledged_at=row.acknowledged_at, reason=row.reason,
    )  # fmt: skip
