"""Masked forms, and that nothing planted survives `mask_text`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanners.masking import mask_text, mask_value

FORMS = [
    ("PHONE_NUMBER", "13800001111", "138****1111"),
    ("PHONE_NUMBER", "+86 138-0000-1111", "138****1111"),
    ("PHONE_NUMBER", "0571-88880000", "**********00"),
    ("CN_RESIDENT_ID", "110101199003074610", "110*************10"),
    ("CREDIT_CARD", "4111 1111 1111 1111", "************1111"),
    ("EMAIL_ADDRESS", "ceshi@qq.com", "c***@qq.com"),
    ("EMAIL_ADDRESS", "ceshi@my-own-domain.com", "c***@***.com"),
    ("PERSON", "张测试", "张**"),
    ("PERSON", "欧阳测试", "欧阳**"),
    ("PERSON", "李测", "李*"),
    ("ADDRESS", "上海市浦东新区测试路12号3栋201室", "上海市浦东新区***"),
    ("ADDRESS", "测试路12号", "***"),
    ("CREDENTIAL", "abcd1234", "******"),
    ("CN_LICENSE_PLATE", "京A12345", "京A*****"),
    ("CN_LICENSE_PLATE", "京A·12345", "京A*****"),
    ("US_SSN", "123-45-6789", "1*********9"),
    ("CARD_TRACK_DATA", ";4111111111111111=28121010000012345678?", "******"),
    ("IBAN_CODE", "GB29 NWBK 6016 1331 9268 19", "GB******************19"),
    ("CN_PASSPORT", "E12345678", "E******78"),
    ("CN_TRAVEL_PERMIT", "H1234567801", "H********01"),
    ("CN_FOREIGNER_ID", "911105199003070121", "911*************21"),
    ("HK_ID_CARD", "A123456(3)", "A*******"),
    ("MO_ID_CARD", "5/123456/7", "5*******"),
    ("TW_NATIONAL_ID", "A123456789", "A*********"),
    ("WECHAT_ID", "ceshi_2024", "ce******"),
    ("QQ_NUMBER", "12345678", "12******"),
    ("DATE_OF_BIRTH", "1990年3月7日", "1990-**-**"),
    ("DATE_OF_BIRTH", "一九九〇年三月七日", "**-**"),
    ("LOCATION_COORDINATES", "31.230416,121.473701", "31.****,121.****"),
    ("IP_ADDRESS", "192.168.1.10", "192.*.*.*"),
    ("IP_ADDRESS", "2001:db8::1", "2001:*"),
    ("PHONE_NUMBER", "13800001111转1234", "138****1111"),
    ("PHONE_NUMBER", "13800001111-1234", "138****1111"),
    ("PHONE_NUMBER", "400-800-1234", "********34"),
    ("EMAIL_ADDRESS", "ceshi (at) qq.com", "c***@qq.com"),
]

TEXTS = [
    ("/srv/会员/13800001111.jpg", "/srv/会员/138****1111.jpg"),
    ("测试甲身份证正面.jpg", "测**身份证正面.jpg"),
    ("grep 138-0000-1111 members.csv", "grep 138****1111 members.csv"),
    ("/srv/110101199003074610/扫描.pdf", "/srv/110*************10/扫描.pdf"),
    ("收货人：张测试，上海市浦东新区测试路12号", "收货人：张**，上海市浦东新区***"),
    ("mysql --password=abcd1234", "mysql --password=******"),
    ("会员名单.xlsx", "会员名单.xlsx"),
    ("/srv/护照E12345678.jpg", "/srv/护照E******78.jpg"),
    ("/srv/回执13800001111转1234.txt", "/srv/回执138****1111.txt"),
    ("通行证H12345678.pdf", "通行证H******78.pdf"),
    ("香港身份证A123456(3).jpg", "香港身份证A*******.jpg"),
    ("澳门身份证1234567(8).jpg", "澳门身份证1*******.jpg"),
    ("台湾身份证A123456789.jpg", "台湾身份证A*********.jpg"),
    ("车牌京A12345.png", "车牌京A*****.png"),
    ("微信号ceshi_2024.txt", "微信号ce******.txt"),
    ("QQ12345678.txt", "QQ12******.txt"),
    ("生日1990-03-07.doc", "生日1990-**-**.doc"),
    ("find --lng=121.473701", "find --lng=121.****"),
    ("mysql -uroot -pabcd1234 shop", "mysql -uroot -p****** shop"),
    ("curl https://user:abcd1234@example.com/", "curl https://user:******/"),
    ("curl -H 'Authorization: Bearer abcdefghijklmnop0123'", "curl -H 'Authorization: Bearer ******'"),
    ("echo ';4111111111111111=28121010000012345678?'", "echo '******'"),
    ("客服400-800-1234.txt", "客服400-800-1234.txt"),
    ("会员138****1111.txt", "会员138****1111.txt"),
    ("ping 192.168.1.10", "ping 192.168.1.10"),
    ("/var/log/nginx/access.log.2.gz", "/var/log/nginx/access.log.2.gz"),
    ("\udcff\x00", "\udcff\x00"),
]


@pytest.mark.parametrize(("entity", "value", "masked"), FORMS)
def test_each_entity_has_its_masked_form(entity: str, value: str, masked: str) -> None:
    assert mask_value(entity, value) == masked


@pytest.mark.parametrize(("text", "masked"), TEXTS)
def test_texts_are_masked_and_what_holds_nothing_stays(text: str, masked: str) -> None:
    assert mask_text(text) == masked


DIGITS = st.text(alphabet="0123456789", min_size=4, max_size=4)
MOBILES = st.builds(lambda a, b, c: f"1{a}{b}{c}", st.sampled_from(["38", "59", "77", "98", "62"]), DIGITS, DIGITS)
IDS = st.builds(lambda d, n: f"1101011990{d:02d}07{n}", st.integers(1, 12), DIGITS)
CARDS = st.builds(lambda a, b, c: f"6222{a}{b}{c}", DIGITS, DIGITS, DIGITS)
MAILS = st.builds(lambda a: f"ceshi{a}@qq.com", DIGITS)
AROUND = st.text(alphabet="abcxyz /_-.,()电话会员的 \n\x00\udcff", max_size=12)


@settings(deadline=None, max_examples=150)
@given(AROUND, st.one_of(MOBILES, IDS, CARDS, MAILS), AROUND)
def test_no_planted_value_survives_and_masking_twice_changes_nothing(before: str, value: str, after: str) -> None:
    masked = mask_text(before + value + after)
    assert value not in masked
    assert mask_text(masked) == masked


@given(st.text(alphabet="0123456789", min_size=13, max_size=19), st.sampled_from(["", " ", "-"]))
def test_no_more_of_a_card_is_shown_than_its_last_four_digits(digits: str, sign: str) -> None:
    written = sign.join(digits[at : at + 4] for at in range(0, len(digits), 4))
    assert mask_value("CREDIT_CARD", written) == "*" * (len(digits) - 4) + digits[-4:]
    shown = mask_text(f"卡号{written}").removeprefix("卡号")
    assert len(shown) - len(shown.lstrip("0123456789")) <= 6
    assert len(shown) - len(shown.rstrip("0123456789")) <= 4


@settings(deadline=None)
@given(st.text(max_size=60))
def test_masking_any_text_twice_changes_nothing(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)


def test_masking_loads_neither_presidio_nor_numpy() -> None:
    code = (
        "import sys; from scanners.masking import mask_text; mask_text('测试甲身份证13800001111');"
        "print([m for m in sys.modules if m.split('.')[0] in ('presidio_analyzer', 'spacy', 'numpy')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
