"""Rows held back: until a table's sample is full, and until there are enough of them to be worth a batch.

A dump may hold thousands of small tables, and give their rows one by one in turns: what all tables of a worker hold
together is bounded, and a table that would exceed the bound goes on with what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from scanners.cells import Grid, ValueGrid

SAMPLE_ROWS: Final = 1_000
OF_A_TABLE: Final = 1 << 20  # bytes
OF_ALL: Final = 12 << 20
SMALL: Final = 64  # rows that are worth no batch of their own


class HeldTotal:
    """Bytes that all tables hold back together."""

    def __init__(self) -> None:
        """Begin with none."""
        self.bytes = 0


class HeldRows:
    """What one table holds back."""

    def __init__(self, total: HeldTotal) -> None:
        """Begin with nothing."""
        self._total = total
        self._grids: list[tuple[Grid, int]] = []
        self._rows = 0
        self._bytes = 0

    def __iter__(self) -> Iterator[Grid]:
        """As they came."""
        return (grid for grid, _ in self._grids)

    def __len__(self) -> int:
        """Rows."""
        return self._rows

    def add(self, grid: Grid, first_line: int) -> bool:
        """Hold some rows; True if it is enough."""
        size = grid.size
        self._grids.append((grid, first_line))
        self._rows += len(grid)
        self._bytes += size
        self._total.bytes += size
        return self._rows >= SAMPLE_ROWS or self._bytes > OF_A_TABLE or self._total.bytes > OF_ALL

    def release(self, width: int) -> list[tuple[Grid, int]]:
        """All of them with their first lines, small pieces joined; nothing is held then.

        Args:
            width: of the table by now.
        """
        grids, self._grids = self._grids, []
        self._total.bytes = max(0, self._total.bytes - self._bytes)
        self._rows = self._bytes = 0
        joined: list[tuple[Grid, int]] = []
        waiting: list[tuple[str, ...]] = []
        start = 1
        for grid, line in grids:
            if len(grid) >= SMALL:
                joined += [(ValueGrid(waiting), start)] if waiting else []
                joined.append((grid, line))
                waiting = []
                continue
            start = start if waiting else line
            waiting += [_wide(row, width) for row in grid]
        return joined + ([(ValueGrid(waiting), start)] if waiting else [])


def _wide(row: Sequence[str], width: int) -> tuple[str, ...]:
    return (*row, *("",) * (width - len(row)))
