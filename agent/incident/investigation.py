"""技术调查 of an incident, as the other rooms ask for it; the work is in `agent.investigation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.investigation.findings import findings_of
from agent.investigation.people import said_so_far

if TYPE_CHECKING:
    from agent.wiring import Agent

__all__ = ["findings_of", "is_concluded"]


def is_concluded(agent: Agent, incident_id: str) -> bool:
    """People have said what the manner and the cause were, or that they could not be found.

    Raises:
        CorruptError: the timeline cannot be read.
    """
    return said_so_far(agent, incident_id).conclusion is not None
