"""Chinese licence plates, GA 36-2018: province, letter, five characters, six for new energy; no I and no O.

Trailers end in 挂, driving schools' in 学, police in 警, those that cross into Hong Kong and Macau in 港 and 澳,
consulates in 领, emergency services in 应急; embassies begin with 使, the armed police's with WJ. New-energy plates
have a letter from A to K at the third place, large ones at the last. A plate of letters alone is allowed, yet rare: it
needs a word. Test generators use I and O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each

PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
TAILS: Final = "挂学警港澳领"
SIGN: Final = "[\u00b7\u2022\u30fb. \\-]"
GAP: Final = SIGN + "?"
PLATE: Final = re.compile(
    rf"(?:[{PROVINCES}][A-Za-z]{GAP}(?:[0-9A-Za-z]{{6}}|[0-9A-Za-z]{{4}}(?:[0-9A-Za-z{TAILS}]|应急))"
    rf"|使{GAP}[0-9]{{3}}{GAP}[0-9]{{3}}|WJ{GAP}[{PROVINCES}]?[0-9]{{2}}?{GAP}[0-9]{{4}}[0-9A-Z])(?![0-9A-Za-z])"
)
MASKED: Final = re.compile(rf"[{PROVINCES}][A-Z]{GAP}[0-9A-Z]{{0,3}}\*{{2,5}}[0-9A-Z{TAILS}]{{0,3}}(?![0-9A-Za-z*])")
NEW_ENERGY: Final = re.compile(r"[A-HJK][0-9A-HJ-NP-Z][0-9]{4}|[0-9]{5}[A-HJK]|[0-9A-Z]{4}应急")
FORBIDDEN: Final = frozenset("IO")
PROPER_SCORES: Final = (0.3, 0.65, 0.85)
FORBIDDEN_SCORES: Final = (0.1, 0.5, 0.7)  # an I or an O in it
ODD_SCORES: Final = (0.1, 0.4, 0.7)  # small letters, none but letters, six characters that are no new-energy plate
MASKED_SCORE: Final = 0.5


def is_proper(tail: str) -> bool:
    """What stands behind the first letter has a digit and, if it has six characters, a new-energy plate's form."""
    return any(c.isdigit() for c in tail) and (len(tail) != 6 or NEW_ENERGY.fullmatch(tail) is not None)


class CnLicensePlate(Detector):
    """See the module."""

    entity = "CN_LICENSE_PLATE"
    looks_at = "words"
    words = (
        "车牌", "车号", "牌照", "停车", "挪车", "车主", "的车", "这个车", "这车", "号牌", "机动车", "驾驶", "车辆",
        "违章", "plate", "chepai", "license plate", "vehicle",
    )  # fmt: skip
    anchors = (*(p + c for p in PROVINCES for c in LETTERS + "IO"), "使0", "使1", "使2", "使3", "WJ")
    columns = (
        "车牌", "车号", "plate", "plate_no", "plate_number", "chepai", "license_plate",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All plates."""
        if text.isascii():
            return
        yield from judge_each(PLATE, text, start, end, self.judge)
        if "*" in text[start:end]:
            yield from judge_each(MASKED, text, start, end, self.judge_masked)

    def judge(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Letters, digits and length as the standard has them, or nearly."""
        weight = self.context.weigh(text, *found.span())
        tail = re.sub(SIGN, "", found.group()[2:])
        if found.group()[0] not in PROVINCES:
            scores = PROPER_SCORES if weight > 0 else ODD_SCORES
        elif found.group()[1:].isupper() and is_proper(tail):
            scores = FORBIDDEN_SCORES if FORBIDDEN & set(found.group()) else PROPER_SCORES
        else:
            scores = ODD_SCORES
        return Candidate(start=found.start(), end=found.end(), score=scores[weight + 1])

    def judge_masked(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A plate with stars in it."""
        shown = re.sub(SIGN, "", found.group())
        if not 7 <= len(shown) <= 8 and self.context.weigh(text, *found.span()) <= 0:
            return None
        return Candidate(start=found.start(), end=found.end(), score=MASKED_SCORE, nature="masked")

    def mask(self, value: str) -> str:
        """Province and letter."""
        return value[:2] + "*****"

    def normalise(self, value: str) -> str:
        """Capitals without separators; the province is part of it."""
        return re.sub(SIGN, "", value).upper()
