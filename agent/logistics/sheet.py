"""The checklist as one page for a phone: no script, nothing loaded, readable at 390 pixels and on paper.

Boxes are ticked with a thumb. The form's button puts the answers into the page's own address (HTML, 4.10.21.3: a form
with method GET), to be copied into a message; or the codes are answered by hand (`A1 是 10:25`). Both are read by
`incident logistics ID check --from`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from agent.incident.moments import zone_of
from agent.incident.records import Incident
from agent.incident.wording import Wording
from agent.logistics.records import Logistics
from config.text import LANGUAGES, Text

if TYPE_CHECKING:
    from agent.wiring import Agent


def build_sheet(agent: Agent, incident: Incident, state: Logistics, language: str = "") -> str:
    """The page, in the store's language or the one asked for."""
    text = Text(next((known for known in LANGUAGES if known == language), agent.text.language))
    wording = Wording(text, zone_of(agent.settings.store.timezone))
    lines = [
        {
            "code": line.code, "text": line.text(text.language), "photo": line.photo, "stage": line.stage,
            "reply": state.checked[line.code].reply if line.code in state.checked else "",
        }
        for line in state.lines
    ]  # fmt: skip
    stages = [
        (text(f"logistics.stage_{stage}"), [line for line in lines if line["stage"] == stage])
        for stage in ("scene", "recovery")
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("agent.logistics").joinpath("sheet.html").read_text(encoding="utf-8")
    contacts = [
        f"{person.name} {person.contact or person.phone}".strip()
        for person in agent.people.holding(("logistics", "tech_support", "response_lead"))
    ]
    return environment.from_string(source).render(
        text=text, incident=incident, store=agent.settings.store.name, kind=text(f"incident.kind_{incident.kind}"),
        made=wording.moment(agent.now()), stages=[stage for stage in stages if stage[1]], needs=state.open_needs,
        photos=[line for line in lines if line["photo"]], contacts=contacts,
    )  # fmt: skip
