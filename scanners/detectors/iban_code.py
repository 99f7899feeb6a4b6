"""International bank account numbers, ISO 13616: country, two check digits, up to 30 characters of the country's form.

The remainder of division by 97 (ISO 7064 MOD 97-10) is 1. Lengths are those of SWIFT's registry, release 99.
Presidio's recognizer needs word boundaries and so is blind beside Chinese characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from config.packs import read_pack
from scanners.detectors.base import Candidate, Detector, judge_each, keep_ends


def load_lengths() -> dict[str, int]:
    """`config/data/detect/countries.toml`: characters of an IBAN, by country."""
    pack = read_pack("detect", "countries.toml")
    return {str(country): int(length) for country, length in pack["iban"].items()}


LENGTHS: Final = load_lengths()
CODE: Final = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?:[ \-]?[0-9A-Z]){11,30}(?![0-9A-Za-z])", re.IGNORECASE)
SCORES: Final = {True: (0.7, 0.9, 1.0), False: (0.0, 0.1, 0.4)}  # by the remainder


def passes_remainder(number: str) -> bool:
    """ISO 7064 MOD 97-10: letters count from 10, the first four characters go to the end."""
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


class IbanCode(Detector):
    """See the module."""

    entity = "IBAN_CODE"
    looks_at = "numbers"
    words = ("iban", "国际银行账号", "收款账号", "swift", "bic")
    columns = ("iban", "iban_code", "iban_no")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All of them, grouped or not."""
        yield from judge_each(CODE, text, start, end, self.judge)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """The country says how many of the characters belong to it."""
        length = LENGTHS.get(found.group()[:2].upper())
        if length is None:
            return None
        kept = [at for at, character in enumerate(found.group(), found.start()) if character not in " -"]
        if len(kept) < length:
            return None
        end = kept[length - 1] + 1
        if text[end : end + 1].isascii() and text[end : end + 1].isalnum():
            return None
        number = re.sub("[ -]", "", text[found.start() : end]).upper()
        score = SCORES[passes_remainder(number)][self.context.weigh(text, found.start(), end) + 1]
        return Candidate(start=found.start(), end=end, score=score)

    def mask(self, value: str) -> str:
        """The country and the last two characters."""
        return keep_ends(value, 2, 2)
