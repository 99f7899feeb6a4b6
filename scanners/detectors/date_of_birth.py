"""Dates of birth: a date is one only in company of a word for birth, or in a column called so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.context import line_after
from scanners.detectors.base import Candidate, Detector, within

MONTH: Final = r"(?:1[0-2]|0?[1-9])"
DAY: Final = r"(?:[12][0-9]|3[01]|0?[1-9])"
YEAR: Final = r"(?:18|19|20)[0-9]{2}"
NUMERAL: Final = "[〇零○一二三四五六七八九]"
SPELLED: Final = rf"(?:三十一?|二?十{NUMERAL}?|廿{NUMERAL}|{NUMERAL})"
ENGLISH: Final = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
DATE: Final = re.compile(
    rf"(?<![0-9])(?:{YEAR}(?:(?P<sign>[\-/.])(?:{MONTH}(?P=sign){DAY}|{MONTH})| ?年 ?{MONTH} ?月(?: ?{DAY} ?[日号]?)?"
    rf"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])| {MONTH} {DAY})"
    rf"|{DAY}[/.\-]{DAY}[/.\-](?:19|20)[0-9]{{2}}|[0-9]{{2}} ?年 ?{MONTH} ?月(?: ?{DAY} ?[日号]?)?"
    rf"|{MONTH} ?月 ?{DAY} ?[日号]|{DAY}(?:st|nd|rd|th)? {ENGLISH},? {YEAR})(?![0-9])"
    rf"|{NUMERAL}{{2}}(?:{NUMERAL}{{2}})?年(?:十[一二]?|{NUMERAL})月(?:{SPELLED}[日号]?)?"
    rf"|(?<!年)(?:十[一二]?|{NUMERAL})月{SPELLED}[日号]"
    rf"|(?<![A-Za-z]){ENGLISH} {DAY},? {YEAR}(?![0-9])",
    re.IGNORECASE,
)
# A year as a cell's whole content, in a column of birthdays.
CELL: Final = re.compile(rf"{YEAR}(?:[\-/.年]{MONTH}月?)?")
WORD: Final = re.compile(
    r"出生|生日|生于|诞辰|生辰"
    r"|(?<![A-Za-z])(?:birth(?:day|date)?|date[ _]of[ _]birth|dob|born|shengri|chusheng|csrq)(?![A-Za-z])"
    r"|(?<=[a-z])(?-i:Birth(?:day|Date)?|Dob)(?![a-z])",
    re.IGNORECASE,
)
CELL_END: Final = re.compile("[\"'] ?,")  # between the word and the date
BEHIND: Final = re.compile(r" ?(?:\(?出生|生人?(?![产命活成效])|生日|\)?诞生|born\b)", re.IGNORECASE)
SCORE: Final = 0.7
BEHIND_SCORE: Final = 0.6
NEAR: Final = 14  # characters between the word and the date
LONGEST: Final = 24


class DateOfBirth(Detector):
    """See the module."""

    entity = "DATE_OF_BIRTH"
    looks_at = "words"
    words = ("出生", "生日", "生于", "诞辰", "生辰", "birth", "birthday", "birthdate", "dob", "born")
    anchors = (
        *words, "日生", "月生", "年生", "生人", "号生", "诞生", "shengri", "chusheng", "csrq",
        *(f"{digit}生" for digit in range(10)),
    )  # fmt: skip
    columns = (
        "出生", "生日", "birthday", "birth", "birthdate", "birth_date", "dob", "shengri", "date_of_birth", "csrq",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """From each word for birth, the date close behind it; from each date, the word that touches it."""
        done = -1
        for word in within(WORD, text, start, end):
            found = DATE.search(text, word.end(), line_after(text, word.end(), NEAR + LONGEST))
            if found is None or found.start() - word.end() > NEAR or found.start() <= done:
                continue
            if not CELL_END.search(text, word.end(), found.start()):
                done = found.end()
                yield Candidate(start=found.start(), end=found.end(), score=SCORE)
        for found in within(DATE, text, start, end):
            if BEHIND.match(text, found.end()):
                yield Candidate(start=found.start(), end=found.end(), score=BEHIND_SCORE)

    def shape(self, value: str) -> float:
        """Any date at the cell's beginning will do in a column of birthdays."""
        return 0.4 if DATE.match(value.strip()) or CELL.fullmatch(value.strip()) else 0.0

    def mask(self, value: str) -> str:
        """The year."""
        year = re.search(r"(?:18|19|20)[0-9]{2}", value)
        return f"{year.group()}-**-**" if year else "**-**"

    def normalise(self, value: str) -> str:
        """Year, month and day as eight digits where they are written in this order; else what is there."""
        text = value.translate(PLAIN_NUMERALS)
        text = re.sub(r"(?<![0-9])十(?![0-9])", "10", re.sub(r"(?<![0-9])十(?=[0-9])", "1", text))
        text = re.sub(r"([0-9])十(?=[0-9])", r"\1", text).replace("十", "0")
        parts: list[str] = re.findall("[0-9]+", text)
        if len(parts) == 3 and len(parts[0]) == 4:
            return parts[0] + parts[1].zfill(2) + parts[2].zfill(2)
        return "".join(parts) or value.strip().upper()


PLAIN_NUMERALS: Final = str.maketrans("〇零○一二三四五六七八九廿", "0001234567892")
