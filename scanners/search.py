"""Where the detectors look, and what they say: a chunk's candidates.

One pass over the chunk's arrays finds places of numbers, dotted addresses and words (`scanners.places`,
`scanners.words`). Clean runs of digits are judged all at once (`scanners.judging`); about every other place the
detectors are asked that its kind concerns, and about nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from scanners.detectors.base import Detector
from scanners.detectors.phone_number import LENT_WORDS
from scanners.judging import FEW, Judge
from scanners.places import Places, Runs, dotted_places, number_places
from scanners.spots import Located, Spots
from scanners.units import Units
from scanners.words import Hits, WordIndex

LEAD: Final = 12  # letters, a `+` or a bracket before the first digit
WORD_LEAD: Final = 52  # a value that ends at most 12 characters before its word, and is no longer than 40
WORD_REACH: Final = 40
MANY_DIGITS: Final = 24  # places with more are asked about like those with so many
NUMBERS: Final = 1 << 63  # the bit of words that speak for any number
LENT: Final = 1 << 62  # and of those that say that a telephone number is lent


class Search:
    """Asks some detectors about chunks. Not safe for threads."""

    def __init__(self, detectors: Sequence[Detector], entities: Sequence[str], threshold: float) -> None:
        """Build the index of all words that matter to them.

        Args:
            detectors: of any entities in `entities`.
            entities: by which the answers name them.
            threshold: what scores less is not wanted, whatever it is; 0.3 at least.
        """
        self.entities = entities
        self.threshold = threshold
        self.numeric = [d for d in detectors if d.looks_at == "numbers"]
        self.dotted = [d for d in detectors if d.looks_at == "dotted"]
        self.worded = [d for d in detectors if d.looks_at == "words"]
        self.textual = [d for d in detectors if d.looks_at == "text"]
        self.by_digits = [[d for d in self.numeric if d.fewest <= count] for count in range(MANY_DIGITS + 1)]
        self.judge = Judge(detectors, self.entities, threshold)
        parts = {anchor: self.bits(anchor) for d in self.worded for anchor in d.anchors}
        self.index = WordIndex(
            whole=dict.fromkeys((word for d in self.numeric for word in d.context.words), NUMBERS),
            parts={**parts, **{word: parts.get(word, 0) | LENT for word in LENT_WORDS.pattern.split("|")}},
        )

    def bits(self, anchor: str) -> int:
        """Which of the worded detectors an anchor is for."""
        return sum(1 << number for number, d in enumerate(self.worded) if anchor in d.anchors)

    def find(self, units: Units) -> Spots:
        """What the detectors find in a chunk from the threshold on, in no order."""
        hits = self.index.find(units)
        spoken_for = hits.having(NUMBERS)
        runs = Runs(units)
        claims, left = self.judge.runs(units, number_places(units, runs, spoken_for), spoken_for, hits.having(LENT))
        found = list(self.numbers(units, left))
        for start, end in dotted_places(units, runs) if self.dotted else ():
            for detector in self.dotted:
                found += self.ask(detector, units, start, end)
        anchors = hits.having((1 << len(self.worded)) - 1)
        if len(anchors.starts):
            for number, detector in enumerate(self.worded):
                own = anchors.having(1 << number)
                if detector is self.judge.mail and len(own.starts):
                    mails, own = self.judge.mails(units, own)
                    claims += mails
                for start, end in windows(own, units):
                    found += self.ask(detector, units, start, end)
        for detector in self.textual:
            if not detector.hint or detector.hint in units.text:
                found += self.ask(detector, units, 0, len(units))
        judged = self.judge.weigh(units, claims)
        return judged.join(Spots.of(self.entities, found)) if found else judged

    def ask(self, detector: Detector, units: Units, start: int, end: int) -> Iterator[Located]:
        """One detector about one window."""
        yield from self.ask_within(detector, (units.text, 0), start, end)

    def ask_within(self, detector: Detector, piece: tuple[str, int], start: int, end: int) -> Iterator[Located]:
        """The same, given a piece of the text and the place it begins at."""
        text, begins = piece
        for c in detector.find(text, start - begins, end - begins):
            if c.score >= self.threshold:
                yield Located(detector.entity, c.start + begins, c.end + begins, c.score, c.nature)

    def numbers(self, units: Units, places: Places) -> Iterator[Located]:
        """The detectors of numbers, at their places."""
        done = 0
        whole = (units.text, 0) if len(places) > FEW else None
        for start, end, digits in zip(*(a.tolist() for a in (places.starts, places.ends, places.digits)), strict=True):
            low = max(done, start - LEAD)
            piece = whole or units.piece(low, end)
            for detector in self.by_digits[min(digits, MANY_DIGITS)]:
                yield from self.ask_within(detector, piece, low, end)
            done = end


def windows(words: Hits, units: Units) -> Iterator[tuple[int, int]]:
    """What lies around some words on their lines, windows that overlap joined."""
    if not len(words.starts):
        return
    line = np.searchsorted(units.line_ends, words.starts)
    begin = np.concatenate(([0], units.line_ends + 1))[line]
    stop = np.append(units.line_ends, len(units))[line]
    low = np.maximum(begin, words.starts - WORD_LEAD)
    high = np.minimum(stop, words.ends + WORD_REACH)
    reached = np.maximum.accumulate(high)
    heads = np.flatnonzero(np.concatenate(([True], low[1:] > reached[:-1])))
    tails = np.append(heads[1:], len(low))
    yield from zip(low[heads].tolist(), reached[tails - 1].tolist(), strict=True)
