"""A document as PDF (ISO 32000) on A4, its fonts embedded, by Typst.

What is said goes in as JSON strings, which Typst never reads as markup: nothing that stands in a file's name or in a
report form can become a command.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from agent.documents.model import TEXT_WIDTH_MM, Block, Document, Paragraph, Picture
from agent.documents.plain import plain
from agent.documents.typeset import typeset


def as_pdf(document: Document, folders: Sequence[Path] | None = None) -> bytes:
    """The file's bytes.

    Raises:
        NoFontError: no font for Chinese is installed, or in `folders`.
        ClocheError: it cannot be set.
    """
    source = files("agent.documents").joinpath("templates", "document.typ").read_bytes()
    pictures: dict[str, bytes] = {}
    language, _, region = document.language.partition("-")
    content = {
        "lang": language, "region": region or None,
        "title": plain(document.title), "subtitle": plain(document.subtitle), "lead": plain(document.lead),
        "stamp": plain(document.stamp), "running": plain(document.running), "head": plain(document.head),
        "notices": [plain(notice) for notice in document.notices],
        "blocks": [
            _facts_of(block, following, pictures)
            for block, following in zip(document.blocks, (*document.blocks[1:], None), strict=True)
        ],
    }  # fmt: skip
    return typeset({"main.typ": source, "document.json": json.dumps(content).encode(), **pictures}, folders=folders)


def _facts_of(block: Block, following: Block | None, pictures: dict[str, bytes]) -> dict[str, Any]:
    kind = type(block).__name__
    if isinstance(block, Picture):
        name = f"picture-{len(pictures)}.svg"
        pictures[name] = block.svg or as_svg(block.png)
        width = min(block.width_mm, TEXT_WIDTH_MM)
        return {"kind": kind, "file": name, "caption": plain(block.caption), "width_mm": width}
    facts = {"kind": kind, **_plain(asdict(block))}
    if isinstance(block, Paragraph):
        facts["sticky"] = following is not None and not isinstance(following, Paragraph)
    return facts


def as_svg(png: bytes) -> bytes:
    """An SVG that shows a PNG: the typesetter's files are text. Width and height stand in the first chunk, IHDR
    (https://www.w3.org/TR/png/#11IHDR).
    """
    width, height = struct.unpack(">II", png[16:24])
    content = base64.b64encode(png).decode("ascii")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{content}"/></svg>'
    ).encode("ascii")


def _plain(value: Any) -> Any:
    match value:
        case str():
            return plain(value)
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(part) for part in value]
    return value
