"""What extractors of tables share: where the header is, batches of one width, cells as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from scanners.cells import ByteGrid
from scanners.extract.api import BATCH_CHARACTERS, BATCH_ROWS
from scanners.extract.text import chunks
from scanners.records import Chunk, Place, Rows

_DATA: Final = re.compile(r"[@\d]{5,}|^\s*[-+]?\d[\d.,:/ -]*\s*$|\S+@\S+\.\S+")
TITLE_ROWS: Final = 10
MAX_COLUMNS: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Loose:
    """What stood between rows and could not be cut into cells."""

    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Many:
    """Rows that come together."""

    rows: Sequence[Sequence[str]] = field(repr=False)


Row = Sequence[str] | ByteGrid | Many | Loose


def looks_like_header(cells: Sequence[str]) -> bool:
    """Words, no data: at least one cell filled, none a number, a date, an address of mail or very long."""
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and not any(len(cell) > 60 or _DATA.search(cell) for cell in filled)


def number_columns(names: Sequence[str], width: int) -> tuple[str, ...]:
    """Names for `width` columns; one without a name is called by its number, `#3`."""
    given = [name.strip() for name in names[:width]]
    return tuple((given[index] if index < len(given) else "") or f"#{index + 1}" for index in range(width))


def find_header(first: Sequence[Sequence[str]]) -> int | None:
    """Index of the header among the first rows, titles above it passed over; None if there is none."""
    width = max((sum(1 for cell in row if cell.strip()) for row in first), default=0)
    for index, row in enumerate(first[:TITLE_ROWS]):
        filled = sum(1 for cell in row if cell.strip())
        if filled >= max(1, (width + 1) // 2) and (filled > 1 or width == 1):
            return index if looks_like_header(row) and len(first) > index + 1 else None
    return None


def table(name: str, numbered: Iterable[tuple[int, Row]]) -> Iterator[Rows | Chunk]:
    """Rows with their numbers as batches; the header is found, titles above it come as text.

    Rows longer than the first ones widen the table from there on; what is beyond 4,096 columns comes as text. So does a
    `Loose` piece. `ByteGrid` and `Many` are batches already; the rows that a header may be among must
    come one by one.
    """
    iterator = iter(numbered)
    first: list[tuple[int, Sequence[str]]] = []
    waiting: list[tuple[int, Row]] = []
    for line, row in iterator:
        if isinstance(row, Loose | Many | ByteGrid):
            waiting.append((line, row))
        else:
            first.append((line, row))
        if waiting or len(first) > 2 * TITLE_ROWS:
            break
    header = find_header([row for _, row in first])
    names: Sequence[str] = ()
    if header is not None:
        for line, row in first[:header]:
            text = "\t".join(cell for cell in row if cell)
            if text:
                yield Chunk(text=text, place=Place(table=name, line=line))
        names = first[header][1][:MAX_COLUMNS]
        first = first[header + 1 :]
    batches = _Batches(name, names)
    for line, row in chain(first, waiting, iterator):
        yield from batches.take(line, row)
    yield from batches.flush(last=True)


class _Batches:
    """Rows on their way into pieces."""

    def __init__(self, name: str, names: Sequence[str]) -> None:
        self._name = name
        self._names = names
        self._width = len(names)
        self._rows: list[Sequence[str]] = []
        self._start = 1
        self._characters = 0
        self._some = False

    def take(self, line: int, row: Row) -> Iterator[Rows | Chunk]:
        """One row more, or a batch of them."""
        if isinstance(row, Loose):
            yield from self.flush()
            yield from chunks([row.text], first_line=line)
        elif isinstance(row, Many):
            yield from self.flush()
            if max(map(len, row.rows)) <= MAX_COLUMNS:
                self._start, self._rows = line, list(row.rows)
                self._width = max(self._width, *map(len, row.rows))
            else:
                for one in row.rows:
                    yield from self.take(line, one)
            yield from self.flush()
        elif isinstance(row, ByteGrid):
            yield from self.flush()
            self._width = max(self._width, min(row.width, MAX_COLUMNS))
            yield self._piece(row.widened(self._width), line)
            if row.width > MAX_COLUMNS:
                beyond = "\n".join(map("\t".join, row.beyond(MAX_COLUMNS)))
                yield from chunks([beyond], first_line=line)
        else:
            if not self._rows:
                self._start = line
            self._rows.append(row[:MAX_COLUMNS])
            self._width = max(self._width, min(len(row), MAX_COLUMNS))
            self._characters += sum(map(len, row))
            if len(self._rows) >= BATCH_ROWS or self._characters > BATCH_CHARACTERS:
                yield from self.flush()
            if len(row) > MAX_COLUMNS:
                yield from chunks(["\t".join(row[MAX_COLUMNS:])], first_line=line)

    def flush(self, *, last: bool = False) -> Iterator[Rows]:
        """What waits; at the end a piece without rows, if there was a header and no more."""
        width = self._width
        if self._rows or (last and self._names and not self._some):
            rows = tuple(tuple(row) if len(row) == width else fill(row, width) for row in self._rows)
            yield self._piece(rows, self._start)
        self._rows, self._characters = [], 0

    def _piece(self, rows: Sequence[tuple[str, ...]], start: int) -> Rows:
        self._some = True
        return Rows(
            table=self._name,
            columns=number_columns(self._names, self._width),
            rows=rows,
            first_line=start,
            place=Place(table=self._name or None),
        )


def fill(row: Sequence[str], width: int) -> tuple[str, ...]:
    """A row with empty cells behind it."""
    return (*row, *("",) * (width - len(row)))
