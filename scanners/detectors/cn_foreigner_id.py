"""Numbers of foreigners' permanent residence cards (外国人永久居留身份证).

Since December 2023: 18 characters like a citizen's (GB 11643), led by 9, then the province (2), the country by
ISO 3166-1 numeric (3), the day of birth (8), a serial number (3) and the check character of ISO 7064 MOD 11-2.
Before: the country by ISO 3166-1 alpha-3, four digits of the place, the day of birth in six digits, a serial digit and
a check digit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from config.packs import read_pack
from scanners.detectors.base import GAP, Candidate, Detector, judge_each, keep_ends, stands_alone
from scanners.detectors.cn_resident_id import NOT_DIGITS, PROVINCES, check_character, is_date

NEW: Final = re.compile(
    rf"(?<![0-9*])9[0-9]{{5}}{GAP}?[0-9]{{4}}{GAP}?[0-9]{{2}}{GAP}?[0-9]{{2}}{GAP}?[0-9]{{3}}[0-9Xx](?![0-9*])"
)
OLD: Final = re.compile(r"(?<![0-9A-Za-z])[A-Z]{3}[ \-]?[0-9]{12}(?![0-9*])", re.IGNORECASE)
# By the check character.
NEW_SCORES: Final = {True: (0.4, 0.8, 0.95), False: (0.05, 0.2, 0.7)}
OLD_SCORES: Final = (0.1, 0.4, 0.9)


def load_countries() -> frozenset[str]:
    """`config/data/detect/countries.toml`: ISO 3166-1 alpha-3."""
    pack = read_pack("detect", "countries.toml")
    return frozenset(pack["alpha3"].split())


COUNTRIES: Final = load_countries()


class CnForeignerId(Detector):
    """The new form stands alone with a right check character; the old one needs a word."""

    entity = "CN_FOREIGNER_ID"
    looks_at = "numbers"
    fewest = 12
    words = (
        "永久居留", "永居证", "居留证", "居留身份证", "外国人", "身份证", "证件", "residence", "permanent residence",
        "prc card",
    )  # fmt: skip
    columns = ("永久居留证", "永居证号", "residence_permit", "residence_no")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Both forms."""
        yield from judge_each(NEW, text, start, end, self.judge_new)
        yield from judge_each(OLD, text, start, end, self.judge_old)

    def judge_new(self, text: str, found: re.Match[str]) -> Candidate | None:
        """18 characters led by 9."""
        number = NOT_DIGITS.sub("", found.group()).upper()
        born = (int(number[6:10]), int(number[10:12]), int(number[12:14]))
        if number[1:3] not in PROVINCES or not is_date(*born) or not stands_alone(text, *found.span()):
            return None
        scores = NEW_SCORES[check_character(number[:17]) == number[17]]
        score = scores[self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def judge_old(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Three letters and twelve digits."""
        value = re.sub(r"[ \-]", "", found.group()).upper()
        month, day = int(value[9:11]), int(value[11:13])
        if value[:3] not in COUNTRIES or value[3:5] not in PROVINCES or not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        if not stands_alone(text, *found.span()):
            return None
        score = OLD_SCORES[self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """Three characters and the last two."""
        return keep_ends(value, 3, 2)
