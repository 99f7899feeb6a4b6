"""The signed head of the audit log, for head office to anchor: a cut tail cannot be noticed otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.wiring import Agent


def report_record(agent: Agent) -> int:
    """Put the signed head of the audit log, for head office to anchor; the report's number.

    Raises:
        ClocheError: the disk refused it.
    """
    head = agent.audit.sign_head()
    return agent.outbox.put("audit", {"entries": head.seq, "head": head.hash, "signed_at": head.time})
