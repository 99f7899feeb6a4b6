"""Vectors of MO_ID_CARD. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "MO_ID_CARD"
VECTORS = {
    "found": """
澳门身份证«1234567(8)»
澳門身份證：«5123456(7)»
澳门居民 «7123456(0)»
澳门身份证«12345678»
澳门身份证«1/234567/8»
BIR no. «5/123456/7»
Macau ID «1234567(8)»
""",
    "left": """
订单号12345678
1234567(8)
12345678
澳门身份证2234567(8)
澳门身份证123456(8)
澳门身份证12345678901
澳门 2024-05-17
订单1234567(8)
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
