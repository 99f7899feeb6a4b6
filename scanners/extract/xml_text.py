"""Text out of XML parts, as a stream and with nothing resolved.

expat expands entities of a document type: parts of office files never have one, so one that has is refused
(billion laughs, external entities).
"""

from __future__ import annotations

import xml.parsers.expat
from collections.abc import Callable
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 16


class ForbiddenDoctype(Exception):  # noqa: N818  names what was found
    """The part defines entities."""


def parse(
    stream: BinaryIO,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Run the handlers over a part; names come without their namespace prefix.

    Raises:
        ForbiddenDoctype: see the module.
        xml.parsers.expat.ExpatError: it is not well-formed.
    """
    parser = xml.parsers.expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise ForbiddenDoctype

    def on_start(name: str, attributes: dict[str, str]) -> None:
        start(name.rpartition(":")[2], attributes)

    def on_end(name: str) -> None:
        end(name.rpartition(":")[2])

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = text
    while block := stream.read(_BLOCK):
        parser.Parse(block, False)
    parser.Parse(b"", True)


class Flow:
    """Paragraphs and tables out of one part of a text document (WordprocessingML, PresentationML, DrawingML, ODF).

    Args:
        letters: elements whose text counts, or None for all text.
        names: of the elements that shape it.
    """

    def __init__(self, *, letters: frozenset[str] | None, names: FlowNames) -> None:
        self._letters = letters
        self._names = names
        self._inside = 0
        self._text: list[str] = []
        self._tables: list[_Table] = []
        self.lines: list[str] = []
        self.tables: list[list[list[str]]] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        """An element begins."""
        names = self._names
        if self._letters is not None and name in self._letters:
            self._inside += 1
        elif name in names.tab:
            self._text.append("\t")
        elif name in names.line:
            self._text.append("\n")
        elif name in names.table:
            self._end_paragraph()
            self._tables.append(_Table())
        elif name in names.row and self._tables:
            self._tables[-1].rows.append([])
        elif name in names.cell and self._tables:
            self._tables[-1].cell = []

    def end(self, name: str) -> None:
        """An element ends."""
        names = self._names
        if self._letters is not None and name in self._letters:
            self._inside -= 1
        elif name in names.paragraph:
            self._end_paragraph()
        elif name in names.cell and self._tables:
            self._end_paragraph()
            table = self._tables[-1]
            if table.rows:
                table.rows[-1].append("\n".join(table.cell))
            table.cell = []
        elif name in names.table and self._tables:
            self.tables.append(self._tables.pop().rows)

    def text(self, data: str) -> None:
        """Characters."""
        if self._letters is None or self._inside:
            self._text.append(data)

    def _end_paragraph(self) -> None:
        line = "".join(self._text)
        self._text.clear()
        if line.strip():
            (self._tables[-1].cell if self._tables else self.lines).append(line)

    def finish(self) -> None:
        """Keep what a part that broke off left open."""
        self._end_paragraph()
        while self._tables:
            table = self._tables.pop()
            self.tables.append([*table.rows, table.cell])


class FlowNames:
    """Local names of the elements of one family of formats."""

    def __init__(self, *, paragraph: str, table: str, row: str, cell: str, tab: str, line: str) -> None:
        self.paragraph = frozenset(paragraph.split())
        self.table = frozenset(table.split())
        self.row = frozenset(row.split())
        self.cell = frozenset(cell.split())
        self.tab = frozenset(tab.split())
        self.line = frozenset(line.split())


class _Table:
    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.cell: list[str] = []
