"""Vectors of WECHAT_ID. All made up; numbers are valid in form and nobody's on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping

ENTITY = "WECHAT_ID"
VECTORS = {
    "found": """
微信号：«ceshi_2024»
微信号«ceshi_2024».txt
微信：«ceshi2024»
加微信«ceshi2024»
微信号是«ceshi-jia»
微信 «ceshi2024»
vx:«ceshi2024»
VX：«ceshi_jia»
wx «ceshi2024»
WeChat: «ceshi_jia»
wechat id «ceshi2024»
weixin:«ceshi2024»
"wechat":"«ceshi_jia»"
薇信«ceshi2024»
«wxid_abcdefghij1234»
用户«wxid_abcdefghij1234»登录
微信号«wxid_abc123»
微信号：«13800001111»
v信：«ceshi2024»
""",
    "left": """
ceshi_2024
微信支付
微信支付成功
微信公众号
微信 支付
微信：ceshi
微信：1ceshi
微信:cs12
微信小程序appid=wx1234567890abcdef
wx.login()
wx_openid: abc
wechat pay
微信：ceshi_2024_too_long_for_an_account
微信 a@qq.com
微信收款 100元
wxid_short
weixin.qq.com
微信 appid
微信 openid
"weixin":"CashPayment"
""",
}


def test_the_detector_takes_exactly_the_value_or_leaves_it(check: Callable[[str, Mapping[str, str]], None]) -> None:
    check(ENTITY, VECTORS)
