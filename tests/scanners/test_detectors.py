"""Vectors of the detectors, near-misses included. All numbers are made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors import DETECTORS
from scanners.detectors.cn_resident_id import check_character
from scanners.detectors.credit_card import passes_luhn
from scanners.masking import by_entity
from scanners.written import to_plain

ACCEPTED = 0.5

# entity, text with the value in «», accepted or not
VECTORS = [
    ("CN_RESIDENT_ID", "«110101199003074610»", True),
    ("CN_RESIDENT_ID", "身份证号«110101199003074610»，请核实", True),
    ("CN_RESIDENT_ID", "身份证«11010119900307002x»", True),
    ("CN_RESIDENT_ID", "身份证«110101 19900307 4610»", True),
    ("CN_RESIDENT_ID", "身份证«110101-19900307-4610»", True),
    ("CN_RESIDENT_ID", "身份证«110101 1990 0307 4610»", True),
    ("CN_RESIDENT_ID", "身份证«１１０１０１１９９００３０７４６１０»", True),
    ("CN_RESIDENT_ID", "身份证«1101011990\u200b03074610»", True),
    ("CN_RESIDENT_ID", '{"id_card":"«110101199003071234»"}', True),  # wrong check character, right context
    ("CN_RESIDENT_ID", "«110101199003071234»", False),  # wrong check character, no context
    ("CN_RESIDENT_ID", "身份证«110101900307123»", True),
    ("CN_RESIDENT_ID", "«110101900307123»", False),
    ("CN_RESIDENT_ID", "身份证«110101199013074610»", False),  # month 13
    ("CN_RESIDENT_ID", "身份证«110101209003074610»", False),  # not born yet
    ("CN_RESIDENT_ID", "身份证«990101199003074610»", False),  # no such province
    ("CN_RESIDENT_ID", "身份证«11010119900307461»", False),
    ("CN_RESIDENT_ID", "身份证«1101011990030746101»", False),
    ("CN_RESIDENT_ID", "a9«110101199003074610»bc", False),  # inside a hash
    ("CN_RESIDENT_ID", "f«110101199003074610»", False),
    ("CN_RESIDENT_ID", "«650101199003074618»", False),  # a province that is there, a wrong check
    ("CN_RESIDENT_ID", "身份证«650101199003074618»", True),
    ("CN_RESIDENT_ID", "order_sn=«202405171234567890»", False),
    ("CN_RESIDENT_ID", "证件号«110101********4610»", True),
    ("PHONE_NUMBER", "«13800001111»", True),
    ("PHONE_NUMBER", "请打«13800001111»谢谢", True),
    ("PHONE_NUMBER", "电话«+8613800001111»", True),
    ("PHONE_NUMBER", "电话«008613800001111»", True),
    ("PHONE_NUMBER", "电话«86-13800001111»", True),
    ("PHONE_NUMBER", "«138 0000 1111»", True),
    ("PHONE_NUMBER", "«138-0000-1111»", True),
    ("PHONE_NUMBER", "«138 00001111»", True),
    ("PHONE_NUMBER", "«１３８００００１１１１»", True),
    ("PHONE_NUMBER", "tel«13800001111»", True),
    ("PHONE_NUMBER", "«138****1111»", True),
    ("PHONE_NUMBER", "«0571-88880000»", True),
    ("PHONE_NUMBER", "座机«010-88880000转801»", True),
    ("PHONE_NUMBER", "«(021)88880000»", True),
    ("PHONE_NUMBER", "电话«057188880000»", True),
    ("PHONE_NUMBER", "固话«88880000»", True),
    ("PHONE_NUMBER", "«+44 20 7946 0958»", True),
    ("PHONE_NUMBER", "«1380000111»", False),
    ("PHONE_NUMBER", "«138000011112»", False),
    ("PHONE_NUMBER", "«12000001111»", False),
    ("PHONE_NUMBER", "订单号«13800001111»", False),
    ("PHONE_NUMBER", "3.«13800001111»", False),
    ("PHONE_NUMBER", "1.2.«13800001111»", False),
    ("PHONE_NUMBER", "ts=«1700000000000»", False),
    ("PHONE_NUMBER", "c0ffee«13800001111»ab", False),
    ("PHONE_NUMBER", "c0ffee«13800001111»", False),
    ("PHONE_NUMBER", "日期«2024-05-17»", False),
    ("PHONE_NUMBER", "库存«88880000»", False),
    ("CREDIT_CARD", "«4111111111111111»", True),
    ("CREDIT_CARD", "«4111 1111 1111 1111»", True),
    ("CREDIT_CARD", "卡号«4111-1111-1111-1111»办理", True),
    ("CREDIT_CARD", "卡号«6212262200000000004»", True),
    ("CREDIT_CARD", "«6212 2622 0000 0000 004»", True),
    ("CREDIT_CARD", "«378282246310005»", True),
    ("CREDIT_CARD", "工行卡«6222021234567890»", True),  # Luhn fails, the word carries it
    ("CREDIT_CARD", "«6222021234567890»", False),
    ("CREDIT_CARD", "«4111111111111112»", False),
    ("CREDIT_CARD", "«1234567890123456»", False),
    ("CREDIT_CARD", "订单号«4111111111111111»", False),
    ("CREDIT_CARD", "条码«4006381333931»", False),  # EAN-13, passes Luhn's length and a Visa range
    ("CREDIT_CARD", "0x«4111111111111111»ff", False),
    ("EMAIL_ADDRESS", "邮箱«ceshi@qq.com»谢谢", True),
    ("EMAIL_ADDRESS", "测试甲«ceshi@example.com»测试乙", True),
    ("EMAIL_ADDRESS", "«user+tag@mail.example.co.uk»", True),
    ("EMAIL_ADDRESS", "«ceshi＠163．com»", True),
    ("EMAIL_ADDRESS", "«ceshi@qq.com»haha", True),
    ("EMAIL_ADDRESS", "这不是邮箱«@»", False),
    ("EMAIL_ADDRESS", "«logo@2x.png»", False),
    ("EMAIL_ADDRESS", "«user..name@example.com»", False),
    ("EMAIL_ADDRESS", "«.user@example.com»", False),
    ("IP_ADDRESS", "登录IP«192.168.1.10»成功", True),
    ("IP_ADDRESS", "«2001:db8::1»", True),
    ("IP_ADDRESS", "version «1.2.3.4» released", False),
    ("IP_ADDRESS", "«256.1.2.3»", False),
    ("DATE_OF_BIRTH", "出生日期：«1990-03-07»", True),
    ("DATE_OF_BIRTH", "生日«1990年3月7日»", True),
    ("DATE_OF_BIRTH", "dob: «03/07/1990»", True),
    ("DATE_OF_BIRTH", "会议时间«2024-03-07»", False),
    ("CN_LICENSE_PLATE", "车牌«京A12345»", True),
    ("CN_LICENSE_PLATE", "«粤B·12345»", True),
    ("CN_LICENSE_PLATE", "«沪AF01234»", True),
    ("CN_LICENSE_PLATE", "«京A123»", False),
    ("CN_LICENSE_PLATE", "«中A12345»", False),
    ("CN_PASSPORT", "护照«G12345678»", True),
    ("CN_PASSPORT", "护照号码«EA1234567»已过期", True),
    ("CN_PASSPORT", "编号«G12345678»的订单", False),
    ("CREDENTIAL", "password=«abcd1234»", True),
    ("CREDENTIAL", "密码：«Test-1234»", True),
    ("CREDENTIAL", "password=«null»", False),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "marked", "accepted"), VECTORS)
def test_a_detector_takes_exactly_the_value_or_leaves_it(entity: str, marked: str, accepted: bool) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    plain = to_plain(marked.replace("«", "").replace("»", ""))
    found = [
        plain.span(c.start, c.end)
        for c in by_entity()[entity].find(plain.text, 0, len(plain.text))
        if c.score >= ACCEPTED
    ]
    assert found == ([(start, end)] if accepted else [])


def test_every_detector_has_vectors_of_both_kinds() -> None:
    for detector in DETECTORS:
        assert {accepted for entity, _, accepted in VECTORS if entity == detector.entity} == {True, False}


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


def test_the_check_character_is_that_of_the_standard() -> None:
    assert check_character("11010519491231002") == "X"  # the example of GB 11643-1999


@pytest.mark.parametrize("spelled", ["13800001111", "+86 138-0000-1111", "0086 138 0000 1111", "(86)13800001111"])
def test_all_written_forms_of_a_mobile_are_one_value(spelled: str) -> None:
    assert by_entity()["PHONE_NUMBER"].normalise(spelled) == "13800001111"
