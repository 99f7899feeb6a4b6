"""Vectors of CN_TRAVEL_PERMIT. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "CN_TRAVEL_PERMIT"
VECTORS = {
    "found": """
港澳居民来往内地通行证«H12345678»
回乡证：«H1234567801»
回乡证 «M12345678»
通行证号«M1234567800»
台湾居民来往大陆通行证«12345678»
台胞证«01234567»
台胞证号：«12345678»
台胞证 «0123456789(B)»
往来港澳通行证«C12345678»
往来港澳通行证«CA1234567»
通行证«W12345678»
往来台湾通行证«T12345678»
往来台湾通行证：«L12345678»
通行证«h12345678»
"通行证号":"«H12345678»"
Mainland Travel Permit «H12345678»
«H12345678»（回乡证）
通行证«Ｈ１２３４５６７８»
""",
    "left": """
H12345678
M12345678
C12345678
12345678
通行证
通行证 H1234567
通行证 H123456789
通行证 A12345678
通行证 XH12345678
编号H12345678
通行证办理电话 12345678901
订单号M1234567800
办理通行证请于20日前到12345678901
单号H12345678
permit 13800001111
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
