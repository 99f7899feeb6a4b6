"""Vectors of TW_NATIONAL_ID. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "TW_NATIONAL_ID"
VECTORS = {
    "found": """
身分證«A123456789»
身分證«B123456780»
身分證«C123456781»
身分證«D123456782»
身分證«E123456783»
身分證«F123456784»
身分證«G123456785»
身分證«H123456786»
身分證«I123456781»
身分證«J123456787»
身分證«K123456788»
身分證«L123456788»
身分證«M123456789»
身分證«N123456780»
身分證«O123456782»
身分證«P123456781»
身分證«Q123456782»
身分證«R123456783»
身分證«S123456784»
身分證«T123456785»
身分證«U123456786»
身分證«V123456787»
身分證«W123456789»
身分證«X123456787»
身分證«Y123456788»
身分證«Z123456780»
身分證«A123456789»
台湾身份证：«A123456789»
身份证号«B800000006»
居留證 «FA12345670»
台湾身份证 «Z999999996»
national id «a123456789»
身分證字號：«Ａ１２３４５６７８９»
證件«A123456789»，
""",
    "left": """
订单号A123456788
A123456788
A123456789
身分證A123456788
身分證A323456789
身分證A12345678
身分證A1234567890
身分證XA123456789
SKU A123456789
身分證FE12345670
订单号A123456789
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
