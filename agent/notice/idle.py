"""The keeper's way to the duties of notices: a store without an open incident loads none of it (13 MB, numpy)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from agent.incident.store import incidents

if TYPE_CHECKING:
    from agent.wiring import Agent


def count_due(agent: Agent, now: datetime) -> None:
    """See `agent.notice.duties.count_due`."""
    if _is_open(agent):
        from agent.notice import duties

        duties.count_due(agent, now)


def send_due(agent: Agent, now: datetime) -> None:
    """See `agent.notice.sending.send_due`."""
    if _is_open(agent):
        from agent.notice import sending

        sending.send_due(agent, now)


def _is_open(agent: Agent) -> bool:
    return any(
        incident.declared_at is not None and incident.phase not in ("closed", "dismissed")
        for incident in incidents(agent).all()
    )
