"""HTML: text without its tags, tables as rows.

Tills and delivery platforms export HTML tables under the name `.xls`: the content decides. Scripts count as text (data
stands in them), styles do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from config.schema import ItemKind
from scanners.extract.api import Notes, Piece, Source
from scanners.extract.charset import detect
from scanners.extract.tables import table
from scanners.extract.text import chunks, read_text

_SIGN: Final = re.compile(r"<(?:!doctype\s+html|html|head|body|table|meta\s|div|script)\b", re.IGNORECASE)
_BLOCKS: Final = frozenset({
    "p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "option", "tr",
    "table", "title", "dd", "dt", "pre", "blockquote", "form", "script",
})  # fmt: skip
_LINKS: Final = re.compile(r"(?:mailto|tel):(.+)", re.IGNORECASE)
_VALUES: Final = frozenset({"value", "content", "alt", "title", "placeholder"})


class _Reader(HTMLParser):
    """Collects lines and, apart, tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._text: list[str] = []
        self._rows: list[list[list[str]]] = []
        self._in_cell = False
        self._style = 0
        self.lines: list[str] = []
        self.tables: list[list[list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "style":
            self._style += 1
        if tag == "table":
            self.end_line()
            self._rows.append([])
        elif tag == "tr" and self._rows:
            self.end_line()
            self._rows[-1].append([])
        elif tag in ("td", "th") and self._rows:
            self.end_line()
            if not self._rows[-1]:
                self._rows[-1].append([])
            self._rows[-1][-1].append("")
            self._in_cell = True
        elif tag in _BLOCKS:
            self._text.append("\n")
        for name, value in attrs:
            link = _LINKS.match(value or "") if name == "href" else None
            if value and name in _VALUES and not (tag == "meta" and "charset" in value):
                self._text.append(f" {value} ")
            elif link is not None:
                self._text.append(f" {link.group(1)} ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._style = max(0, self._style - 1)
        elif tag in ("td", "th", "tr"):
            self.end_line()
            self._in_cell = False
        elif tag == "table" and self._rows:
            self.end_line()
            self._in_cell = False
            self.tables.append(self._rows.pop())
        elif tag in _BLOCKS:
            self._text.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._style:
            self._text.append(data)

    def handle_comment(self, data: str) -> None:
        self._text.append(f"\n{data}\n")

    def end_line(self) -> None:
        """Put what was gathered where it belongs."""
        text = "".join(self._text)
        self._text.clear()
        if self._in_cell and self._rows and self._rows[-1] and self._rows[-1][-1]:
            self._rows[-1][-1][-1] = f"{self._rows[-1][-1][-1]} {' '.join(text.split())}".strip()
        elif text.strip():
            self.lines += [line.strip() for line in text.split("\n") if line.strip()]

    def finish(self) -> None:
        """Keep what was left open."""
        self.close()
        self.end_line()
        self.tables += self._rows
        self._rows = []


def text_of_html(text: str) -> str:
    """All of a page as text, rows of tables as lines."""
    reader = _Reader()
    reader.feed(text)
    reader.finish()
    rows = ["\t".join(row) for rows in reader.tables for row in rows]
    return "\n".join([*reader.lines, *rows]) + "\n"


class HtmlExtractor:
    """See the module."""

    kind: ItemKind = "document"

    def matches(self, source: Source) -> bool:
        """Text with the tags of a page near its start."""
        name = detect(source.head)
        if name is None or source.suffix in ("js", "css", "py", "java", "md", "xml", "php"):
            return False
        return _SIGN.search(source.head[:4096].decode(name, "replace").lstrip("\ufeff \r\n\t")) is not None

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Text and tables, as they close."""
        reader = _Reader()
        number = 0
        for block in read_text(source.stream(), notes):
            reader.feed(block)
            yield from _taken(reader, number)
            number += len(reader.tables)
            reader.tables.clear()
        reader.finish()
        yield from _taken(reader, number)


def _taken(reader: _Reader, number: int) -> Iterator[Piece]:
    yield from chunks(["\n".join(reader.lines)])
    reader.lines.clear()
    for index, rows in enumerate(reader.tables, start=number + 1):
        yield from table(f"表{index}", [(line, row) for line, row in enumerate(rows, start=1) if any(row)])
