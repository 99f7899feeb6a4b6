"""Many tuples of `INSERT … VALUES`, or many lines of `COPY`, cut at once: quotes, brackets and commas as arrays.

Inside a literal is where the number of quotes before is odd (escaped ones not counted). What is not written plainly (a
doubled quote, an escape, a function, a prefix such as N'…') makes its row odd: it is cut by itself (`sql_values`), and
stands where it stood. Double quotes, backticks and comments outside of literals end what is cut here, for an
apostrophe in them would turn everything inside out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.cells import Buffer, ByteGrid, Places
from scanners.extract.sql_values import Dialect, cut_tuple
from scanners.fingerprints import Bytes

_GAP: Final = 64  # bytes between two tuples: a comma and some white space
_QUOTE, _BACKSLASH, _DASH = b"'\\-"
_OPEN, _CLOSE, _COMMA = b"(),"
_BLANK: Final = b" \t\r\n"
_MARK, _ODD, _STOP = 1, 2, 4
_PLAIN: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-'(),;" + _BLANK
_CLASSES: Final = bytes(
    (_MARK if letter in b"(),;" else 0) | (0 if letter in _PLAIN else _ODD) | (_STOP if letter in b'"`#/' else 0)
    for letter in range(256)
)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Rows, and how many characters of the text they took."""

    rows: ByteGrid
    length: int


def cut_tuples(text: str, dialect: Dialect, start: str) -> Cut | None:
    """As many tuples as stand whole at the beginning of `text`; None if none can be had this way.

    Args:
        text: from an opening bracket on.
        dialect: how literals are written.
        start: of the statement that the first tuple is in, up to it. The next statement may start the same way (many
            dumps hold a row a statement): its tuples are taken as well.
    """
    data = text.encode("utf-8", "surrogatepass")
    whole = np.frombuffer(data, np.uint8)
    quotes = whole == _QUOTE
    escaped = _escaped(whole) if dialect.backslash else np.empty(0, np.int64)
    quotes[escaped] = False
    before = np.cumsum(quotes, dtype=np.int32)
    outside = before & 1 == 0
    data = _joined(data, start, outside) if start in text else data
    letters = np.frombuffer(data, np.uint8)
    classes = np.frombuffer(data.translate(_CLASSES), np.uint8) * outside
    marks = np.flatnonzero(classes & _MARK)
    marks = marks[: np.searchsorted(marks, _limit(letters, classes, outside))]
    rows = _Marked(letters, marks, _GAP + len(start.encode()))
    if not rows.count:
        return None
    odd = rows.holding(np.concatenate([np.flatnonzero(classes & _ODD), marks[rows.depth > 1], escaped]))
    starts, ends, wrong = _cells(letters, before, *rows.places())
    odd[np.repeat(np.arange(rows.count), rows.widths)[wrong]] = True
    end = int(marks[rows.lasts[-1]]) + 1
    buffer = Buffer(data[:end])
    grid = ByteGrid(buffer, starts, ends, rows.widths)
    others: list[list[str]] = []
    indexes = np.flatnonzero(odd)
    for index in indexes.tolist():
        row = buffer.text(int(marks[rows.firsts[index]]), int(marks[rows.lasts[index]]) + 1)
        alone = cut_tuple(row, 0, dialect)
        if alone.end != len(row):
            return None
        others.append(alone.cells)
    length = int(np.count_nonzero(whole[:end] & 0xC0 != 0x80))
    return Cut(rows=grid.replaced(indexes, others) if others else grid, length=length)


def _joined(data: bytes, start: str, outside: NDArray[np.bool_]) -> bytes:
    """The same length, with a comma and spaces where one statement ends and the next starts with `start`."""
    pattern = re.compile(rb"\);[\r\n ]{0,3}" + re.escape(start.encode("utf-8", "surrogatepass")) + rb"(?=\()")
    ends = [found.start() for found in pattern.finditer(data)]
    if not outside[ends].all():
        return data
    return pattern.sub(lambda found: b")," + b" " * (len(found.group()) - 2), data)


def _escaped(letters: Bytes) -> Places:
    """Places behind a backslash that is not escaped itself."""
    places = np.flatnonzero(letters == _BACKSLASH)
    index = np.arange(len(places))
    begins = np.ones(len(places), np.bool_)
    begins[1:] = places[1:] != places[:-1] + 1
    run = np.maximum.accumulate(np.where(begins, index, 0))
    behind: Places = places[(index - run) % 2 == 0] + 1
    return behind[behind < len(letters)]


def _limit(letters: Bytes, classes: Bytes, outside: NDArray[np.bool_]) -> int:
    """Where a comment or another kind of quote begins."""
    stop = classes & _STOP != 0
    stop[:-1] |= (letters[:-1] == _DASH) & (letters[1:] == _DASH) & outside[:-1]
    return int(stop.argmax()) if stop.any() else len(letters)


class _Marked:
    """Where rows begin and end among the marks: `firsts` are their opening brackets, `lasts` the closing ones."""

    def __init__(self, letters: Bytes, marks: Places, gap: int) -> None:
        self.marks = marks
        kinds = letters[marks]
        self.depth = np.cumsum((kinds == _OPEN).astype(np.int32) - (kinds == _CLOSE))
        lasts = np.flatnonzero((kinds == _CLOSE) & (self.depth == 0))
        following = lasts[lasts + 2 < len(marks)]
        joined = (kinds[following + 1] == _COMMA) & (kinds[following + 2] == _OPEN)
        joined &= _blank_between(letters, marks[following], marks[following + 2], gap)
        begins = len(marks) > 0 and marks[0] == 0 and kinds[0] == _OPEN
        ended = np.flatnonzero(~joined)
        self.count = min(int(ended[0]) + 1 if len(ended) else len(following) + 1, len(lasts)) if begins else 0
        self.lasts = lasts[: self.count]
        self.firsts = np.append(0, lasts[: self.count - 1] + 2)[: self.count]
        self.widths = self.lasts - self.firsts

    def places(self) -> tuple[Places, Places]:
        """Starts and ends of all cells, row by row."""
        inside = np.ones(int(self.lasts[-1]) + 1, np.bool_)
        inside[self.firsts] = False
        inside[self.lasts[:-1] + 1] = False
        ends = np.flatnonzero(inside)
        return self.marks[ends - 1] + 1, self.marks[ends]

    def holding(self, places: Places) -> NDArray[np.bool_]:
        """The rows in which one of `places` lies."""
        rows = np.searchsorted(self.marks[self.firsts], places, side="right") - 1
        held = np.zeros(self.count, np.bool_)
        held[rows[(rows >= 0) & (places < self.marks[self.lasts[rows]])]] = True
        return held


def _blank_between(letters: Bytes, starts: Places, ends: Places, most: int) -> NDArray[np.bool_]:
    """Nothing but a comma and white space lies between, and at most so much of it."""
    blank = ends - starts <= most
    for step in range(1, most):
        places = starts + step
        there = places < ends
        if not there.any():
            break
        letter = letters[np.minimum(places, len(letters) - 1)]
        blank &= ~there | (letter == _COMMA) | _is_blank(letter)
    return blank


def _is_blank(letter: Bytes) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = (letter == 0x20) | ((letter >= 0x09) & (letter <= 0x0D))
    return blank


def _cells(letters: Bytes, before: NDArray[np.int32], starts: Places, ends: Places) -> tuple[Places, Places, Places]:
    """Cells without their quotes and the white space around them, NULL as nothing; and those that are not plain."""
    starts, ends = starts.copy(), ends.copy()
    for _ in range(_GAP):
        blank = (starts < ends) & _is_blank(letters[starts])
        trailing = (starts < ends) & _is_blank(letters[ends - 1])
        if not blank.any() and not trailing.any():
            break
        starts += blank
        ends -= trailing & (starts < ends)
    quotes = before[np.maximum(ends - 1, starts - 1)] - before[starts - 1]
    literal = (quotes == 2) & (letters[starts] == _QUOTE) & (letters[ends - 1] == _QUOTE)
    wrong = (quotes != 0) & ~literal
    wrong |= starts >= ends
    bare = np.flatnonzero((quotes == 0) & (ends - starts == 4))
    word = letters[starts[bare, None] + np.arange(4)] & 0xDF
    null = bare[(word == np.frombuffer(b"NULL", np.uint8)).all(axis=1)]
    ends[null] = starts[null]
    wrong |= (quotes == 0) & (ends - starts == 7)  # DEFAULT, perhaps
    starts += literal
    ends -= literal
    return starts, ends, np.flatnonzero(wrong)


def cut_copy(text: str, unescape: Callable[[str], str]) -> ByteGrid:
    """Lines of `COPY … FROM stdin`, each with its line end, as rows."""
    buffer = Buffer(text.encode("utf-8", "surrogatepass"))
    letters = buffer.content
    breaks = letters == 0x0A
    ends = np.flatnonzero(breaks | (letters == 0x09))
    starts = np.append(0, ends[:-1] + 1)
    lasts = np.flatnonzero(breaks[ends])
    widths = np.diff(lasts, prepend=-1)
    ends = ends - ((starts < ends) & (letters[np.maximum(ends - 1, 0)] == 0x0D) & breaks[ends])
    null = (ends - starts == 2) & (letters[starts] == _BACKSLASH) & (letters[starts + (ends > starts)] == ord("N"))
    escapes = letters == _BACKSLASH
    escapes[starts[null]] = False
    ends[null] = starts[null]
    grid = ByteGrid(buffer, starts, ends, widths)
    cells = np.searchsorted(starts, np.flatnonzero(escapes), side="right") - 1
    odd = np.zeros(len(widths), np.bool_)
    odd[np.repeat(np.arange(len(widths)), widths)[cells]] = True
    indexes = np.flatnonzero(odd)
    if not len(indexes):
        return grid
    firsts = np.cumsum(widths) - widths
    others: list[Sequence[str]] = []
    for index in indexes.tolist():
        here = range(int(firsts[index]), int(firsts[index] + widths[index]))
        others.append([unescape(buffer.text(int(starts[at]), int(ends[at]))) for at in here])
    return grid.replaced(indexes, others)
