"""Carry out what was taken, each order once, whatever is cut when.

`running` is committed before an act begins, its end after it: an order that is found running at a start was cut off.
Kinds whose acts find out by themselves what is done already are taken up again; the others end as `failed`, and head
office is told that they were interrupted: whether they were done, somebody has to look.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import select

from agent.direction.clock import is_over, right_now
from agent.direction.drills import is_due
from agent.direction.models import OrderRow
from agent.direction.ordered import HaltedError, Ordered
from agent.direction.telling import tell, tell_all
from config.errors import ClocheError, ExitCode
from config.log import describe, get_logger
from config.officers import Officer
from config.orders import Drill, OrderKind, read_order

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("direction")
AGAIN: Final[frozenset[OrderKind]] = frozenset(
    {
        "report", "declare", "dismiss", "advance", "isolate_on", "isolate_off", "rescan", "policy", "pack", "people",
        "officers", "release", "purge", "seal", "approve", "fill", "ack",
    }
)  # fmt: skip
"""Kinds that are taken up again after a cut, for what is done already is found and not done twice. The others (an order
to a role, a remark, a grade, a submission, a drill) are told as interrupted: somebody looks and gives them again."""
SLOW: Final[frozenset[OrderKind]] = frozenset({"rescan", "drill", "seal"})
"""Kinds that may take an hour: they go beside the others, so that a declaration never waits for them."""
MOST_AT_ONCE: Final = 50


def recover(agent: Agent) -> None:
    """After a start: what was cut off goes on or is told as interrupted, what was not told is told.

    Raises:
        ClocheError: the disk refused it.
    """
    with agent.inventory.reading() as session:
        cut = list(session.scalars(select(OrderRow).where(OrderRow.state == "running")))
    for row in cut:
        if row.kind not in AGAIN:
            end(agent, row.id, "failed", agent.text("direction.interrupted"), {})
    tell_all(agent)


def carry_out_waiting(agent: Agent, changed: Callable[[], None] = lambda: None, *, slow: bool | None = None) -> int:
    """Carry out what waits, in the order in which it came; how much of it there was.

    Args:
        agent: all parts.
        changed: called after each that head office has to hear of.
        slow: only those that may take an hour, or only the others; None: all of them.
    """
    lock: threading.Lock = agent.orders.slow if slow else agent.orders.carrying
    if not lock.acquire(blocking=False):
        return 0
    try:
        done = 0
        for order_id in _waiting(agent, slow=slow):
            if _carry_out(agent, order_id):
                done += 1
                changed()
        return done
    finally:
        lock.release()


def keep(agent: Agent, now: datetime) -> None:
    """A duty of the keeper: without a daemon's own threads, take and carry out what is there."""
    from agent.direction.following import follow
    from agent.direction.taking import take

    if not agent.orders.driven:
        recover(agent)
        take(agent)
        carry_out_waiting(agent)
    follow(agent, now)


def end(agent: Agent, order_id: str, state: str, reason: str, answer: dict[str, Any]) -> None:
    """Write down how an order ended, on record too, and tell head office.

    Raises:
        ClocheError: the disk refused it.
    """
    with agent.inventory.sessions.begin() as session:
        row = session.get_one(OrderRow, order_id)
        row.state, row.reason, row.ended_at = state, agent.mask(reason), agent.now()
        row.answer = json.dumps(answer, ensure_ascii=False)
        kind = row.kind
    agent.audit.append(
        f"direction.{state}", "cloche", ok=state == "done", order=order_id, kind=kind, reason=agent.mask(reason)
    )
    tell(agent, order_id)


def _waiting(agent: Agent, *, slow: bool | None) -> list[str]:
    now = right_now(agent)
    with agent.inventory.reading() as session:
        query = select(OrderRow).where(OrderRow.state.in_(("received", "running"))).order_by(OrderRow.received_at)
        rows = [row for row in session.scalars(query) if slow is None or (row.kind in SLOW) == slow]
    due = [row.id for row in rows if row.kind != "drill" or is_due(cast("Drill", read_order(row.body).form), now)]
    return due[:MOST_AT_ONCE]


def _carry_out(agent: Agent, order_id: str) -> bool:
    """One order; False where it has to wait for head office's time."""
    with agent.inventory.reading() as session:
        row = session.get_one(OrderRow, order_id)
    resumed, order, officers = row.state == "running", read_order(row.body), json.loads(row.officers)
    if not resumed and (over := is_over(agent, order.expires_at)) is not False:
        if over:  # it lay here while nothing ran
            end(agent, order_id, "expired", agent.text("direction.expired"), {})
        return bool(over)
    with agent.inventory.sessions.begin() as session:
        row = session.get_one(OrderRow, order_id)
        row.state, row.begun_at = "running", row.begun_at or agent.now()
    one = Ordered(
        agent=agent, order=order, form=order.form, resumed=resumed,
        officers=tuple(Officer.model_construct(person=who, name=name, key="", it=it) for who, name, it in officers),
    )  # fmt: skip
    agent.audit.append(
        "direction.begun", one.actor, order=order.id, kind=order.kind, resumed=resumed,
        officers=[agent.mask(officer.name) for officer in one.officers], why=agent.mask(order.reason),
    )  # fmt: skip
    from agent.direction.acts import ACTS  # a store that is ordered nothing loads none of it

    try:
        answer = ACTS[order.kind](one)
    except HaltedError:
        return False
    except ClocheError as error:
        refused = error.exit_code in (ExitCode.REFUSED, ExitCode.USAGE)
        end(agent, order_id, "refused" if refused else "failed", str(error), {})
    except Exception as error:  # noqa: BLE001  one bad order must not keep the others out; type and place only
        log.error("an order was not carried out", order=order.id, kind=order.kind, error=describe(error))
        end(agent, order_id, "failed", agent.text("direction.broke"), {})
    else:
        end(agent, order_id, "done", "", answer)
    return True
