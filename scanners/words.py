"""Where words stand: all of them in one pass of an Aho-Corasick automaton over a chunk's characters.

`ahocorasick_rs` (Apache-2.0, Rust) reads 650 MB/s however many words there are. It works on bytes, so each character is
given as one: ASCII as itself, each other letter of a word as one of 127, all else as 255. Letters that share a byte are
told apart where a word seems to stand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Final

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind
from numpy.typing import NDArray

from scanners.units import LETTER, LOWER, UPPER, Positions, Units

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
        """Build the automaton."""
        known: dict[tuple[str, bool], int] = {}
        for words, is_whole in ((whole, True), (parts, False)):
            for word, bits in words.items():
                for joint in JOINED if is_whole and " " in word else (" ",):
                    key = (word.lower().replace(" ", joint), is_whole and word.isascii())
                    known[key] = known.get(key, 0) | bits
        self.table = table_for({letter for word, _ in known for letter in word if not letter.isascii()})
        codes = [np.array([ord(letter) for letter in word], dtype=np.uint16) for word, _ in known]
        self.lengths = np.array([len(word) for word in codes], dtype=np.int64)
        self.foreign = np.array([not word.isascii() for word, _ in known], dtype=bool)
        self.longest = int(self.lengths[self.foreign].max(initial=0))
        self.spelled = np.zeros((len(codes), self.longest), dtype=np.uint16)
        for number in np.flatnonzero(self.foreign).tolist():
            self.spelled[number, : len(codes[number])] = codes[number]
        self.whole = np.array([is_whole for _, is_whole in known], dtype=bool)
        self.masks = np.array(list(known.values()), dtype=np.uint64)
        self.search = BytesAhoCorasick(
            [self.table[word].tobytes() for word in codes],
            matchkind=MatchKind.Standard,
            implementation=Implementation.DFA,
        )

    def find(self, units: Units) -> Hits:
        """All words of a chunk, also those within or across others, by start."""
        found = self.search.find_matches_as_indexes(units.narrowed(self.table).data.cast("B"), overlapping=True)
        if not found:
            nothing = np.empty(0, dtype=np.int64)
            return Hits(nothing, nothing, nothing.astype(np.uint64))
        # Not np.array(found), which takes twice as long.
        which, starts, ends = np.fromiter(chain.from_iterable(found), np.int64, 3 * len(found)).reshape(-1, 3).T
        kept = ~self.whole[which] | stand_alone(units, starts, ends)
        foreign = np.flatnonzero(self.foreign[which])
        kept[foreign] &= self.is_spelled(units, which[foreign], starts[foreign])
        order = np.argsort(starts[kept], kind="stable")
        return Hits(starts[kept][order], ends[kept][order], self.masks[which[kept]][order])

    def is_spelled(self, units: Units, which: Positions, starts: Positions) -> NDArray[np.bool_]:
        """Whether the characters at some places are those of the words: the table has the same byte for several."""
        steps = np.arange(self.longest)
        same = units.codes_at(starts[:, None] + steps) == self.spelled[which]
        return np.asarray((same | (steps >= self.lengths[which][:, None])).all(axis=1))


def table_for(letters: Collection[str]) -> NDArray[np.uint8]:
    """`ASCII`, with bytes from 128 to 254 for some other letters; letters that no word has are all 255."""
    lower = np.where(np.arange(0x10000) < 0x80, np.arange(0x10000), 0xFF).astype(np.uint8)
    for number, letter in enumerate(sorted(letters)):
        lower[ord(letter)] = 0x80 + number % 0x7F
    table: NDArray[np.uint8] = lower[LOWER]
    return table


def stand_alone(units: Units, starts: Positions, ends: Positions) -> NDArray[np.bool_]:
    """Whether each `[start, end)` is no part of a longer Latin word; `orderNo` is two."""
    flags = np.concatenate((units.flags, np.zeros(1, dtype=np.uint8)))  # the last is what stands beside the text
    before, first, last, after = (flags[i] & (LETTER | UPPER) for i in (starts - 1, starts, ends - 1, ends))
    tied_before = ((before & LETTER) != 0) & ~((before == LETTER) & (first > LETTER))
    tied_after = ((after & LETTER) != 0) & ~((last == LETTER) & (after > LETTER))
    return np.asarray(~(tied_before | tied_after))
