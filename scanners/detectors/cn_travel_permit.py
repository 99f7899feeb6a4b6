"""Travel permits between the mainland and Hong Kong, Macau and Taiwan.

港澳居民来往内地通行证 (回乡证): H or M and eight digits, and two more that count the renewals. 台湾居民来往大陆通行证
(台胞证): eight digits, older ones ten with a letter in brackets. 往来港澳通行证 and 往来台湾通行证: C or W, L or T, and
eight digits, also with a letter as second character. None has a check digit, so all need a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each, keep_ends, tied_to_letters

PERMIT: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:[HM] ?[0-9]{8}(?:[0-9]{2})?|[CWLT] ?(?:[0-9]{8}|[A-HJ-NP-Z][0-9]{7})"
    r"|[0-9]{10}\([A-Z]\)|[0-9]{8}(?:[0-9]{2}[A-Z]?)?)(?![0-9A-Za-z*])",
    re.IGNORECASE,
)
SCORES: Final = (0.05, 0.2, 0.85)
# Eight digits may be a telephone or a date: only close behind the permit's own name.
NAMED: Final = re.compile(r"(?:通行证|通行證|回乡证|台胞证|台胞證|permit)[^0-9\n]{0,8}$", re.IGNORECASE)


class CnTravelPermit(Detector):
    """See the module."""

    entity = "CN_TRAVEL_PERMIT"
    looks_at = "words"
    words = (
        "通行证", "通行證", "回乡证", "回鄉證", "台胞证", "台胞證", "travel permit", "mtp", "home return permit",
        "tongxingzheng",
    )  # fmt: skip
    anchors = (*words, "permit")
    columns = ("通行证", "回乡证", "台胞证", "travel_permit", "permit_no")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Numbers beside the name of a permit."""
        yield from judge_each(PERMIT, text, start, end, self.judge)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """One match."""
        bare = found.group()[0].isdigit()
        if tied_to_letters(text, *found.span()):
            return None
        if bare and not NAMED.search(text, max(0, found.start() - 20), found.start()):
            return None
        score = SCORES[self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """The letter and the last two digits."""
        return keep_ends(value, 1, 2)
