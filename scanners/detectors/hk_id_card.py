"""Hong Kong identity cards: one or two letters, six digits and a check character, mostly in brackets: `A123456(3)`.

The letters count as 10 to 35, a missing first one as 36; weights 9 to 2; the check character brings the sum to a
multiple of 11, `A` being 10. In brackets and with a right check it stands alone, else it needs a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each, keep_ends, tied_to_letters

CARD: Final = re.compile(
    r"(?<![0-9A-Za-z])([A-Z]{1,2}) ?([0-9]{6}) ?(?:\(([0-9A])\)|([0-9A]))(?![0-9A-Za-z])", re.IGNORECASE
)
WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2)
MISSING: Final = 36
# By the check character and the brackets.
SCORES: Final = {
    (True, True): (0.4, 0.75, 0.95),
    (True, False): (0.05, 0.25, 0.9),
    (False, True): (0.05, 0.25, 0.7),
    (False, False): (0.0, 0.1, 0.4),
}


def check_character(letters: str, digits: str) -> str:
    """The one that fits, in capitals."""
    values = [ord(c) - 55 for c in letters.upper()] + [int(d) for d in digits]
    total = sum(v * w for v, w in zip([MISSING] * (8 - len(values)) + values, WEIGHTS, strict=True))
    return "0123456789A"[-total % 11]


class HkIdCard(Detector):
    """See the module."""

    entity = "HK_ID_CARD"
    looks_at = "words"
    words = (
        "香港身份证", "香港身份證", "香港居民", "身份证", "身份證", "证件", "證件", "hkid", "hk id", "id card",
        "hkid card", "hong kong id", "identity card",
    )  # fmt: skip
    anchors = (*words, *(f"({c})" for c in "0123456789A"))
    columns = ("香港身份证", "香港身份證", "hkid", "hk_id", "hkid_no")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All of that form."""
        yield from judge_each(CARD, text, start, end, self.judge)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """One match."""
        if tied_to_letters(text, *found.span()):
            return None
        letters, digits, bracketed, bare = found.groups()
        right = check_character(letters, digits) == (bracketed or bare).upper()
        score = SCORES[right, bracketed is not None][self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """The first letter."""
        return keep_ends(value, 1, 0)
