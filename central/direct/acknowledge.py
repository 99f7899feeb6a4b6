"""What stores say became of orders: reports of kind `order`, one store's word about its own deliveries only."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, select, update

from central.models import Delivery
from central.moments import now


class OrderWord(Protocol):
    """A report of kind `order`, checked. `state`: received, done, refused, failed, expired."""

    @property
    def order(self) -> str:
        """Its id."""

    @property
    def delivery(self) -> int:
        """The number it came to the store under."""

    @property
    def state(self) -> str:
        """What became of it."""

    @property
    def reason(self) -> str:
        """Why, in words of the store; masked."""

    @property
    def at(self) -> datetime | None:
        """When, by the store's clock."""

    @property
    def answer(self) -> dict[str, Any] | None:
        """What it brought; masked."""


def apply(connection: Connection, store_id: str, number: int, document: OrderWord) -> str:
    """Take a store's word in; '' or what is wrong with it, to be counted as a fault of kind `order`.

    Reports may come in any order: one with a lower number never replaces the word of one with a higher.

    Args:
        connection: in the caller's transaction.
        store_id: whose report it is, by its signature.
        number: of the report.
        document: checked.
    """
    row = connection.execute(
        select(Delivery.order_id, Delivery.report_number, Delivery.told_at, Delivery.acknowledged_at).where(
            Delivery.store_id == store_id, Delivery.number == document.delivery
        )
    ).first()
    if row is None or row.order_id != document.order:
        return f"speaks of order {document.order[:40]}, which was never sent to it as number {document.delivery}"
    if row.report_number >= number:
        return ""
    moment = now()
    values: dict[str, Any] = {
        "state": document.state, "reason": document.reason[:400], "answer": document.answer, "report_number": number,
        "acknowledged_at": row.acknowledged_at or moment, "told_at": row.told_at or _not_after(document.at, moment),
    }  # fmt: skip
    connection.execute(
        update(Delivery).where(Delivery.store_id == store_id, Delivery.number == document.delivery).values(**values)
    )
    return ""


def _not_after(at: datetime | None, moment: datetime) -> datetime:
    return min(at, moment) if at else moment
