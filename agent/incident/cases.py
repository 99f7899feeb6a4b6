"""The case of head office that an incident belongs to: one leak over many stores.

It stands on the incident's timeline, so that nobody can move an incident to another case unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.incident.course import Course
from agent.incident.records import Incident
from agent.incident.store import incidents

if TYPE_CHECKING:
    from agent.wiring import Agent

ACT: Final = "case"


def case_of(incident: Incident) -> str | None:
    """The case named last; None where head office has named none."""
    named = [step.details.get("case") for step in incident.steps if step.act == ACT and step.ok]
    return str(named[-1]) if named and named[-1] else None


def note_case(agent: Agent, incident_id: str, case_id: str, actor: str = "cloche") -> None:
    """Put down that an incident belongs to a case; said again it changes nothing.

    Raises:
        UsageError: no such incident.
    """
    incident = incidents(agent).get(incident_id)
    if case_of(incident) != case_id:
        Course(agent, incident.id, actor).record(ACT, case=agent.mask(case_id))
