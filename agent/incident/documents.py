"""Write the report of an incident in both languages into the documents' folder.

Each turn (reported, declared, ended, dismissed) leaves a version of its own; the first one is the first report (首次).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents.write import write_versions
from agent.incident.first_report import FirstReport
from agent.incident.records import Incident
from agent.incident.view import clocks_of

if TYPE_CHECKING:
    from agent.wiring import Agent


def write_documents(agent: Agent, incident: Incident) -> int:
    """Write the next version; how many files.

    Raises:
        ClocheError: one cannot be written.
    """
    now = agent.now()
    running = clocks_of(agent, incident, now)
    written = write_versions(
        agent,
        agent.home.documents / incident.id,
        f"{agent.text('report.file_name')}-{incident.id}",
        lambda wording, version: FirstReport(incident, running, agent.settings, wording).build(now, version),
    )
    return len(written)
