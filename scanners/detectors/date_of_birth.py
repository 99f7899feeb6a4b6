"""Dates of birth: a date is one only in company of a word for birth, or in a column called so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, within

DATE: Final = re.compile(
    r"(?<![0-9])(?:(?:18|19|20)[0-9]{2}(?:[-/.](?:0?[1-9]|1[0-2])[-/.](?:[12][0-9]|3[01]|0?[1-9])|年(?:1[0-2]|0?[1-9])月"
    r"(?:(?:[12][0-9]|3[01]|0?[1-9])[日号]?)?"
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[/.](?:0?[1-9]|[12][0-9]|3[01])[/.](?:19|20)[0-9]{2}"
    r"|[0-9]{2}年(?:1[0-2]|0?[1-9])月(?:[0-9]{1,2}[日号])?)(?![0-9])"
)
WORD: Final = re.compile(
    r"出生|生日|生于|诞辰|(?<![A-Za-z])(?i:birth(?:day|date)?|dob|born|shengri|chusheng|date of birth)(?![A-Za-z])"
)


class DateOfBirth(Detector):
    """See the module."""

    entity: ClassVar[str] = "DATE_OF_BIRTH"
    looks_at: ClassVar[Literal["text"]] = "text"
    words: ClassVar[tuple[str, ...]] = ("出生", "生日", "生于", "birth", "birthday", "birthdate", "dob", "born")
    columns: ClassVar[tuple[str, ...]] = (
        "出生", "生日", "birthday", "birth", "birthdate", "birth_date", "dob", "shengri", "date_of_birth", "csrq",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """From each word for birth, the date within twelve characters after it."""
        for word in within(WORD, text, start, end):
            found = DATE.search(text, word.end(), min(len(text), word.end() + 24))
            if found and found.start() - word.end() <= 12:
                yield Candidate(start=found.start(), end=found.end(), score=0.7)

    def shape(self, value: str) -> float:
        """Any date at the cell's beginning will do in a column of birthdays."""
        return 0.4 if DATE.match(value.strip()) else 0.0

    def mask(self, value: str) -> str:
        """The year."""
        year = re.search(r"(?:18|19|20)[0-9]{2}", value)
        return f"{year.group()}-**-**" if year else "**-**"
