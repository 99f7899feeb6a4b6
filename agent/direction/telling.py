"""Tell head office what became of its orders: a report each, kept and chained like all that must not be lost.

The state is in the database before the report is put: cut between the two, it is put at the next look.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from agent.direction.clock import right_now
from agent.direction.models import OrderRow

if TYPE_CHECKING:
    from agent.wiring import Agent

LONGEST_REASON: Final = 400
MOST_ANSWER: Final = 8_000


def tell(agent: Agent, order_id: str) -> None:
    """Report how an order stands, if head office does not know it yet.

    Raises:
        ClocheError: the disk refused it; it is told with the next look.
    """
    with agent.inventory.reading() as session:
        row = session.get(OrderRow, order_id)
    if row is None or row.told == mark_of(row):
        return
    state = "received" if row.state == "running" else row.state
    answer: dict[str, Any] = json.loads(row.answer)
    agent.outbox.put(
        "order",
        {
            "order": row.id, "delivery": row.delivery, "state": state,
            "reason": agent.mask(row.reason)[:LONGEST_REASON], "at": right_now(agent).isoformat(),
            "answer": answer if len(row.answer) <= MOST_ANSWER else {},
        },
    )  # fmt: skip
    with agent.inventory.sessions.begin() as session:
        kept = session.get_one(OrderRow, order_id)
        kept.told = mark_of(row)


def tell_all(agent: Agent) -> None:
    """What a cut left untold."""
    with agent.inventory.reading() as session:
        rows = list(session.scalars(select(OrderRow)))
    for row in rows:
        if row.told != mark_of(row):
            tell(agent, row.id)


def mark_of(row: OrderRow) -> str:
    """What of an order has to be told: once more where it came under another number, or its answer changed."""
    state = "received" if row.state == "running" else row.state
    return f"{row.delivery} {state} {hash_of(row.answer)}"


def hash_of(answer: str) -> str:
    """A short digest."""
    return hashlib.sha256(answer.encode()).hexdigest()[:12]
