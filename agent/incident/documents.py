"""Write the report of an incident as docx and html, in both languages, into the documents' folder.

What was written is never written over: somebody may have handed it in. Each turn (reported, declared, ended,
dismissed) leaves a version of its own; the first one is the first report (首次).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from agent.incident.first_report import FirstReport
from agent.incident.moments import zone_of
from agent.incident.records import Incident
from agent.incident.view import clocks_of
from agent.incident.wording import Wording
from config.errors import ClocheError
from config.text import LANGUAGES, Text
from containment.atomic import write_file

if TYPE_CHECKING:
    from agent.wiring import Agent


def write_documents(agent: Agent, incident: Incident) -> int:
    """Write the next version; how many files.

    Raises:
        ClocheError: one cannot be written.
    """
    from agent.incident.page import as_html  # python-docx and jinja2 are not for an idle daemon's memory
    from agent.incident.word import as_docx

    folder = agent.home.documents / incident.id
    now = agent.now()
    name = agent.text("report.file_name")
    written = 0
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        version = 1 + max((version_of(path) for path in folder.iterdir()), default=0)
        for language in LANGUAGES:
            wording = Wording(Text(language), zone_of(agent.settings.store.timezone))
            report = FirstReport(incident, clocks_of(agent, incident, now), agent.settings, wording)
            document = report.build(now, version)
            for ending, content in (("html", as_html(document)), ("docx", as_docx(document))):
                write_file(folder / f"{name}-{incident.id}-{version:02d}.{language}.{ending}", content)
                written += 1
    except OSError as error:
        raise ClocheError(f"{folder}: documents cannot be written: {error.strerror}") from error
    return written


def version_of(path: Path) -> int:
    """The version that a document's name tells, 0 for a foreign file."""
    found = re.search(r"-(\d{2,})\.[\w-]+\.(?:html|docx)$", path.name)
    return int(found[1]) if found else 0
