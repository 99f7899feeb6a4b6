"""Numbers of Chinese resident identity cards, GB 11643-1999: 18 characters, and 15 digits of before 1999.

The check character (ISO 7064 MOD 11-2) raises the score and never gates it: 32 of 34 labelled numbers in real sample
databases fail it. Neither does the place code: districts are abolished and renamed, and their codes live on in their
people's numbers (`config/data/detect/regions.toml`, from GB/T 2260). Residents from Hong Kong, Macau and Taiwan have
numbers of the same form that begin with 810000, 820000 and 830000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

from config.packs import read_pack
from scanners.detectors.base import (
    GAP,
    NOT_BEFORE,
    NOT_BEHIND,
    Candidate,
    Detector,
    follows_digits,
    in_row,
    judge_each,
    keep_ends,
    leads_digits,
    one_number,
    stands_alone,
    tied_to_letters,
    within,
)

WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECK: Final = "10X98765432"
OLDEST: Final = 1900
Region = Literal["known", "abolished", "unknown", "nowhere"]
Scores = tuple[float, float, float]  # in an enemy's company, alone, in its own company
# By whether the check character is right, and by what the place code is; `nowhere` is in no province.
SCORES: Final[dict[tuple[bool, Region], Scores]] = {
    (True, "known"): (0.55, 0.9, 1.0),
    (True, "abolished"): (0.55, 0.85, 1.0),
    (True, "unknown"): (0.3, 0.7, 0.95),
    (True, "nowhere"): (0.05, 0.25, 0.7),
    (False, "known"): (0.1, 0.35, 0.75),
    (False, "abolished"): (0.1, 0.3, 0.75),
    (False, "unknown"): (0.05, 0.2, 0.6),
    (False, "nowhere"): (0.0, 0.05, 0.3),
}
NO_BIRTHDAY: Final[Scores] = (0.0, 0.0, 0.4)  # eighteen digits beside a word, with no day of birth in them
SHORT_SCORES: Final[dict[Region, Scores]] = {
    "known": (0.1, 0.25, 0.75),
    "abolished": (0.1, 0.25, 0.75),
    "unknown": (0.05, 0.2, 0.6),
    "nowhere": (0.0, 0.05, 0.3),
}
IN_ROW: Final[Scores] = (0.0, 0.3, 0.8)  # parts of a longer row of numbers
MASKED_SCORE: Final = 0.5

LONG: Final = re.compile(rf"{NOT_BEHIND}[1-8](?:{GAP}?[0-9]){{16}}{GAP}?[0-9Xx]{NOT_BEFORE}")
SHORT: Final = re.compile(rf"(?<![0-9*])[1-8][0-9]{{5}}{GAP}?[0-9]{{6}}{GAP}?[0-9]{{3}}(?![0-9*])")
MASKED: Final = re.compile(r"(?<![0-9*])(?:[1-8][0-9]{0,9}\*{4,17}|\*{6,17})[0-9]{0,6}[0-9Xx*](?![0-9*A-Za-z])")
NOT_DIGITS: Final = re.compile(r"[^0-9Xx]")
BORDER: Final = re.compile(r" ?\| ?|\t")  # of a table's cell


def load_regions(table: Literal["in_force", "abolished"]) -> frozenset[str]:
    """Six-digit place codes of GB/T 2260."""
    pack = read_pack("detect", "regions.toml")
    return frozenset(lead + end for lead, ends in pack[table].items() for end in ends.split())


REGIONS: Final = load_regions("in_force") | {"810000", "820000", "830000"}
ABOLISHED: Final = load_regions("abolished")
PROVINCES: Final = frozenset(code[:2] for code in REGIONS | ABOLISHED) | {"71"}


def region_of(code: str) -> Region:
    """What the first six digits are."""
    if code in REGIONS:
        return "known"
    if code in ABOLISHED:
        return "abolished"
    return "unknown" if code[:2] in PROVINCES else "nowhere"


def is_date(year: int, month: int, day: int) -> bool:
    """A day that has been, since 1900."""
    try:
        return year >= OLDEST and date(year, month, day) <= date.today()  # noqa: DTZ011  a birthday has no zone
    except ValueError:
        return False


def check_character(digits: str) -> str:
    """ISO 7064 MOD 11-2 over the first 17 digits."""
    return CHECK[sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=False)) % 11]


def scores_of(number: str) -> Scores:
    """The scores of 18 characters: the last is a digit or `X`."""
    if not is_date(int(number[6:10]), int(number[10:12]), int(number[12:14])):
        return NO_BIRTHDAY
    return SCORES[check_character(number[:17]) == number[17], region_of(number[:6])]


class CnResidentId(Detector):
    """18 characters stand on their own when all checks pass, else with a word or a column; 15 digits need a word."""

    entity = "CN_RESIDENT_ID"
    looks_at = "numbers"
    fewest = 11  # a masked one
    words = (
        "身份证", "身分证", "身份證", "身分證", "证件", "身份號", "身份号", "公民身份", "户口", "居住证", "实名", "sfz",
        "sfzh", "sfzhm", "shenfenzheng", "shenfen", "id card", "idcard", "identity", "id number", "idno", "id no",
        "certno", "cert no", "id_num", "idnum", "identity card", "citizen id", "resident id", "zjhm",
    )  # fmt: skip
    columns = (
        "身份证", "证件号", "身份号", "idcard", "id_card", "idnumber", "id_number", "idno", "id_no", "identity", "sfz",
        "sfzh", "shenfenzheng", "certno", "cert_no", "card_id", "identity_no", "certificate_no", "citizen_id",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """See the module for what is checked."""
        yield from judge_each(LONG, text, start, end, self.judge_long)
        yield from judge_each(SHORT, text, start, end, self.judge_short)
        if "*" in text[start:end]:
            for found in within(MASKED, text, start, end):
                length = found.end() - found.start()
                spoken_for = length >= 11 and self.context.weigh(text, *found.span()) > 0
                if spoken_for or (length in (15, 18) and text[found.start()] != "*"):
                    yield Candidate(start=found.start(), end=found.end(), score=MASKED_SCORE, nature="masked")

    def judge_long(self, text: str, found: re.Match[str]) -> Candidate | None:
        """An 18-character match; a dash or a point that ties it to other digits counts against it."""
        number = NOT_DIGITS.sub("", found.group()).upper()
        scores = scores_of(number)
        if not scores[2] or not one_number(found.group()) or tied_to_letters(text, *found.span()):
            return None
        # Cells hold a number in parts or in boxes; with other gaps besides it is several numbers of a row.
        if BORDER.search(found.group()) and not BORDER.sub("", found.group()).isalnum():
            return None
        weight = self.context.weigh(text, *found.span())
        if follows_digits(text, found.start()) or leads_digits(text, found.end()):
            weight = max(-1, weight - 1)
        score = (IN_ROW if in_row(text, *found.span()) else scores)[weight + 1]
        return Candidate(start=found.start(), end=found.end(), score=score) if score else None

    def judge_short(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A 15-digit match; it has no check digit, so only a word makes it one."""
        number = NOT_DIGITS.sub("", found.group())
        if not is_date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12])):
            return None
        if not stands_alone(text, *found.span()):
            return None
        score = SHORT_SCORES[region_of(number[:6])][self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def shape(self, value: str) -> float:
        """In a column of ids, anything as long as one: test data and typing errors are ids of somebody all the same."""
        best = super().shape(value)
        return max(best, 0.4) if re.fullmatch(r"[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{14}", value) else best

    def mask(self, value: str) -> str:
        """Three characters and the last two: 110*************34."""
        return keep_ends(value, 3, 2)
