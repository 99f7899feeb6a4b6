"""Vectors of CN_PASSPORT. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "CN_PASSPORT"
VECTORS = {
    "found": """
护照«G12345678»
护照号码«EA1234567»已过期
护照号：«E12345678»
passport no. «E12345678»
passport: «EB7654321»
Passport «e12345678»
护照«D12345678»
护照 «S12345678»
护照«P12345678»
护照«DE1234567»
护照«SE1234567»
护照«PE1234567»
护照«E 12345678»
护照«E-12345678»
护照«Ｅ１２３４５６７８»
护照«E\u200b12345678»
香港护照«K12345678»
澳门护照«MA1234567»
护照«E12345678».jpg
"passport":"«E12345678»"
passportNo=«E12345678»&x=1
«E12345678»（护照）
护照«141234567»
huzhao «E12345678»
""",
    "masked": """
护照«E1****5678»
护照号«G******78»
""",
    "left": """
订单号141234567
141234567
E12345678
G12345678
编号«G12345678»的订单
订单号E12345678
护照«A12345678»
护照«E1234567»
护照«E123456789»
护照«EI1234567»
护照«EO1234567»
护照13800001111
护照20240517
护照E12345678X9
护照XE12345678
SKU-E12345678
护照
护照号：未填写
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
