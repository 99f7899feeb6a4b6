"""CSV and TSV: the delimiter by counting, the header by looking, quoted line ends kept together (RFC 4180).

Nothing guarantees a header, one width or closed quotes in such a file: rows may widen the table, and a field of
more than 64 KiB (a stray quote swallows what follows) and a line of more than four million characters are given as text
instead, so that nothing in them is lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np

from config.schema import ItemKind
from scanners.cells import Buffer, ByteGrid
from scanners.extract.api import Notes, Piece, Source
from scanners.extract.charset import detect
from scanners.extract.tables import TITLE_ROWS, Loose, Row, table
from scanners.extract.text import read_text

_DELIMITERS: Final = (",", "\t", ";", "|", "\x01")
_NAMES: Final = frozenset({"csv", "tsv", "tab"})
_PLAIN: Final = frozenset({"txt", "dat", "bak", "del", "out", ""})
_FIELD: Final = 1 << 16  # bytes of a cell
_LINE: Final = 4 << 20  # characters of a line
_HEAD_LINES: Final = 3 * TITLE_ROWS


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
        yield from table("", _Records(read_text(source.stream(), notes), delimiter).numbered())


class _Records:
    """Rows of text, with the number of the line each starts on.

    Blocks without a quote are cut as bytes, all at once; the first rows and all others by the csv module.
    """

    def __init__(self, blocks: Iterator[str], delimiter: str) -> None:
        self._texts = _whole_lines(blocks)
        self._delimiter = delimiter
        self._lines: list[str] = []
        self._at = 0  # of the next line in `_lines`
        self._line = 0  # lines read so far
        self._pending: list[str] = []  # lines of the row that is being read
        csv.field_size_limit(_FIELD)

    def numbered(self) -> Iterator[tuple[int, Row]]:
        """Rows with their line."""
        reader = csv.reader(self._feed(), delimiter=self._delimiter)
        while True:
            if self._at >= len(self._lines):
                text = next(self._texts, None)
                if text is None:
                    return
                if len(text) > _LINE and "\n" not in text[:-1]:
                    yield self._line + 1, Loose(text=text)
                    self._line += text.endswith("\n")
                    continue
                grid = cut(text, self._delimiter) if self._line else None
                if grid is not None:
                    if len(grid):
                        yield self._line + 1, grid
                    self._line += text.count("\n")
                    continue
                self._take(text)
            try:
                row = next(reader)
            except csv.Error:
                yield self._line - len(self._pending) + 1, Loose(text="".join(self._pending))
                reader = csv.reader(self._feed(), delimiter=self._delimiter)
            except StopIteration:
                return
            else:
                if row:
                    yield self._line - len(self._pending) + 1, row
            self._pending.clear()

    def _take(self, text: str) -> None:
        """Have the lines of a text next; of the first one only some, where a header may be."""
        lines = text.split("\n")
        last = lines.pop()
        self._lines, self._at = [line + "\n" for line in lines], 0
        if last:
            self._lines.append(last)
        if not self._line and len(self._lines) > _HEAD_LINES:
            rest = "".join(self._lines[_HEAD_LINES:])
            del self._lines[_HEAD_LINES:]
            self._texts = chain([rest], self._texts)

    def _feed(self) -> Iterator[str]:
        """Lines for the csv module, which asks for more in the midst of a row."""
        while True:
            if self._at >= len(self._lines):
                text = next(self._texts, None)
                if text is None:
                    return
                self._take(text)
            line = self._lines[self._at]
            self._at += 1
            self._line += 1
            self._pending.append(line)
            yield line


def _whole_lines(blocks: Iterator[str]) -> Iterator[str]:
    """Texts that end at line ends; a line of more than `_LINE` characters comes in pieces, by itself."""
    rest: list[str] = []
    waiting = 0
    for block in blocks:
        end = block.rfind("\n") + 1
        if end:
            yield _tidy("".join([*rest, block[:end]]))
            rest, waiting = [], 0
        rest.append(block[end:])
        waiting += len(block) - end
        if waiting > _LINE:
            yield _tidy("".join(rest))
            rest, waiting = [], 0
    if waiting:
        yield _tidy("".join(rest))


def _tidy(text: str) -> str:
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


def cut(text: str, delimiter: str) -> ByteGrid | None:
    """Whole lines as a grid, empty ones left out; None if the csv module must have a look."""
    if '"' in text:
        return None
    if not text.endswith("\n"):
        text += "\n"
    buffer = Buffer(text.encode("utf-8", "surrogatepass"))
    content = buffer.content
    breaks = content == 0x0A
    ends = np.flatnonzero(breaks | (content == ord(delimiter)))
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    if int((ends - starts).max()) > _FIELD:
        return None
    lasts = np.flatnonzero(breaks[ends])
    widths = np.diff(lasts, prepend=-1)
    empty = (widths == 1) & (starts[lasts] == ends[lasts])
    if empty.any():
        kept = np.repeat(~empty, widths)
        starts, ends, widths = starts[kept], ends[kept], widths[~empty]
    return ByteGrid(buffer, starts, ends, widths)


def _sample(source: Source) -> str | None:
    name = detect(source.head)
    return None if name is None else source.head.decode(name, "replace")
