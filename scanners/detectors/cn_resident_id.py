"""Numbers of Chinese resident identity cards, GB 11643-1999: 18 characters, and 15 digits of before 1999.

The check character (ISO 7064 MOD 11-2) raises the score and never gates it: 32 of 34 labelled numbers in real sample
databases fail it. Place codes are GB/T 2260; only the province is checked, since districts are abolished and renamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, keep_ends, stands_alone, within

PROVINCES: Final = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK: Final = "10X98765432"
LONG: Final = re.compile(
    r"(?<![0-9])([1-9][0-9]{5})[ \-.]?([0-9]{4})[ \-.]?([0-9]{2})"
    r"[ \-.]?([0-9]{2})[ \-.]?([0-9]{3})[ \-.]?([0-9Xx])(?![0-9])"
)
SHORT: Final = re.compile(r"(?<![0-9])[1-9][0-9]{14}(?![0-9])")
MASKED: Final = re.compile(r"(?<![0-9*])[1-9][0-9]{0,9}\*{4,16}[0-9]{0,4}[0-9Xx](?![0-9*A-Za-z])")
OLDEST: Final = 1900


def is_date(year: int, month: int, day: int) -> bool:
    """A day that has been, since 1900."""
    try:
        return year >= OLDEST and date(year, month, day) <= date.today()  # noqa: DTZ011  a birthday has no zone
    except ValueError:
        return False


def check_character(digits: str) -> str:
    """ISO 7064 MOD 11-2 over the first 17 digits."""
    return CHECK[sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=False)) % 11]


class CnResidentId(Detector):
    """18 characters stand on their own when all checks pass, else with a word or a column; 15 digits need a word."""

    entity: ClassVar[str] = "CN_RESIDENT_ID"
    looks_at: ClassVar[Literal["numbers", "text"]] = "numbers"
    fewest: ClassVar[int] = 15
    words: ClassVar[tuple[str, ...]] = (
        "身份证", "证件", "身份號", "身份号", "公民身份", "户口", "sfz", "sfzh", "shenfenzheng", "shenfen",
        "id card", "idcard", "identity", "id number", "idno", "id no", "certno", "cert no", "id_num", "实名",
    )  # fmt: skip
    columns: ClassVar[tuple[str, ...]] = (
        "身份证", "证件号", "身份号", "idcard", "id_card", "idnumber", "id_number", "idno", "id_no", "identity", "sfz",
        "sfzh", "shenfenzheng", "certno", "cert_no", "card_id", "identity_no", "certificate_no", "citizen_id",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """See the module for what is checked."""
        for found in within(LONG, text, start, end):
            score = self.judge(text, found)
            if score:
                yield Candidate(start=found.start(), end=found.end(), score=score)
        for found in within(SHORT, text, start, end):
            digits = found.group()
            fits = digits[:2] in PROVINCES and is_date(1900 + int(digits[6:8]), int(digits[8:10]), int(digits[10:12]))
            if fits and stands_alone(text, *found.span()):
                weight = self.context.weigh(text, *found.span())
                yield Candidate(start=found.start(), end=found.end(), score=(0.1, 0.25, 0.75)[weight + 1])
        if "*" in text[start:end]:
            for found in within(MASKED, text, start, end):
                length = found.end() - found.start()
                if length in (15, 18) or (length > 11 and self.context.weigh(text, *found.span()) > 0):
                    yield Candidate(start=found.start(), end=found.end(), score=0.5, nature="masked")

    def judge(self, text: str, found: re.Match[str]) -> float:
        """Score of an 18-character match, 0 for none."""
        place, year, month, day, serial, last = found.groups()
        if place[:2] not in PROVINCES or not is_date(int(year), int(month), int(day)):
            return 0.0
        if not stands_alone(text, *found.span()):
            return 0.0
        weight = self.context.weigh(text, *found.span())
        if check_character(place + year + month + day + serial) == last.upper():
            return (0.55, 0.9, 1.0)[weight + 1]
        return (0.1, 0.35, 0.75)[weight + 1]

    def shape(self, value: str) -> float:
        """In a column of ids, anything as long as one: test data and typing errors are ids of somebody all the same."""
        best = super().shape(value)
        return max(best, 0.4) if re.fullmatch(r"[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{14}", value) else best

    def mask(self, value: str) -> str:
        """Three characters and the last two: 110*************34."""
        return keep_ends(value, 3, 2)
