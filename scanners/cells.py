"""Cells of tables as places in one buffer of bytes, so that a column of ten thousand of them is worked on at once.

A Python object a cell costs more than all that is done with its bytes: cells stay (start, end) in UTF-8 until one of
them is odd enough to be looked at by itself. Lone surrogates are kept as `surrogatepass` writes them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from scanners.fingerprints import HEADER, Bytes

LONGEST: Final = 126  # bytes of a cell that is worked on as part of a column
_TAIL: Final = 128
_GAP: Final = b"\0"

Places = NDArray[np.int64]


class Buffer:
    """Bytes with room at both ends, so that a window may begin before a cell and end behind it."""

    __slots__ = ("_data", "array", "size")

    def __init__(self, data: bytes) -> None:
        """Copy `data`."""
        self._data = bytes(HEADER) + data + bytes(_TAIL)
        self.array: Bytes = np.frombuffer(self._data, np.uint8)
        self.size = len(data)

    @property
    def content(self) -> Bytes:
        """What was given."""
        return self.array[HEADER : HEADER + self.size]

    def windows(self, starts: Places, width: int) -> Bytes:
        """A row of `width` bytes a cell, 128 at most; the cell stands from byte `HEADER` on."""
        count = len(self.array) - width + 1
        view: NDArray[np.void] = np.ndarray((count,), f"V{width}", self.array, strides=(1,))
        return view[starts].view(np.uint8).reshape(-1, width)

    def raw(self, start: int, end: int) -> bytes:
        """A piece of it."""
        return self._data[HEADER + start : HEADER + end]

    def text(self, start: int, end: int) -> str:
        """A piece of it as text."""
        return self._data[HEADER + start : HEADER + end].decode("utf-8", "surrogatepass")


class Cells:
    """One column: cell n is `[starts[n], ends[n])` of the buffer."""

    __slots__ = ("buffer", "ends", "starts")

    def __init__(self, buffer: Buffer, starts: Places, ends: Places) -> None:
        """Take the places as they are."""
        self.buffer = buffer
        self.starts = starts
        self.ends = ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> Cells:
        """Cells that were text already."""
        joined = "\0".join(texts).encode("utf-8", "surrogatepass")
        if joined.count(_GAP) == len(texts) - 1:
            return cls._split(joined)
        return cls.of_bytes([text.encode("utf-8", "surrogatepass") for text in texts])

    @classmethod
    def _split(cls, joined: bytes) -> Cells:
        buffer = Buffer(joined)
        ends = np.append(np.flatnonzero(buffer.content == 0), len(joined))
        return cls(buffer, np.append(0, ends[:-1] + 1), ends)

    @classmethod
    def of_bytes(cls, encoded: Sequence[bytes]) -> Cells:
        """Cells in UTF-8."""
        joined = _GAP.join(encoded)
        if joined.count(_GAP) == len(encoded) - 1:
            return cls._split(joined)
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        return cls(Buffer(b"".join(encoded)), np.append(0, ends[:-1]).astype(np.int64), ends)

    def __len__(self) -> int:
        """How many."""
        return len(self.starts)

    def __iter__(self) -> Iterator[str]:
        """All of them as text."""
        return map(self.text, range(len(self)))

    def text(self, row: int) -> str:
        """One of them."""
        return self.buffer.text(int(self.starts[row]), int(self.ends[row]))

    def raw(self, row: int) -> bytes:
        """One of them, in UTF-8."""
        return self.buffer.raw(int(self.starts[row]), int(self.ends[row]))

    def trimmed(self) -> Cells:
        """Without spaces and tabs at the ends."""
        starts, ends = self.starts.copy(), self.ends.copy()
        data = self.buffer.array
        for _ in range(LONGEST):
            blank = _blank(data[starts + HEADER]) & (starts < ends)
            if not blank.any():
                break
            starts += blank
        for _ in range(LONGEST):
            blank = _blank(data[ends + (HEADER - 1)]) & (starts < ends)
            if not blank.any():
                break
            ends -= blank
        return Cells(self.buffer, starts, ends)


def _blank(letters: Bytes) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = (letters == 0x20) | (letters == 0x09)
    return blank


class Grid(Sequence[tuple[str, ...]]):
    """Rows that can give a whole column; also what `Rows.rows` wants: tuples of text, made when they are read."""

    @property
    @abstractmethod
    def size(self) -> int:
        """About how much memory the cells take, in bytes."""

    @abstractmethod
    def column(self, index: int) -> Cells:
        """All cells of a column; those that a row is too short for are empty."""


class ValueGrid(Grid):
    """Rows of values of any kind, made text when they are asked for.

    Args:
        rows: all of one width; of text if `cells` is not given.
        cells: makes cells of the values of one column.
    """

    def __init__(self, rows: Sequence[tuple[Any, ...]], cells: Callable[[Sequence[Any]], Cells] | None = None) -> None:
        """Turn the rows."""
        self._rows = len(rows)
        self._columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        self._cells = cells or Cells.of
        self._texts: Sequence[tuple[str, ...]] | None = None if cells else rows

    def __len__(self) -> int:
        """Rows."""
        return self._rows

    @property
    def size(self) -> int:
        """See `Grid`."""
        return sum(len(v) if isinstance(v, str | bytes) else 8 for column in self._columns for v in column)

    def column(self, index: int) -> Cells:
        """See `Grid`."""
        if index >= len(self._columns):
            nowhere = np.zeros(self._rows, np.int64)
            return Cells(Buffer(b""), nowhere, nowhere)
        return self._cells(self._columns[index])

    @overload
    def __getitem__(self, index: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[str, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, ...] | Sequence[tuple[str, ...]]:
        """Rows as text."""
        if self._texts is None:
            columns = [list(self._cells(column)) for column in self._columns]
            self._texts = list(zip(*columns, strict=True)) or [()] * self._rows
        return self._texts[index]


class ByteGrid(Grid):
    """Rows that lie in a buffer, of one width or ragged.

    Args:
        buffer: what the cells lie in.
        starts, ends: of all cells, row by row.
        widths: cells of each row. The table is as wide as the widest: shorter rows are filled with empty cells.
    """

    def __init__(self, buffer: Buffer, starts: Places, ends: Places, widths: Places) -> None:
        """Take the places as they are."""
        self.buffer = buffer
        self._starts = starts
        self._ends = ends
        self._firsts = np.cumsum(widths) - widths
        self._fit(widths, int(widths.max(initial=0)))

    def _fit(self, widths: Places, width: int) -> None:
        self._widths = widths
        self.width = width
        self._even = bool((widths >= width).all())

    def widened(self, width: int) -> ByteGrid:
        """The same rows in a table of that width; what is beyond it is left out."""
        made = copy(self)
        made._fit(self._widths, width)
        return made

    def replaced(self, rows: Places, cells: Sequence[Sequence[str]]) -> ByteGrid:
        """The same grid, with other cells in some rows."""
        flat = Cells.of([cell for row in cells for cell in row])
        behind, start = len(self._starts), self.buffer.size
        made = ByteGrid(
            Buffer(self.buffer.raw(0, start) + flat.buffer.raw(0, flat.buffer.size)),
            np.concatenate([self._starts, flat.starts + start]),
            np.concatenate([self._ends, flat.ends + start]),
            self._widths,
        )
        counts = np.fromiter(map(len, cells), np.int64, len(cells))
        widths = self._widths.copy()
        widths[rows] = counts
        made._firsts[rows] = behind + np.cumsum(counts) - counts
        made._fit(widths, int(widths.max(initial=0)))
        return made

    @property
    def size(self) -> int:
        """See `Grid`."""
        return self.buffer.size

    def beyond(self, width: int) -> Iterator[list[str]]:
        """Cells behind the first `width` of each row that has more."""
        for row in np.flatnonzero(self._widths > width).tolist():
            first, last = int(self._firsts[row]) + width, int(self._firsts[row] + self._widths[row])
            yield [self.buffer.text(int(self._starts[at]), int(self._ends[at])) for at in range(first, last)]

    def __len__(self) -> int:
        """Rows."""
        return len(self._widths)

    def column(self, index: int) -> Cells:
        """See `Grid`."""
        places = self._firsts + index
        if self._even and index < self.width:
            return Cells(self.buffer, self._starts[places], self._ends[places])
        short = self._widths <= index
        places[short] = 0
        starts, ends = self._starts[places], self._ends[places]
        starts[short] = ends[short] = 0
        return Cells(self.buffer, starts, ends)

    @overload
    def __getitem__(self, index: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[str, ...], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, ...] | tuple[tuple[str, ...], ...]:
        """Rows as text."""
        if isinstance(index, slice):
            return tuple(self._row(row) for row in range(*index.indices(len(self))))
        return self._row(index)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Rows as text."""
        return map(self._row, range(len(self)))

    def _row(self, row: int) -> tuple[str, ...]:
        first, count = int(self._firsts[row]), min(int(self._widths[row]), self.width)
        places = zip(
            self._starts[first : first + count].tolist(), self._ends[first : first + count].tolist(), strict=True
        )
        return (*(self.buffer.text(start, end) for start, end in places), *("",) * (self.width - count))
