"""Write the first report of an incident as docx and html, in both languages, into the documents' folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.incident.first_report import FirstReport
from agent.incident.moments import zone_of
from agent.incident.page import as_html
from agent.incident.records import Incident
from agent.incident.view import clocks_of
from agent.incident.word import as_docx
from agent.incident.wording import Wording
from config.errors import ClocheError
from config.text import LANGUAGES, Text
from containment.atomic import write_file

if TYPE_CHECKING:
    from agent.wiring import Agent


def write_documents(agent: Agent, incident: Incident) -> int:
    """Write all versions anew; how many.

    Raises:
        ClocheError: one cannot be written.
    """
    folder = agent.home.documents / incident.id
    now = datetime.now(UTC)
    name = agent.text("report.file_name")
    written = 0
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for language in LANGUAGES:
            wording = Wording(Text(language), zone_of(agent.settings.store.timezone))
            document = FirstReport(incident, clocks_of(agent, incident, now), agent.settings, wording).build(now)
            for ending, content in (("html", as_html(document)), ("docx", as_docx(document))):
                write_file(folder / f"{name}-{incident.id}.{language}.{ending}", content)
                written += 1
    except OSError as error:
        raise ClocheError(f"{folder}: documents cannot be written: {error.strerror}") from error
    return written
