"""Chunks as arrays: the plain form is that of `scanners.written`, and every place leads back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanners.units import DIGIT, JOINT, LETTER, LINE_END, STAR, UPPER, read_units
from scanners.written import to_plain

ODD = st.sampled_from(
    ["１", "Ａ", "，", "\u200b", "\u3000", "–", "🙂", "\ud800", "\udcff", "\x00", "𠮷", "\uffff", "×", "。"]
)


@given(st.lists(st.one_of(st.text(max_size=8), ODD, st.sampled_from(["abc", "123", "张测试", "\n"]))).map("".join))
def test_the_plain_form_is_that_of_one_by_one_and_leads_back_to_the_same_places(text: str) -> None:
    units, plain = read_units(text), to_plain(text)
    assert units.text == plain.text
    assert len(units) == len(plain.text) == len(units.narrow)
    for start in range(len(units)):
        assert units.span(start, start + 1) == plain.span(start, start + 1)


def test_each_character_has_its_kind_in_any_width() -> None:
    for text in ("a1*-A\n", "ａ１＊－Ａ\n", "a1*-A\n张", "a1*-A\n🙂"):
        flags = read_units(text).flags[:6] & (DIGIT | STAR | JOINT | LETTER | UPPER | LINE_END)
        assert flags.tolist() == [LETTER, DIGIT, STAR, JOINT, LETTER | UPPER, LINE_END]


def codes(text: str) -> list[int]:
    units = read_units(text)
    return units.codes_at(np.arange(len(units) + 1)).tolist()


def test_codes_are_plain_and_in_lower_case_and_nothing_outside() -> None:
    assert codes("TeL") == [*map(ord, "tel"), 0]
    assert codes("Ｔｅ") == [*map(ord, "te"), 0]
    assert codes("🙂张") == [0xFFFF, ord("张"), 0]


def test_in_one_byte_ascii_is_itself_and_all_else_is_beyond() -> None:
    for text in ("Te1", "Ｔe１", "Te1张", "Te1🙂"):
        narrow = read_units(text).narrow.tolist()
        assert narrow[:3] == [*map(ord, "te1")]
        assert all(code >= 0x80 for code in narrow[3:])
