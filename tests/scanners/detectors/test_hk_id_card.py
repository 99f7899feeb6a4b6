"""Vectors of HK_ID_CARD. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "HK_ID_CARD"
VECTORS = {
    "found": """
A123456(3)
身份证«A123456(3)»
香港身份证«A1234563»
香港身份證：«AB123456(9)»
HKID: «C123456(9)»
«WX123456(9)»
hkid «c123456(9)»
身份证 «A123456（3）»
«A 123456 (3)»
证件«Ａ１２３４５６（３）»
持«A123456(3)»的客人
香港身份证«A123456(4)»
""",
    "left": """
订单号A123456(3)
订单号A123456(4)
订单号A1234564
身份证A1234564
A1234563
A123456(4)
A123456
A12345(3)
A1234567(3)
ABC123456(3)
xA123456(3)
订单A1234563
123456(3)
A123456(B)
身份证A123456
f(3)
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
