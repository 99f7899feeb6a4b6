"""Macau identity cards (BIR): 1, 5 or 7, six digits and a check digit: `1234567(8)`, `5/123456/7`.

How the check digit is made is not published, and eight digits are many things, so they need a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each, keep_ends, stands_alone

CARD: Final = re.compile(r"(?<![0-9A-Za-z])[157](?:[0-9]{6}(?: ?\([0-9]\)|[0-9])|/[0-9]{6}/[0-9])(?![0-9A-Za-z])")
SCORES: Final = (0.05, 0.2, 0.85)
BARE_SCORES: Final = (0.0, 0.1, 0.7)  # eight digits in a row


class MoIdCard(Detector):
    """See the module."""

    entity = "MO_ID_CARD"
    looks_at = "words"
    words = (
        "澳门身份证", "澳門身份證", "澳门居民", "澳門居民", "澳门", "澳門", "bir", "macau id", "macao id", "mo id",
    )  # fmt: skip
    anchors = words
    columns = ("澳门身份证", "澳門身份證", "macau_id", "mo_id")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All of that form."""
        yield from judge_each(CARD, text, start, end, self.judge)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """One match."""
        if not stands_alone(text, *found.span()):
            return None
        scores = BARE_SCORES if found.group().isdigit() else SCORES
        score = scores[self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """The first digit."""
        return keep_ends(value, 1, 0)
