"""Which incident of this store an order means: by its id, or by the case of head office's that it belongs to."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from agent.direction.models import CaseRow
from agent.incident.cases import note_case
from agent.incident.records import Incident
from agent.incident.store import incidents
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


def incident_of(agent: Agent, case: str | None) -> Incident | None:
    """This store's incident in a case, followed to the one that took it over."""
    if not case:
        return None
    with agent.inventory.reading() as session:
        row = session.get(CaseRow, case)
    found: Incident | None = None
    with suppress(UsageError):
        found = incidents(agent).get(row.incident) if row else None
        while found is not None and found.merged_into:
            found = incidents(agent).get(found.merged_into)
    return found


def bind(agent: Agent, case: str | None, incident_id: str, order_id: str, actor: str) -> None:
    """This incident is the store's part of a case; it stands on its timeline, and head office is told so.

    Raises:
        ClocheError: the disk refused it.
    """
    if case:
        note_case(agent, incident_id, case, actor)
        with agent.inventory.sessions.begin() as session:
            session.merge(CaseRow(case=case, incident=incident_id, order=order_id))


def meant(agent: Agent, incident_id: str, case: str | None) -> Incident:
    """The incident that an order is about.

    Raises:
        UsageError: there is none of this id, or none in this case.
    """
    if incident_id:
        found = incidents(agent).get(incident_id)
        if found.id != incident_id:
            raise UsageError(agent.text("direction.no_incident"))
        return found
    known = incident_of(agent, case)
    if known is None:
        raise UsageError(agent.text("direction.no_incident"))
    return known
