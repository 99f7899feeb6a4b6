"""Vectors of CN_FOREIGNER_ID. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "CN_FOREIGNER_ID"
VECTORS = {
    "found": """
911105199003070121
«931084198512240036»
永久居留身份证«911105199003070121»
永居证：«911105199003070122»
«９１１１０５１９９００３０７０１２１»
外国人永久居留证 «911105 19900307 0121»
外国人永久居留身份证«USA110074032501»
永居证号«GBR310185122402»
证件 «jpn440390010111»
""",
    "left": """
订单号911105199003070121
订单号911105199003070122
永居证ABC110074032501
永居证911105199013070121
911105199003070122
911105199013070121
991105199003070121
USA110074032501
XYZ110074032501
ABC123456789012
永居证«USA990074032501»
永居证 USA110074133501
永居证 USA11007403250
order USA110074032501
912345678901234567
9111051990030701
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
