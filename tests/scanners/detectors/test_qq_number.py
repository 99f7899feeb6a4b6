"""Vectors of QQ_NUMBER. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "QQ_NUMBER"
VECTORS = {
    "found": """
QQ：«12345678»
QQ«12345678»
qq:«10001»
QQ号 «12345678901»
qq号码：«12345678»
我的QQ是«12345678»
加QQ«12345678»聊
扣扣«12345678»
"qq":"«12345678»"
qq=«12345678»&x=1
qq_no:«12345678»
QQ（«12345678»）
""",
    "left": """
12345678
QQ群12345678
QQ：1234
QQ：012345678
QQ：123456789012
12345678@qq.com
qq.com
QQ音乐
QQ飞车
abcqq12345678
boxd: QQ(10018) deny
QQ 2.5.12345
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
