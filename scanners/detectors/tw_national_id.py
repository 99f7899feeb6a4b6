"""Taiwan's national ids and its numbers of foreigners: a letter for the place, nine digits of which the last checks.

Citizens have 1 or 2 behind the letter; foreigners 8 or 9 since 2021, before that a letter from A to D. The letter is
two digits (A is 10, with I, O, W and Z out of order), weights 1, 9, 8 … 1, 1; the sum is a multiple of 10. One code in
ten passes by chance, so it needs a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each, keep_ends, tied_to_letters

CARD: Final = re.compile(r"(?<![0-9A-Za-z])[A-Z](?:[1289]|[A-D])[0-9]{8}(?![0-9A-Za-z])", re.IGNORECASE)
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"  # from 10 on
WEIGHTS: Final = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
SCORES: Final = {True: (0.05, 0.25, 0.9), False: (0.0, 0.05, 0.4)}  # by the check digit


def passes_check(number: str) -> bool:
    """Ten characters, in capitals."""
    first = str(10 + LETTERS.index(number[0]))
    second = str((10 + LETTERS.index(number[1])) % 10) if number[1].isalpha() else number[1]
    return sum(int(d) * w for d, w in zip(first + second + number[2:], WEIGHTS, strict=True)) % 10 == 0


class TwNationalId(Detector):
    """See the module."""

    entity = "TW_NATIONAL_ID"
    looks_at = "words"
    words = (
        "台湾身份证", "台灣身分證", "身分證", "身份證", "身份证", "身分证", "居留證", "居留证", "統一證號", "统一证号",
        "证件", "證件", "twid", "tw id", "national id", "taiwan id", "id card",
    )  # fmt: skip
    anchors = words
    columns = ("台湾身份证", "身分證", "身分證字號", "tw_id", "twid")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All of that form."""
        yield from judge_each(CARD, text, start, end, self.judge)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """One match."""
        if tied_to_letters(text, *found.span()):
            return None
        score = SCORES[passes_check(found.group().upper())][self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """The first letter."""
        return keep_ends(value, 1, 0)
