"""启动应急预案: contain at once, record everything, go on when a part fails.

Nothing here waits for a meeting. Each part (deny, stop, fence, vault, evidence, documents, outbox) is tried on its
own; one that fails is recorded and named, and the rest goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.incident.records import Declaration, Incident

if TYPE_CHECKING:
    from agent.wiring import Agent

__all__ = ["Declaration", "Incident", "declare", "report"]


def declare(agent: Agent, declaration: Declaration) -> Incident:
    """Contain what is affected and return the incident's record; `incident.complete` says if every part worked."""
    raise NotImplementedError


def report(agent: Agent, declaration: Declaration) -> Incident:
    """疑似上报: record a suspicion and start its clocks; contains nothing."""
    raise NotImplementedError
