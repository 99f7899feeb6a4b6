"""Detectors that the settings describe: entities of one's own, and this chain's member numbers.

Their patterns were checked when the settings were read (`config.patterns`). A match that continues in letters or
digits of its own kind is none: a word boundary that works beside Chinese, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from config.errors import UsageError
from config.patterns import literal_in
from config.schema import CustomDetector, DetectSettings
from scanners.detectors.base import Candidate, Detector, keep_ends

MEMBER_WORDS: Final = (
    "会员", "会员号", "会员卡", "会员编号", "储值卡", "贵宾", "member", "member no", "memberno", "member id",
    "vip", "huiyuan",
)  # fmt: skip
MEMBER_COLUMNS: Final = (
    "会员号", "会员卡号", "会员编号", "会员卡", "member_no", "memberno", "member_id", "member_code", "vip_no",
    "vip_code", "card_code",
)  # fmt: skip
FRIEND: Final = 0.3
ENEMY: Final = -0.3
MEMBER_SCORE: Final = 0.5


class ConfiguredDetector(Detector):
    """Finds what one pattern of the settings describes. The whole text is read for it, once."""

    looks_at = "text"

    def __init__(self, settings: CustomDetector) -> None:
        """Compile the pattern."""
        self.entity = settings.entity
        self.words = settings.words
        self.columns = settings.columns
        self.hint = literal_in(settings.pattern)
        self.pattern = re.compile(settings.pattern)
        self.score = settings.score
        self.shown = {"all": (0, 0), "ends": (1, 1), "last4": (0, 4)}[settings.mask]
        super().__init__()

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All matches that begin in `[start, end)`."""
        for found in self.pattern.finditer(text, start):
            if found.start() >= end:
                return
            if not continues(text, found.start()) and not continues(text, found.end()):
                weight = self.context.weigh(text, *found.span())
                score = self.score + (ENEMY, 0.0, FRIEND)[weight + 1]
                yield Candidate(start=found.start(), end=found.end(), score=min(1.0, max(0.0, round(score, 3))))

    def mask(self, value: str) -> str:
        """As configured; by default nothing is shown."""
        return keep_ends(value, *self.shown)


def continues(text: str, at: int) -> bool:
    """The characters on both sides of `at` are both ASCII digits, or both ASCII letters."""
    one, other = text[max(0, at - 1) : at], text[at : at + 1]
    if not (one.isascii() and other.isascii()):
        return False
    return (one.isdigit() and other.isdigit()) or (one.isalpha() and other.isalpha())


def make_custom(settings: DetectSettings, taken: frozenset[str]) -> list[Detector]:
    """Detectors of `settings.custom`, and of MEMBER_ID if there is a pattern for it.

    Raises:
        UsageError: a name is one of `taken`, or used twice.
    """
    found: list[Detector] = []
    names = set(taken)
    for number, custom in enumerate(settings.custom):
        if custom.entity in names:
            raise UsageError(f"detect.custom.{number}.entity: {custom.entity} is in use already")
        names.add(custom.entity)
        found.append(ConfiguredDetector(custom))
    if settings.member_pattern:
        member = CustomDetector(
            entity="MEMBER_ID",
            pattern=settings.member_pattern,
            words=MEMBER_WORDS,
            columns=MEMBER_COLUMNS,
            score=MEMBER_SCORE,
            mask="ends",
        )
        found.append(ConfiguredDetector(member))
    return found
