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
from scanners.extract.api import BATCH_ROWS, Notes, Piece, Source
from scanners.extract.charset import detect
from scanners.extract.tables import TITLE_ROWS, Loose, Many, Row, table
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
        self._line = 0  # lines done so far
        csv.field_size_limit(_FIELD)

    def numbered(self) -> Iterator[tuple[int, Row]]:
        """Rows with their line."""
        for line, row in self._by_csv(self._head(), most=1):
            yield line, row.rows[0] if isinstance(row, Many) else row
        while (text := next(self._texts, None)) is not None:
            if len(text) > _LINE and "\n" not in text[:-1]:
                yield self._line + 1, Loose(text=text)
                self._line += text.endswith("\n")
            elif (grid := cut(text, self._delimiter)) is not None:
                if len(grid):
                    yield self._line + 1, grid
                self._line += text.count("\n")
            else:
                yield from self._by_csv(_lines_of(text), most=BATCH_ROWS)

    def _head(self) -> list[str]:
        """The first lines, where a header may be; what follows them is left for later."""
        lines = _lines_of(next(self._texts, ""))
        if len(lines) > _HEAD_LINES:
            self._texts = chain(["".join(lines[_HEAD_LINES:])], self._texts)
            del lines[_HEAD_LINES:]
        return lines

    def _by_csv(self, lines: list[str], *, most: int) -> Iterator[tuple[int, Many | Loose]]:
        """Rows of these lines, at most so many together, and of those behind them for as long as a row goes on."""

        def more() -> Iterator[list[str]]:
            yield lines[done:]
            for text in self._texts:
                new = _lines_of(text)
                lines.extend(new)
                yield new

        done = 0
        while done < len(lines):
            rows: list[list[str]] = []
            first = start = done
            reader = csv.reader(chain.from_iterable(more()), delimiter=self._delimiter)
            failed = False
            try:
                for row in reader:
                    done = start + reader.line_num
                    if row:
                        rows.append(row)
                    elif not rows:
                        first = done
                    if len(rows) >= most:
                        yield self._line + first + 1, Many(rows=rows)
                        rows, first = [], done
                    if done >= len(lines):
                        break
            except csv.Error:
                failed = True
            if rows:
                yield self._line + first + 1, Many(rows=rows)
            if failed:
                begun, done = done, start + reader.line_num
                yield self._line + begun + 1, Loose(text="".join(lines[begun:done]))
        self._line += done


def _lines_of(text: str) -> list[str]:
    """With their line ends."""
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])


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
