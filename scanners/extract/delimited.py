"""CSV and TSV: the delimiter by counting, the header by looking, quoted line ends kept together (RFC 4180).

Nothing guarantees a header, one width or closed quotes in such a file: rows may widen the table, and a field that
swallows more than a mebibyte (a stray quote) is given as text instead, so that nothing in it is lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

from config.schema import ItemKind
from scanners.extract.api import Notes, Piece, Source
from scanners.extract.charset import detect
from scanners.extract.tables import table
from scanners.extract.text import chunks, read_text

_DELIMITERS: Final = (",", "\t", ";", "|", "\x01")
_NAMES: Final = frozenset({"csv", "tsv", "tab"})
_PLAIN: Final = frozenset({"txt", "dat", "bak", "del", "out", ""})
_FIELD: Final = 1 << 20


def find_delimiter(sample: str, *, strict: bool) -> str | None:
    """The delimiter that cuts the first lines of `sample` most evenly, or None.

    Args:
        strict: nothing but the content speaks for a table: five rows of one width of three at least.
    """
    lines = sample.splitlines(keepends=True)
    if len(lines) > 1 and not sample.endswith("\n"):
        lines.pop()
    best, best_score = None, 0.0
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines[:60], delimiter=delimiter) if row]
        except csv.Error:
            continue
        widths = [len(row) for row in rows]
        common = max(set(widths), key=widths.count, default=0)
        evenness = widths.count(common) / len(widths) if widths else 0.0
        if common < 2 or evenness < 0.6 or (strict and (common < 3 or evenness < 1 or len(rows) < 5)):
            continue
        score = evenness * min(common, 10)
        if score > best_score:
            best, best_score = delimiter, score
    return best


class DelimitedExtractor:
    """CSV, TSV and their relatives."""

    kind: ItemKind = "csv"

    def matches(self, source: Source) -> bool:
        """By name, or text whose rows are all of one width."""
        named = source.suffix in _NAMES
        if not named and source.suffix not in _PLAIN:
            return False
        sample = _sample(source)
        return sample is not None and (named or find_delimiter(sample, strict=True) is not None)

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Rows; what is no row as text."""
        delimiter = find_delimiter(_sample(source) or "", strict=False) or ","
        blocks = read_text(source.stream(), notes)
        records = _Records(blocks, delimiter)
        for piece in table("", records.numbered()):
            yield piece
            for line, text in records.take_strays():
                yield from chunks([text], first_line=line)
        for line, text in records.take_strays():
            yield from chunks([text], first_line=line)


class _Records:
    """Rows of text, with the number of the line each starts on; aside, what could not be cut."""

    def __init__(self, blocks: Iterator[str], delimiter: str) -> None:
        self._lines = self._split(blocks)
        self._delimiter = delimiter
        self._line = 0
        self._pending: list[str] = []
        self._strays: list[tuple[int, str]] = []
        csv.field_size_limit(_FIELD)

    def _split(self, blocks: Iterator[str]) -> Iterator[str]:
        rest = ""
        for block in blocks:
            lines = (rest + block).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            rest = lines.pop()
            for line in lines:
                yield self._note(line.replace("\0", "") + "\n")
        if rest:
            yield self._note(rest.replace("\0", ""))

    def _note(self, line: str) -> str:
        self._line += 1
        self._pending.append(line)
        return line

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Rows with their line."""
        while True:
            try:
                for row in csv.reader(self._lines, delimiter=self._delimiter):
                    start = self._line - len(self._pending) + 1
                    self._pending.clear()
                    if row:
                        yield start, row
            except csv.Error:
                self._strays.append((self._line - len(self._pending) + 1, "".join(self._pending)))
                self._pending.clear()
            else:
                return

    def take_strays(self) -> list[tuple[int, str]]:
        """Text that was no row, with its line."""
        strays, self._strays = self._strays, []
        return strays


def _sample(source: Source) -> str | None:
    name = detect(source.head)
    return None if name is None else source.head.decode(name, "replace")
