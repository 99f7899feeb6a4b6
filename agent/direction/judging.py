"""Whether an order may be carried out here, before anything is done: the store's own settings, and officers' words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.direction.policy import loosened_by
from agent.link.trust import Trust
from config.errors import RefusedError
from config.orders import NOT_IT, OrderBody, Policy, officers_needed

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
    if not officers_needed(order.kind, mass=order.is_mass, params=order.params, loosens=bool(weaker)):
        return
    if not trust.officers.can_sign:
        raise RefusedError(agent.text("direction.no_officers"))
    lacking = trust.officers.lacks(signers, not_it=order.kind in NOT_IT)
    if lacking:
        raise RefusedError(
            agent.text(f"direction.lacks_{lacking}", given=len(signers), settings=", ".join(weaker) or "–")
        )
