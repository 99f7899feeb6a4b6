"""Write the report of an incident in both languages into the documents' folder.

Each turn (reported, declared, ended, dismissed) leaves a version of its own; the first one is the first report (首次).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent.documents.model import Document
from agent.documents.stamps import head_of
from agent.documents.write import write_versions
from agent.incident.first_report import FirstReport
from agent.incident.records import Incident
from agent.incident.view import clocks_of
from agent.incident.wording import Wording

if TYPE_CHECKING:
    from agent.wiring import Agent


def write_documents(agent: Agent, incident: Incident) -> int:
    """Write the next version; how many files.

    Raises:
        ClocheError: one cannot be written.
    """
    now = agent.now()
    running = clocks_of(agent, incident, now)

    def build(wording: Wording, version: int) -> Document:
        report = FirstReport(incident, running, agent.settings, wording).build(now, version)
        return replace(report, head=head_of(agent, incident.id, wording.text))

    stem = f"{agent.text('report.file_name')}-{incident.id}"
    return len(write_versions(agent, agent.home.documents / incident.id, stem, build))
