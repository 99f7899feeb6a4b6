"""Cells of running text, many read as one: a call of the engine costs more than a cell.

Between two cells stand more line ends than any window of a detector or of the chooser of names is wide, so what is
found in a cell is what would be found in it alone (a test holds that). Offsets lead back to the cells.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from scanners.extract.text import chunks
from scanners.tally import Value

BETWEEN: Final = "\n" * 48
TOGETHER: Final = 65_536  # characters

ReadText = Callable[[str], Sequence[tuple[int, Value]]]


def read_together(cells: Sequence[str], read: ReadText) -> list[list[Value]]:
    """What each cell holds.

    Args:
        cells: of one column.
        read: finds values in a text, each with its start in characters.
    """
    answers: list[list[Value]] = []
    for batch in _batches(cells):
        if len(batch) == 1:
            answers.append([value for part in _parts(batch[0]) for _, value in read(part)])
            continue
        starts = list(accumulate((len(cell) + len(BETWEEN) for cell in batch), initial=0))
        here: list[list[Value]] = [[] for _ in batch]
        for start, value in read(BETWEEN.join(batch)):
            here[bisect_right(starts, start) - 1].append(value)
        answers += here
    return answers


def _parts(cell: str) -> Iterator[str]:
    """A cell that is too long for one call, cut as long lines of text are."""
    return (chunk.text for chunk in chunks([cell])) if len(cell) > TOGETHER else iter([cell])


def _batches(cells: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for cell in cells:
        if batch and size + len(cell) > TOGETHER:
            yield batch
            batch, size = [], 0
        batch.append(cell)
        size += len(cell) + len(BETWEEN)
    if batch:
        yield batch
