"""Chinese passports: E and eight digits, E, a letter and seven digits, G with eight, and official kinds (GA/T 1180).

Ordinary ones begin with E (since 2012) or G, diplomatic ones with DE or D, service ones with SE or S, for public
affairs with PE or P, those of Hong Kong with H or K, of Macau with MA to MZ. They need a word: a letter and eight
digits are many things.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each, keep_ends, tied_to_letters

PASSPORT: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:[DEGHKPS][ \-]?[0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|[DPS]E[0-9]{7}|M[A-Z][0-9]{7}|1[45][0-9]{7})"
    r"(?![0-9*])",
    re.IGNORECASE,
)
MASKED: Final = re.compile(r"(?<![0-9A-Za-z*])[DEGHKMPS][A-Z]?[0-9]{0,4}\*{3,8}[0-9]{1,4}(?![0-9*])", re.IGNORECASE)
SCORES: Final = (0.05, 0.2, 0.8)
DIGITS_ONLY_SCORES: Final = (0.0, 0.0, 0.6)  # 14 and 15 and seven digits, issued until 2007


class CnPassport(Detector):
    """See the module."""

    entity = "CN_PASSPORT"
    looks_at = "words"
    words = ("护照", "護照", "passport", "huzhao", "passport no", "passportno", "hzh", "旅客", "证件")
    anchors = words
    columns = ("护照", "passport", "passport_no", "huzhao")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All of that form; without a word the score stays low."""
        yield from judge_each(PASSPORT, text, start, end, self.judge)
        if "*" in text[start:end]:
            yield from judge_each(MASKED, text, start, end, self.judge)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """One match."""
        if tied_to_letters(text, *found.span()):
            return None
        scores = DIGITS_ONLY_SCORES if found.group()[0].isdigit() else SCORES
        score = scores[self.context.weigh(text, *found.span()) + 1]
        if "*" in found.group():
            return (
                Candidate(start=found.start(), end=found.end(), score=score, nature="masked") if score > 0.2 else None
            )
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """The letter and the last two digits."""
        return keep_ends(value, 1, 2)
