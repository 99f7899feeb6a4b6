"""Data of a card's magnetic stripe, ISO/IEC 7813: never to be stored after authorisation (PCI DSS 4.0, 3.3.1).

Track 1: `%B`, number, `^`, name, `^`, expiry (YYMM), service code, more, `?`. Track 2: `;`, number, `=` (or `D`, as
chip terminals log it, ISO 8583 field 35), expiry, service code, more, `?`. Start and end signs get lost in logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector
from scanners.detectors.credit_card import issuer_of, passes_luhn

TRACKS: Final = re.compile(
    r"%?[Bb]([2-69][0-9]{12,18})\^[^\^\n]{2,26}\^[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3}[0-9A-Za-z]{0,40}\??"
    r"|;?(?<![0-9*])([2-69][0-9]{12,18})[=Dd][0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3,20}[Ff]?\??"
)
LONGEST: Final = 110
SCORES: Final = {True: 0.95, False: 0.6}  # by Luhn


class CardTrackData(Detector):
    """The form is so peculiar that it needs no word."""

    entity = "CARD_TRACK_DATA"
    looks_at = "numbers"
    fewest = 13
    words = ("磁道", "磁条", "track", "track1", "track2", "stripe", "field 35", "cidao")
    columns = ("磁道", "磁道数据", "track", "track1", "track2", "track_data", "track2_data")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Both tracks."""
        position, limit = start, min(len(text), end + LONGEST)
        while position < end:
            found = TRACKS.search(text, position, limit)
            if not found or found.start() >= end:
                return
            number = found.group(1) or found.group(2)
            if issuer_of(number):
                yield Candidate(start=found.start(), end=found.end(), score=SCORES[passes_luhn(number)])
            position = found.end()

    def mask(self, value: str) -> str:
        """Nothing of it."""
        return "******" if value else ""
