"""Whether an order may be carried out here, before anything is done: the store's own settings, and officers' words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from sqlalchemy import select

from agent.direction.models import OrderRow
from agent.direction.policy import loosened_by
from agent.link.trust import Trust
from config.errors import RefusedError
from config.orders import ALONE_A_DAY, NOT_IT, IsolateOn, OrderBody, Policy, officers_needed, read_order

if TYPE_CHECKING:
    from agent.wiring import Agent


def judge(agent: Agent, trust: Trust, order: OrderBody, signers: Sequence[str]) -> None:
    """Return if it may be carried out.

    Args:
        agent: all parts.
        trust: what was pinned at enrolment.
        order: signed by head office.
        signers: officers of the pinned policy whose signatures over its text were verified, each once.

    Raises:
        UsageError: its parameters are none of its kind.
        RefusedError: this store does not take such orders, or officers' signatures are missing.
    """
    form = order.form
    if order.kind not in agent.settings.direction.accept:
        raise RefusedError(agent.text("direction.not_accepted", kind=agent.text(f"direction.kind_{order.kind}")))
    weaker = loosened_by(agent, form.settings) if isinstance(form, Policy) else []
    needed = officers_needed(order.kind, mass=order.is_mass, params=order.params, loosens=bool(weaker))
    if not needed and not (isinstance(form, IsolateOn) and _isolated_lately(agent) + form.minutes > ALONE_A_DAY):
        return
    if not trust.officers.can_sign:
        raise RefusedError(agent.text("direction.no_officers"))
    lacking = trust.officers.lacks(signers, not_it=order.kind in NOT_IT)
    if lacking:
        raise RefusedError(
            agent.text(f"direction.lacks_{lacking}", given=len(signers), settings=", ".join(weaker) or "–")
        )


def _isolated_lately(agent: Agent) -> int:
    """Minutes of isolation that head office ordered without officers within the last 24 hours."""
    since = agent.now() - timedelta(days=1)
    with agent.inventory.reading() as session:
        bodies = session.scalars(
            select(OrderRow.body).where(
                OrderRow.kind == "isolate_on", OrderRow.officers == "[]", OrderRow.received_at > since,
                OrderRow.state.in_(("received", "running", "done")),
            )
        ).all()  # fmt: skip
    return sum(cast("IsolateOn", read_order(body).form).minutes for body in bodies)
