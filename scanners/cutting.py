"""Long texts cut into chunks that fit the processor's cache, at line ends where there are any.

A line longer than a chunk is cut anywhere, and both sides are read with a margin: what begins in a chunk is found
there whole, with the words around it, and nowhere else. Only a secret of more than `MARGIN` characters may be cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

CHUNK: Final = 131_072  # characters
MARGIN: Final = 512


class Cut(NamedTuple):
    """A chunk `[low, high)` of a text, to be read from `before` to `after`."""

    before: int
    low: int
    high: int
    after: int


def cut_text(text: str, size: int = CHUNK) -> Iterator[Cut]:
    """Chunks of about `size` characters that cover `text`."""
    low, before = 0, 0
    while low < len(text):
        high = min(len(text), low + size)
        if high == len(text):
            yield Cut(before, low, high, high)
            return
        line_end = text.rfind("\n", low + size // 2, high) + 1
        if line_end:
            yield Cut(before, low, line_end, line_end)
            low = before = line_end
        else:
            yield Cut(before, low, high, min(len(text), high + MARGIN))
            low, before = high, high - MARGIN
