"""A document as one html page: no script, nothing loaded from elsewhere, every value escaped."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from agent.documents.model import Document


def as_html(document: Document) -> bytes:
    """The page, UTF-8."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["base64"] = lambda content: b64encode(content).decode("ascii")
    source = files("agent.documents").joinpath("templates", "document.html").read_text(encoding="utf-8")
    blocks = [(type(block).__name__, block) for block in document.blocks]
    page = environment.from_string(source).render(document=document, blocks=blocks)
    return page.encode("utf-8", "replace")
