"""Where words stand: all of them in one pass of an Aho-Corasick automaton over a chunk's characters.

`ahocorasick_rs` (Apache-2.0, Rust) reads 400–650 MB/s however many words there are. It works on bytes, so the
characters are given as the bytes of `Units.codes`; a match that begins at an odd byte of a wide text is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind
from numpy.typing import NDArray

from scanners.units import LETTER, UPPER, Positions, Units

Masks = NDArray[np.uint64]
JOINED: Final = ("", " ", "_", "-")  # what may stand for the space of a word like `credit card`


class Hits:
    """Words of a text, by start: `[start, end)` and the bits of their mask."""

    def __init__(self, starts: Positions, ends: Positions, masks: Masks) -> None:
        """Take arrays of one length."""
        self.starts = starts
        self.ends = ends
        self.masks = masks

    def having(self, bits: int) -> Hits:
        """Those whose mask has one of `bits`."""
        return self.only((self.masks & np.uint64(bits)) != 0)

    def only(self, chosen: NDArray[np.bool_]) -> Hits:
        """Some of them."""
        return Hits(self.starts[chosen], self.ends[chosen], self.masks[chosen])


class WordIndex:
    """Finds words, each with a mask of up to 64 bits. Latin ones in any case.

    `whole` ones of ASCII must stand alone or at a camelCase joint, as in `scanners.context`; `parts` are found
    anywhere.
    """

    def __init__(self, *, whole: Mapping[str, int], parts: Mapping[str, int]) -> None:
        """Build the automata: one for ASCII text, one for all other."""
        known: dict[tuple[str, bool], int] = {}
        for words, is_whole in ((whole, True), (parts, False)):
            for word, bits in words.items():
                for joint in JOINED if is_whole and " " in word else (" ",):
                    key = (word.lower().replace(" ", joint), is_whole)
                    known[key] = known.get(key, 0) | bits
        latin = [(word, is_whole, bits) for (word, is_whole), bits in known.items() if word.isascii()]
        other = [(word, False, bits) for (word, _), bits in known.items() if not word.isascii()]
        self.narrow = Automaton(latin, "ascii")
        self.wide = Automaton(latin + other, "utf-16-le")

    def find(self, units: Units) -> Hits:
        """All words of a chunk, also those within or across others, by start."""
        return (self.narrow if units.codes.dtype.itemsize == 1 else self.wide).find(units)


class Automaton:
    """The words of one width of characters."""

    def __init__(self, words: list[tuple[str, bool, int]], encoding: str) -> None:
        """Take (word, whole, bits) of each and how characters are written."""
        self.width = len("a".encode(encoding))
        self.whole = np.array([whole for _, whole, _ in words], dtype=bool)
        self.masks = np.array([bits for _, _, bits in words], dtype=np.uint64)
        self.search = BytesAhoCorasick(
            [word.encode(encoding) for word, _, _ in words],
            matchkind=MatchKind.Standard,
            implementation=Implementation.DFA,
        )

    def find(self, units: Units) -> Hits:
        """See `WordIndex.find`."""
        found = self.search.find_matches_as_indexes(units.codes.data.cast("B"), overlapping=True)
        if not found:
            nothing = np.empty(0, dtype=np.int64)
            return Hits(nothing, nothing, nothing.astype(np.uint64))
        # Not np.array(found), which takes twice as long.
        which, starts, ends = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found)).reshape(-1, 3).T
        if self.width == 2:
            even = (starts & 1) == 0
            which, starts, ends = which[even], starts[even] >> 1, ends[even] >> 1
        kept = ~self.whole[which] | stand_alone(units, starts, ends)
        order = np.argsort(starts[kept], kind="stable")
        return Hits(starts[kept][order], ends[kept][order], self.masks[which[kept]][order])


def stand_alone(units: Units, starts: Positions, ends: Positions) -> NDArray[np.bool_]:
    """Whether each `[start, end)` is no part of a longer Latin word; `orderNo` is two."""
    flags = np.concatenate((units.flags, np.zeros(1, dtype=np.uint8)))  # the last is what stands beside the text
    before, first, last, after = (flags[i] & (LETTER | UPPER) for i in (starts - 1, starts, ends - 1, ends))
    tied_before = ((before & LETTER) != 0) & ~((before == LETTER) & (first > LETTER))
    tied_after = ((after & LETTER) != 0) & ~((last == LETTER) & (after > LETTER))
    return np.asarray(~(tied_before | tied_after))
