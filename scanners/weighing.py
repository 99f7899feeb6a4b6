"""Words around many values at once: the answers of `scanners.context.Context`, on arrays.

One pass of `scanners.words` finds all friends and enemies of a chunk; a value's nearest is then a binary search. The
cost is linear in the text and in the values, up to the logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.context import AFTER, BEFORE, ENEMIES, NEAR_ENEMY, Context
from scanners.units import DIGIT, Positions, Units
from scanners.words import Hits, WordIndex

ENEMY: Final = 1 << 63
Weights = NDArray[np.int8]


class Weigher:
    """Weighs the places of one chunk after the other for some contexts."""

    def __init__(self, contexts: Sequence[Context]) -> None:
        """Take up to 63 contexts; they are named by their place in the list."""
        words = dict.fromkeys(ENEMIES, ENEMY)
        for number, context in enumerate(contexts):
            for word in context.words:
                words[word] = words.get(word, 0) | 1 << number
        self.index = WordIndex(whole=words, parts={})

    def read(self, units: Units) -> Surroundings:
        """Find all words of a chunk."""
        return Surroundings(units, self.index.find(units))


class Surroundings:
    """All words of one chunk."""

    def __init__(self, units: Units, hits: Hits) -> None:
        """Take the words of `units`."""
        self.length = len(units)
        self.hits = hits
        self.line_ends = units.line_ends
        self.enemies = hits.having(ENEMY)
        self.digits = np.concatenate(([0], np.cumsum((units.flags & DIGIT) != 0)))  # before each place

    def weigh(self, number: int, starts: Positions, ends: Positions) -> Weights:
        """+1, 0 or -1 for each `[start, end)` by context `number`; see `Context.weigh`. No value holds a line end."""
        line = np.searchsorted(self.line_ends, starts)
        begin = np.concatenate(([0], self.line_ends + 1))[line]
        stop = np.append(self.line_ends, self.length)[line]
        friends = self.hits.having(1 << number)
        low = np.maximum(begin, starts - BEFORE)
        friend = latest_end(friends, low, starts)
        enemy = latest_end(self.enemies, np.maximum(low, starts - NEAR_ENEMY), starts)
        apart = self.digits[starts] > self.digits[np.maximum(enemy, 0)]  # an enemy speaks of the number between
        enemy[apart] = -1
        before = np.where(friend >= enemy, 1, -1)
        behind = any_within(friends, ends, np.minimum(stop, ends + AFTER))
        return np.where((friend >= 0) | (enemy >= 0), before, behind).astype(np.int8)


def latest_end(words: Hits, low: Positions, high: Positions) -> Positions:
    """The greatest end of a word within each `[low, high)`, or -1."""
    order = np.argsort(words.ends, kind="stable")
    starts, ends = words.starts[order], words.ends[order]
    if not len(ends):
        return np.full(len(low), -1)
    index = np.searchsorted(ends, high, side="right") - 1
    while True:  # a longer word may begin too early and a shorter one inside it not: as many steps as words nest
        there = np.maximum(index, 0)
        early = (index >= 0) & (ends[there] > low) & (starts[there] < low)
        if not early.any():
            break
        index = index - early
    fits = (index >= 0) & (starts[np.maximum(index, 0)] >= low)
    return np.where(fits, ends[np.maximum(index, 0)], -1)


def any_within(words: Hits, low: Positions, high: Positions) -> NDArray[np.bool_]:
    """Whether a word lies within each `[low, high)`."""
    last = len(words.starts) - 1
    if last < 0:
        return np.zeros(len(low), dtype=bool)
    index = np.searchsorted(words.starts, low)
    while True:  # as above
        there = np.minimum(index, last)
        late = (index <= last) & (words.starts[there] < high) & (words.ends[there] > high)
        if not late.any():
            break
        index = index + late
    there = np.minimum(index, last)
    return (index <= last) & (words.ends[there] <= high)
