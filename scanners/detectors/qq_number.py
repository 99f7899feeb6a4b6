"""QQ numbers: five to eleven digits, not led by 0, right behind a word. Any number of that length looks the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.context import line_after
from scanners.detectors.base import Candidate, Detector, within

WORD: Final = re.compile(
    r"(?:扣扣|企鹅号|(?<![A-Za-z])(?:qq|oicq)(?![A-Za-z]))(?:[ _]?(?:号码|号|账号|帐号|no|num|number|id))?"
    r"[\"']?[ ]?(?:是|为|加|[:：=])?[ ]?[\"'(（]?",
    re.IGNORECASE,
)
NUMBER: Final = re.compile(r"[1-9][0-9]{4,10}(?![0-9A-Za-z*@]|[.\-][0-9])")
PROCESS: Final = re.compile(r"qq ?\($", re.IGNORECASE)  # `QQ(10018)` is a process in a log
SHORTEST_BRACKETED: Final = 8
SCORE: Final = 0.8


class QqNumber(Detector):
    """A group's number (QQ群) is nobody's."""

    entity = "QQ_NUMBER"
    looks_at = "words"
    words = ("qq", "扣扣", "企鹅号", "oicq")
    anchors = words
    columns = ("qq", "qq号", "qq号码", "qq_no", "qq_number", "qqnumber", "oicq")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """The number behind each word."""
        for word in within(WORD, text, start, end):
            found = NUMBER.match(text, word.end(), line_after(text, word.end(), 14))
            if found and not (PROCESS.search(word.group()) and len(found.group()) < SHORTEST_BRACKETED):
                yield Candidate(start=found.start(), end=found.end(), score=SCORE)

    def shape(self, value: str) -> float:
        """In a column called so, five to eleven digits."""
        return 0.4 if NUMBER.fullmatch(value.strip()) else 0.0

    def mask(self, value: str) -> str:
        """The first two digits."""
        return value[:2] + "*" * max(0, len(value) - 2)
