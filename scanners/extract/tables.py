"""What extractors of tables share: where the header is, batches of one width, cells as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from scanners.extract.api import BATCH_ROWS
from scanners.records import Chunk, Place, Rows

_DATA: Final = re.compile(r"[@\d]{5,}|^\s*[-+]?\d[\d.,:/ -]*\s*$|\S+@\S+\.\S+")
_TITLE_ROWS: Final = 10
_MAX_COLUMNS: Final = 4096
_BATCH_CHARACTERS: Final = 262_144


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
    for index, row in enumerate(first[:_TITLE_ROWS]):
        filled = sum(1 for cell in row if cell.strip())
        if filled >= max(1, (width + 1) // 2) and (filled > 1 or width == 1):
            return index if looks_like_header(row) and len(first) > index + 1 else None
    return None


def table(name: str, numbered: Iterable[tuple[int, Sequence[str]]]) -> Iterator[Rows | Chunk]:
    """Rows with their numbers as batches; the header is found, titles above it come as text.

    Rows longer than the first ones widen the table from there on.
    """
    iterator = iter(numbered)
    first: list[tuple[int, Sequence[str]]] = []
    for pair in iterator:
        first.append(pair)
        if len(first) > 2 * _TITLE_ROWS:
            break
    header = find_header([row for _, row in first])
    names: Sequence[str] = ()
    if header is not None:
        for line, row in first[:header]:
            text = "\t".join(cell for cell in row if cell)
            if text:
                yield Chunk(text=text, place=Place(table=name, line=line))
        names = first[header][1]
        first = first[header + 1 :]
    batch: list[Sequence[str]] = []
    start = 1
    characters = 0
    width = len(names)
    for line, row in _both(first, iterator):
        if not batch:
            start = line
        batch.append(row[:_MAX_COLUMNS])
        width = max(width, min(len(row), _MAX_COLUMNS))
        characters += sum(map(len, row))
        if len(batch) >= BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield _rows(name, names, width, batch, start)
            batch, characters = [], 0
    if batch or names:
        yield _rows(name, names, width, batch, start)


def _both(
    first: Sequence[tuple[int, Sequence[str]]], rest: Iterator[tuple[int, Sequence[str]]]
) -> Iterator[tuple[int, Sequence[str]]]:
    yield from first
    yield from rest


def _rows(name: str, names: Sequence[str], width: int, batch: Sequence[Sequence[str]], start: int) -> Rows:
    return Rows(
        table=name,
        columns=number_columns(names, width),
        rows=tuple((*row, *("",) * (width - len(row))) for row in batch),
        first_line=start,
        place=Place(table=name or None),
    )
