"""Check digits and normal forms, by property and by the standards' own examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors import DETECTORS
from scanners.detectors.cn_resident_id import check_character
from scanners.detectors.credit_card import is_article, passes_luhn
from scanners.detectors.hk_id_card import check_character as hong_kong_check
from scanners.detectors.iban_code import passes_remainder
from scanners.detectors.tw_national_id import passes_check
from scanners.masking import by_entity
from scanners.written import to_plain


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_luhn_notices_every_single_wrong_digit(digits: str) -> None:
    right = next(digits + d for d in "0123456789" if passes_luhn(digits + d))
    for position, character in enumerate(right):
        wrong = right[:position] + str((int(character) + 1) % 10) + right[position + 1 :]
        assert not passes_luhn(wrong)


@given(st.text(alphabet="0123456789", min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_the_check_character_notices_every_single_wrong_digit(digits: str, position: int, by: int) -> None:
    wrong = digits[:position] + str((int(digits[position]) + by) % 10) + digits[position + 1 :]
    assert check_character(wrong) != check_character(digits)


def test_checks_are_those_of_the_standards_own_examples() -> None:
    assert check_character("11010519491231002") == "X"  # GB 11643-1999
    assert passes_luhn("79927398713")  # ISO/IEC 7812-1 as taught everywhere
    assert passes_remainder("GB82WEST12345698765432")  # ISO 13616
    assert passes_remainder("FR1420041010050500013M02606")  # SWIFT's registry
    assert is_article("4006381333931")  # GS1
    assert hong_kong_check("G", "123456") == "A"  # Immigration Department's leaflet
    assert passes_check("A123456789")  # the number of every Taiwanese form


@pytest.mark.parametrize(
    ("entity", "spellings"),
    [
        (
            "PHONE_NUMBER",
            ["13800001111", "+86 138-0000-1111", "0086 138 0000 1111", "(86)13800001111", "13800001111转12"],
        ),
        ("PHONE_NUMBER", ["0571-88880000", "057188880000", "(0571)88880000", "0571-8888 0000转801"]),
        ("CN_RESIDENT_ID", ["11010119900307002X", "110101 19900307 002x", "１１０１０１１９９００３０７００２Ｘ"]),
        ("CREDIT_CARD", ["4111111111111111", "4111-1111-1111-1111", "4111 1111 1111 1111"]),
        ("EMAIL_ADDRESS", ["ceshi@qq.com", "CESHI@qq.com", "ceshi ＠ qq.com", "ceshi(at)qq(dot)com"]),
        ("CN_LICENSE_PLATE", ["京A12345", "京A·12345", "京a12345"]),
        ("DATE_OF_BIRTH", ["1990-03-07", "1990年3月7日", "1990/3/7", "1990.03.07", "一九九〇年三月七日"]),
        ("DATE_OF_BIRTH", ["1990-12-21", "1990年12月21日", "一九九零年十二月二十一日"]),
        ("DATE_OF_BIRTH", ["1990-10-30", "一九九零年十月三十日"]),
        ("HK_ID_CARD", ["A123456(3)", "a1234563", "A 123456 (3)"]),
    ],
)
def test_all_written_forms_of_a_value_are_one_value(entity: str, spellings: list[str]) -> None:
    detector = by_entity()[entity]
    assert len({detector.normalise(to_plain(spelled).text) for spelled in spellings}) == 1


def test_every_detector_has_its_vectors(tables: dict[str, list[tuple[str, str]]]) -> None:
    assert set(tables) == {detector.entity for detector in DETECTORS}
    for entity in ("CN_RESIDENT_ID", "PHONE_NUMBER", "CREDIT_CARD", "EMAIL_ADDRESS", "CREDENTIAL"):
        assert len(tables[entity]) >= 100
