"""Chinese passports (GA/T 1180): a letter and eight digits, or E, a letter and seven digits. They need a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import CHATTER, Candidate, Detector, keep_ends, within

LETTER: Final = re.compile("[A-Za-z]")
PASSPORT: Final = re.compile(r"(?<![0-9A-Za-z])(?:[DEGPSdegps][0-9]{8}|[Ee][A-HJ-NP-Za-hj-np-z][0-9]{7})(?![0-9])")


class CnPassport(Detector):
    """See the module."""

    entity: ClassVar[str] = "CN_PASSPORT"
    looks_at: ClassVar[Literal["numbers"]] = "numbers"
    fewest: ClassVar[int] = 7
    words: ClassVar[tuple[str, ...]] = ("护照", "passport", "huzhao", "出入境", "旅客", "证件")
    columns: ClassVar[tuple[str, ...]] = ("护照", "passport", "passport_no", "huzhao")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All of that form; without a word the score stays low."""
        for found in within(PASSPORT, text, start, end):
            if (
                found.end() < len(text)
                and text[found.end()].isascii()
                and text[found.end()].isalpha()
                and not CHATTER.match(text, found.end())
            ):
                continue
            weight = self.context.weigh(text, *found.span())
            yield Candidate(start=found.start(), end=found.end(), score=(0.05, 0.2, 0.8)[weight + 1])

    def mask(self, value: str) -> str:
        """The letter and the last two digits."""
        return keep_ends(value, 1, 2)
