"""Long texts in chunks: nothing lost, nothing twice, whatever the lines' lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import DetectSettings
from scanners.cutting import CHUNK, cut_text
from scanners.engine import Analyser

ANALYSER = Analyser(DetectSettings(), names=False, run_key=b"run")


@given(st.lists(st.sampled_from(["a", "b" * 7, "\n", "c" * 40]), max_size=60).map("".join), st.integers(4, 30))
def test_chunks_follow_each_other_and_cover_the_text(text: str, size: int) -> None:
    cuts = list(cut_text(text, size))
    assert "".join(text[cut.low : cut.high] for cut in cuts) == text
    assert all(cut.before <= cut.low < cut.high <= cut.after for cut in cuts)
    assert all(cut.high - cut.low <= size for cut in cuts)


@pytest.mark.parametrize("shift", range(0, 40, 3))
def test_what_lies_across_a_cut_in_one_long_line_is_found_once_with_its_words(shift: int) -> None:
    filler = "今日客满，" * (CHUNK // 5)
    text = (
        filler[: CHUNK - shift] + "手机13800001111，银行卡6222021234567890，" + filler + "身份证号110101199003071234。"
    )
    assert [(span.entity, text[span.start : span.end]) for span in ANALYSER.detect(text)] == [
        ("PHONE_NUMBER", "13800001111"),
        ("CREDIT_CARD", "6222021234567890"),
        ("CN_RESIDENT_ID", "110101199003071234"),
    ]


def test_offsets_hold_over_chunks_with_invisible_characters() -> None:
    line = "客人\u200b留的号码是１３８\u200b００００１１１１\n"
    text = line * (3 * CHUNK // len(line))
    spans = ANALYSER.detect(text)
    assert len(spans) == text.count("\n")
    assert {text[span.start : span.end] for span in spans} == {"１３８\u200b００００１１１１"}
