"""A document as one html page: no script, nothing loaded from elsewhere, every value escaped."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from agent.documents.model import Document, Picture
from agent.documents.plain import plain


def as_html(document: Document) -> bytes:
    """The page, UTF-8."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_finalize)
    environment.filters["data_url"] = _data_url
    source = files("agent.documents").joinpath("templates", "document.html").read_text(encoding="utf-8")
    blocks = [(type(block).__name__, block) for block in document.blocks]
    page = environment.from_string(source).render(document=document, blocks=blocks)
    return page.encode("utf-8", "replace")


def _finalize(value: Any) -> Any:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _data_url(picture: Picture) -> str:
    """As an image, an SVG can neither run a script nor load anything (https://www.w3.org/TR/SVG2/conform.html)."""
    kind, content = ("svg+xml", picture.svg) if picture.svg else ("png", picture.png)
    return f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"
