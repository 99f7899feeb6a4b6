"""The promise that the engine relies on: what is read through windows is what is read in the whole text.

The windows here are those of `Detector`'s docstring, made as plainly as can be.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from scanners.detectors import DETECTORS, Detector
from scanners.written import to_plain

COUNTS = 0.3
NUMBERS = re.compile(r"[0-9*](?:[ \-.·()+/xX*|\t]{0,3}[0-9*])*")
FOUR = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
COLONS = re.compile("::|(?::[0-9A-Fa-f]{1,4}){7}")
FAR = "门店今日营业正常，后厨备货充足，前厅人手够用，请各位同事按排班表到岗，注意食品安全与消防安全。" * 2


def windows(detector: Detector, line: str) -> Iterator[tuple[int, int]]:
    """What one line shows to a detector."""
    if detector.looks_at == "numbers":
        for place in NUMBERS.finditer(line):
            if sum(c.isdigit() or c == "*" for c in place.group()) >= detector.fewest:
                yield max(0, place.start() - 12), place.end()
    elif detector.looks_at == "dotted":
        for place in (*FOUR.finditer(line), *COLONS.finditer(line)):
            yield max(0, place.start() - 40), place.end()
    else:
        low = line.lower()
        for anchor in detector.anchors:
            for found in re.finditer(re.escape(anchor.lower()), low):
                yield max(0, found.start() - 52), min(len(line), found.end() + 40)


def seen(detector: Detector, text: str, start: int, end: int) -> set[tuple[int, int, float, str]]:
    return {(c.start, c.end, c.score, c.nature) for c in detector.find(text, start, end) if c.score >= COUNTS}


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.entity)
def test_windows_show_all_that_counts(detector: Detector, tables: dict[str, list[tuple[str, str]]]) -> None:
    for _, marked in tables[detector.entity]:
        line = to_plain(marked.replace("«", "").replace("»", "")).text
        whole = seen(detector, line, 0, len(line))
        through: set[tuple[int, int, float, str]] = set()
        for low, high in windows(detector, line):
            through |= seen(detector, line, low, high)
        assert {best(whole, c) for c in whole} == {best(through, c) for c in through}, marked


def best(found: set[tuple[int, int, float, str]], one: tuple[int, int, float, str]) -> tuple[int, int, float, str]:
    """Of those that overlap `one` the best, as the engine has it."""
    return max((c for c in found if c[0] < one[1] and one[0] < c[1]), key=lambda c: (c[2], c[1] - c[0]))


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.entity)
def test_what_is_far_away_or_on_another_line_changes_nothing(
    detector: Detector, tables: dict[str, list[tuple[str, str]]]
) -> None:
    words = "电话 身份证 订单号 password 护照 "
    for _, marked in tables[detector.entity]:
        line = to_plain(marked.replace("«", "").replace("»", "")).text
        alone = seen(detector, line, 0, len(line))
        for before, after in ((words + "\n", "\n" + words), (words + FAR, FAR + words)):
            amid = seen(detector, before + line + after, len(before), len(before) + len(line))
            assert {(a - len(before), b - len(before), score, n) for a, b, score, n in amid} == alone, marked


HOSTILE = (
    "1", "1-", "1 ", "1.", "1|", "138 ", "138-0000-", "(86", "+1 ", "1*", "*", "@", "a@", "a.", "a@b.", "x", "X1",
    "护照", "密码", "password=", "京A", "::", "a:", "1:", "eyJa.", "-----BEGIN ", "://:", "生日", "31.23456,", "微信",
    "qq", "A1(", "GB29 ", "%B4^", "1=", "110101", "4111 ", "年月", "mysql ", "sk-",
)  # fmt: skip


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.entity)
def test_no_text_takes_more_than_its_length(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the text asks four times the questions about context; and none hangs."""
    asked = 0
    weigh = detector.context.weigh

    def counted(text: str, start: int, end: int) -> int:
        nonlocal asked
        asked += 1
        return weigh(text, start, end)

    monkeypatch.setattr(detector.context, "weigh", counted)
    for unit in HOSTILE:
        counts = []
        for size in (2_000, 8_000):
            asked = 0
            text = unit * (size // len(unit))
            for _ in detector.find(text, 0, len(text)):
                pass
            counts.append(asked)
        assert counts[1] <= 4.5 * counts[0] + 50, unit
        assert counts[1] <= 2 * 8_000, unit


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.entity)
def test_four_times_the_text_takes_about_four_times_as_long(detector: Detector) -> None:
    def seconds(size: int) -> float:
        begun = time.process_time()
        for unit in HOSTILE:
            text = unit * (size // len(unit))
            for _ in detector.find(text, 0, len(text)):
                pass
        return time.process_time() - begun

    seconds(1_000)
    assert min(seconds(20_000) for _ in range(2)) < 4 * 2.5 * max(0.01, min(seconds(5_000) for _ in range(2)))
