"""One cell of a decided column by itself: its normal form, what stands behind it. `scanners.forms` answers the same."""

from __future__ import annotations

import re
from typing import Final

from scanners.columns import Column
from scanners.detectors import Detector
from scanners.masking import by_entity
from scanners.records import Nature
from scanners.tally import Value
from scanners.written import to_plain

# A mobile with an extension, or of a range that is lent: the detector has the last word.
MAYBE_LENT: Final = re.compile(r"1[3-9](?:[ \-.]?[0-9]){9}|950[0-9]")
FLOAT: Final = re.compile(r"[0-9]{7,}\.0")  # how spreadsheets and data frames write a long number
NAMES: Final = ("PERSON", "ADDRESS")
NOTHING: Final = frozenset({"", "null", "none", "nan", "-", "--", "n/a", "无", "暂无", "\\n", "0", "未填写", "未知"})
CREDENTIALS_ARE_NOBODY: Final = frozenset({"CREDENTIAL", "IP_ADDRESS"})


def judge_cell(column: Column, cell: str) -> Value | None:
    """A cell of a decided column by itself; None for a placeholder."""
    entity = column.entity or ""
    value = to_plain(cell).text.strip()
    if value.lower() in NOTHING:
        return None
    if entity in NAMES:
        normal = "".join(value.split()).lower()
        nature: Nature = "masked" if "*" in value else "personal"
        return Value(entity=entity, text=value, normal=normal, score=column.score, nature=nature)
    detector = by_entity()[entity]
    if FLOAT.fullmatch(value):
        value = value[:-2]
    if entity == "CN_RESIDENT_ID":
        value = value.strip("'\"`\t ")
    return Value(
        entity=entity, text=value, normal=detector.normalise(value), score=column.score,
        nature=nature_of(detector, value),
    )  # fmt: skip


def nature_of(detector: Detector, value: str) -> Nature:
    """What stands behind one cell of a decided column; 400 and 800 numbers are an organisation's."""
    if "*" in value:
        return "masked"
    if detector.entity in CREDENTIALS_ARE_NOBODY:
        return "organisation"
    if detector.entity == "PHONE_NUMBER":
        digits = detector.normalise(value)
        if len(digits) == 10 and digits[:3] in ("400", "800"):
            return "organisation"
        if MAYBE_LENT.search(value) and any(c.nature == "virtual" for c in detector.find(value, 0, len(value))):
            return "virtual"
    return "personal"
