"""Chinese licence plates, GA 36-2018: province, letter, five characters, six for new energy; no I and no O.

Trailers end in 挂, driving schools' in 学, police in 警, those that cross into Hong Kong and Macau in 港 and 澳,
consulates in 领, emergency services in 应急; embassies begin with 使, the armed police's with WJ. New-energy plates
have a letter from A to K at the third place, large ones at the last. A plate of letters alone is allowed, yet rare: it
needs a word. Test generators use I and O: with a word, they pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, judge_each

PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
TAILS: Final = "挂学警港澳领"
GAP: Final = "[\u00b7\u2022\u30fb. \\-]?"
PLATE: Final = re.compile(
    rf"(?:[{PROVINCES}][A-Za-z]{GAP}(?:[0-9A-Za-z]{{6}}|[0-9A-Za-z]{{4}}(?:[0-9A-Za-z{TAILS}]|应急))"
    rf"|使{GAP}[0-9]{{3}}{GAP}[0-9]{{3}}|WJ{GAP}[{PROVINCES}]?[0-9]{{2}}?{GAP}[0-9]{{4}}[0-9A-Z])(?![0-9A-Za-z])"
)
MASKED: Final = re.compile(rf"[{PROVINCES}][A-Z]{GAP}[0-9A-Z]{{0,3}}\*{{2,5}}[0-9A-Z{TAILS}]{{0,3}}(?![0-9A-Za-z*])")
NEW_ENERGY: Final = re.compile(r"[A-HJK][0-9A-HJ-NP-Z][0-9]{4}|[0-9]{5}[A-HJK]")
FORBIDDEN: Final = frozenset("IO")
PROPER_SCORES: Final = (0.3, 0.65, 0.85)
ODD_SCORES: Final = (0.1, 0.4, 0.7)
MASKED_SCORE: Final = 0.5


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
        value = found.group().upper()
        weight = self.context.weigh(text, *found.span())
        if value[0] in PROVINCES:
            tail = re.sub(GAP[:-1], "", value[2:])
            proper = not FORBIDDEN & set(value[1:]) and any(c.isdigit() for c in tail) and found.group()[1].isupper()
            if len(tail) == 6 and "应" not in tail and not NEW_ENERGY.fullmatch(tail):
                proper = False
        else:
            proper = weight > 0
        return Candidate(
            start=found.start(), end=found.end(), score=(PROPER_SCORES if proper else ODD_SCORES)[weight + 1]
        )

    def judge_masked(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A plate with stars in it."""
        shown = re.sub(GAP[:-1], "", found.group())
        if not 7 <= len(shown) <= 8 and self.context.weigh(text, *found.span()) <= 0:
            return None
        return Candidate(start=found.start(), end=found.end(), score=MASKED_SCORE, nature="masked")

    def mask(self, value: str) -> str:
        """Province and letter."""
        return value[:2] + "*****"

    def normalise(self, value: str) -> str:
        """Capitals without separators; the province is part of it."""
        return re.sub(GAP[:-1], "", value).upper()
