"""Words of a chunk: where they stand, and what they say of the values between them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanners.context import ENEMIES, Context
from scanners.units import read_units
from scanners.weighing import Weigher
from scanners.words import WordIndex

FRIENDS = ("手机", "手机号", "电话", "tel", "telephone", "phone no", "mobile")
OTHERS = ("身份证", "id card", "tel")
CONTEXTS = [Context(FRIENDS), Context(OTHERS)]
WEIGHER = Weigher(CONTEXTS)
VALUE = re.compile("[0-9]{5,}X?")
PIECES = st.one_of(
    st.sampled_from([*FRIENDS, *OTHERS, *ENEMIES[::3], "Tel", "orderNo", "PHONE_NO", "hotel", "idCard", "ｔｅｌ"]),
    st.sampled_from(["13800001111", "12345", "12345X", "，", " ", ":", "=", "\n", "a", "A", "的", "_", "🙂", "\u200b"]),
)


def words_of(index: WordIndex, text: str) -> list[str]:
    units = read_units(text)
    hits = index.find(units)
    return [units.text[start:end] for start, end in zip(hits.starts.tolist(), hits.ends.tolist(), strict=True)]


@pytest.mark.parametrize("tail", ["", "，好"])
def test_whole_words_stand_alone_or_at_a_joint_and_parts_anywhere(tail: str) -> None:
    index = WordIndex(whole={"tel": 1, "credit card": 2}, parts={"@": 4, "wxid_": 8})
    assert words_of(index, "hotel tel. userTel telNo stele TEL" + tail) == ["tel", "Tel", "tel", "TEL"]
    assert words_of(index, "credit_card creditcard credit-card credit  card" + tail) == [
        "credit_card", "creditcard", "credit-card",
    ]  # fmt: skip
    assert words_of(index, "a@b mywxid_x" + tail) == ["@", "wxid_"]


def test_words_within_words_are_all_found_in_order_with_their_bits() -> None:
    index = WordIndex(whole={"手机": 1, "手机号": 2, "号": 4}, parts={"机": 8})
    hits = index.find(read_units("手机号"))
    found = list(zip(hits.starts.tolist(), hits.ends.tolist(), hits.masks.tolist(), strict=True))
    assert sorted(found) == [(0, 2, 1), (0, 3, 2), (1, 2, 8), (2, 3, 4)]
    assert hits.starts.tolist() == sorted(hits.starts.tolist())
    assert hits.having(4 | 8).masks.tolist() == [8, 4]
    assert len(index.find(read_units("nothing")).starts) == 0


def test_letters_that_share_a_byte_are_told_apart() -> None:
    letters = [chr(0x4E00 + number) for number in range(300)]
    index = WordIndex(whole=dict.fromkeys(letters[:200], 1), parts={letters[250] + "a": 2, letters[200]: 4})
    assert words_of(index, "".join(letters)) == letters[:201]
    assert words_of(index, letters[250] + "a" + letters[123] + "a") == [letters[250] + "a", letters[123]]
    assert words_of(index, "🙂\uffffÿ") == []


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, min_size=3, max_size=40).map("".join))
def test_many_values_are_weighed_at_once_as_one_by_one(text: str) -> None:
    units = read_units(text)
    values = [found.span() for found in VALUE.finditer(units.text)]
    starts, ends = (np.array([value[side] for value in values], dtype=np.int64) for side in (0, 1))
    surroundings = WEIGHER.read(units)
    for number, context in enumerate(CONTEXTS):
        expected = [context.weigh(units.text, start, end) for start, end in values]
        assert surroundings.weigh(number, starts, ends).tolist() == expected


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("电话 12345", 1),
        ("订单 12345", -1),
        ("订单 电话 12345", 1),
        ("电话 订单 12345", -1),
        ("电话\n12345", 0),
        ("金额 100 元，12345", 0),  # the enemy speaks of the number between
        ("电话 100，12345", 1),
        ("12345 电话", 1),
        ("12345\n电话", 0),
        ("电话" + "，" * 26 + "12345", 1),
        ("电话" + "，" * 27 + "12345", 0),
        ("订单" + "，" * 13 + "12345", 0),
        ("12345 telephone", 1),
        ("12345" + " " * 6 + "telephone", 0),  # cut after `tele`: no word
        ("hotel 12345", 0),
    ],
)
def test_the_nearest_word_before_a_value_counts_and_one_behind_it_if_there_is_none(text: str, weight: int) -> None:
    context = Context(("电话", "tel", "telephone"))
    start = text.index("12345")
    assert context.weigh(text, start, start + 5) == weight
