"""What a table is, by its columns: platforms' exports and a store's own lists."""

from __future__ import annotations

import pytest

from scanners.exports import load_exports, recognise, with_platform

CASES = [
    ("主订单编号,子订单编号,选购商品,收件人,收件人手机号,详细地址", "douyin_orders"),
    ("订单编号,买家会员名,买家应付货款,收货人姓名,收货地址,联系手机,宝贝标题", "taobao_orders"),
    ("商品,订单号,拼单成功时间,收货人,手机", "pinduoduo_orders"),
    ("订单号,商品ID,下单帐号,客户姓名,客户地址,联系电话", "jd_orders"),
    ("交易时间,公众账号ID,商户号,微信订单号,商户订单号,用户标识", "wechat_bill"),
    ("交易时间,交易类型,交易对方,商品,收/支,金额(元),交易单号,商户单号,备注", "wechat_bill"),
    ("交易时间,交易对方,对方账号,商品说明,交易订单号,商家订单号", "alipay_bill"),
    ("支付宝交易号,商户订单号,业务类型,对方账户", "alipay_bill"),
    ("序号,订单编号,下单时间,菜品,收货地址,美团补贴", "meituan_orders"),
    ("订单号,下单时间,收货人,饿了么补贴", "eleme_orders"),
    ("订单编号,下单时间,收货人,隐私号,收货地址", "orders"),
    ("id,order_sn,consignee,mobile,address", "orders"),
    ("会员卡号,会员姓名,手机号,等级", "members"),
    ("会员卡号,姓名,手机,充值金额,赠送金额", "cards"),
    ("会员编号,会员姓名,手机号,积分,储值余额", "members"),
    ("会员卡号,变动金额,余额,时间", "cards"),
    ("工号,姓名,岗位,手机号,入职日期", "staff"),
    ("预订人,电话,到店时间,人数,包间", "reservations"),
    ("取号时间,手机号,人数,状态", "queue"),
    ("发票抬头,税号,邮箱,金额", "invoices"),
    ("供应商名称,联系人,联系电话,账期", "suppliers"),
    ("用户评价,评分,昵称", "reviews"),
    ("品名,规格,单价", ""),
    ("姓名,电话", ""),
    ("订单编号,金额", ""),
    ("会员价,商品", ""),
    ("c1,c2,c3", ""),
    ("", ""),
]


@pytest.mark.parametrize(("columns", "about"), CASES)
def test_a_table_is_called_what_its_columns_tell(columns: str, about: str) -> None:
    assert recognise(tuple(columns.split(","))) == about


def test_every_kind_of_table_has_a_case() -> None:
    exports, platforms = load_exports()
    every = {export.id for export in exports} | {f"{platform}_orders" for platform in platforms}
    assert every == {about for _, about in CASES if about}


def test_a_file_s_name_tells_the_platform_of_plain_orders_and_of_nothing_else() -> None:
    assert with_platform("orders", ("Sheet1", "美团订单导出.xlsx")) == "meituan_orders"
    assert with_platform("orders", ("Sheet1", "订单.xlsx")) == "orders"
    assert with_platform("members", ("美团会员.xlsx",)) == "members"


def test_a_thousand_columns_of_any_length_are_taken() -> None:
    assert recognise(tuple("订单号" * 5000 for _ in range(1000))) == ""
