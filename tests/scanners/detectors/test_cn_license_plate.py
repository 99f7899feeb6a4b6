"""Vectors of CN_LICENSE_PLATE. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "CN_LICENSE_PLATE"
VECTORS = {
    "found": """
京A12345
车牌«京A12345»
车牌号：«京A12345»
«粤B·12345»
«粤B•12345»
«粤B 12345»
«粤B-12345»
«粤B.12345»
«沪AF01234»
«沪AD12345»
«京A12345D»
«粤BF12345»
«粤BDF1234»
«京AA12345»
«浙A1234A»
«浙AB1234»
«浙A12B34»
«苏E9Z8Y7»
«豫Q1A2B3»
«川A0000J»
«京A1234警»
«沪A1234学»
«粤Z1234港»
«粤Z1234澳»
«鲁B1234挂»
«沪A1234领»
«京X1234应急»
车辆«使123456»
车牌«使012·345»
«津C12345»
«渝D12345»
«冀B12345»
«云A12345»
«辽B12345»
«黑A12345»
«湘A12345»
«皖A12345»
«新A12345»
«赣A12345»
«鄂A12345»
«桂A12345»
«甘A12345»
«晋A12345»
«蒙A12345»
«陕A12345»
«吉A12345»
«闽D12345»
«贵A12345»
«青A12345»
«藏A12345»
«宁A12345»
«琼A12345»
停车的«京A12345»麻烦挪一下
请«京A12345»的车主挪车
客户张测试，«京A12345»。
（«京A12345»）
"«京A12345»"
{"plate":"«京A12345»"}
('«京A12345»', 1)
<td>«京A12345»</td>
a,«京A12345»,b
plate=«京A12345»&x=1
«京A12345»入场
«京Ａ１２３４５»
«京A\u200b12345»
«京A\u00ad12345»
抓拍_«京A12345»_2.jpg
车牌«京AIO123»
车牌«京A1O2I3»
车牌«京a12345»
京AIO123
京A1O2I3
辽O1R2GY
车牌号«粤bd12345»
车牌«京ABCDEF»
车牌«京AQ12345»
""",
    "masked": """
«京A***45»
«京A1***5»
«京A·***45»
«京A1****5»
车牌«京A**45»
""",
    "left": """
订单号京AIO123
订单号京ABCDEF
京A123
京A1234
京A1234567
京A12345678
中A12345
国B12345
京012345
京1A2345
A12345
AB12345
京
京A
京 A
京a12345
京ABCDEF
京AZ12345
京A123456
沪A股600000
沪深300
新A股
新K线
新iPhone
云SERVER
新SERVER1
云V12345678901
吉他A12345
贵B座1201
川AB
苏A1-1201
皖A栋123456
使用123456
使123
大使123456
订单号京A12345
编号：京A12345
货号 苏E12345
SKU 云A12345
京A12345abc9
京A 1234
京A-123
京A***
京*****
版本新A12345
辽宁A座
青A
WJ12345
京Aabcde
京A12 345
京A一二三四五
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
