"""Chinese licence plates, GA 36-2018: five characters after the letter, six for new energy; no I and no O.

A plate of letters alone is allowed, yet rare: it needs a word. Test generators use I and O: with a word, they pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, within

PLATE: Final = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z]"
    r"[\u00b7\u2022. \-]?(?:[0-9A-Z]{6}|[0-9A-Z]{4}[0-9A-Z挂学警港澳领])(?![0-9A-Za-z])"
)


class CnLicensePlate(Detector):
    """See the module."""

    entity: ClassVar[str] = "CN_LICENSE_PLATE"
    looks_at: ClassVar[Literal["text"]] = "text"
    words: ClassVar[tuple[str, ...]] = (
        "车牌", "车号", "牌照", "停车", "挪车", "车主", "的车", "这个车", "这车", "号牌", "机动车", "驾驶", "车辆",
        "违章", "plate", "chepai", "license plate", "vehicle",
    )  # fmt: skip
    columns: ClassVar[tuple[str, ...]] = (
        "车牌",
        "车号",
        "plate",
        "plate_no",
        "plate_number",
        "chepai",
        "license_plate",
    )

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All plates."""
        if text.isascii():
            return
        for found in within(PLATE, text, start, end):
            tail = found.group()[2:]
            weight = self.context.weigh(text, *found.span())
            proper = "I" not in found.group()[1:] and "O" not in tail and any(c.isdigit() for c in tail)
            yield Candidate(
                start=found.start(),
                end=found.end(),
                score=(0.85 if weight > 0 else 0.65) if proper else (0.7 if weight > 0 else 0.5),
            )

    def mask(self, value: str) -> str:
        """Province and letter."""
        return value[:2] + "*****"
