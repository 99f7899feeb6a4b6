"""A report as one html page: no script, nothing loaded from elsewhere, every value escaped."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from agent.incident.first_report import Document


def as_html(document: Document) -> bytes:
    """The page, UTF-8."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = files("agent.incident").joinpath("templates", "report.html").read_text(encoding="utf-8")
    blocks = [(type(block).__name__, block) for block in document.blocks]
    page = environment.from_string(source).render(document=document, blocks=blocks)
    return page.encode("utf-8", "replace")
