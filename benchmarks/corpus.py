"""Made-up text of a store, by the megabyte: what the benchmarks and the oracle test read. Seeded; nobody is in it.

Every kind is what a store server holds: running text without customers, a log in which one line in fifty names
somebody, a dense list of members as CSV, and JSON lines of orders. Numbers are valid in form.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import islice

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀兰霞平刚桂英华玉建国文辉力生海山仁波宁贵福龙元全胜学祥才发武新利清飞彬富顺信子"
)
SEGMENTS = ("130", "131", "135", "136", "138", "139", "150", "151", "158", "159", "176", "180", "186", "188", "199")
ISSUERS = ("621226", "622202", "622848", "621700", "622588", "625912")
STREETS = ("人民", "解放", "中山", "建设", "和平", "新华", "文化", "长江", "黄河", "学院")
CITIES = ("上海市浦东新区", "北京市朝阳区", "杭州市西湖区", "成都市武侯区", "广州市天河区", "南京市玄武区")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
PROSE = (
    "本店每日上午十点开门营业，晚上十点打烊，请各位同事提前半小时到岗做好准备工作。",
    "厨房地面要保持干燥，冷藏柜温度应在零到四度之间，每两小时记录一次。",
    "The kitchen closes at ten and the last order is taken half an hour before that.",
    "本周新上的菜式有清蒸鱼、红烧茄子和手撕包菜，欢迎试菜并提出意见。",
    "收银机每天交班前必须打印结算单，金额不符时立即报告当班主管。",
    "Deliveries of vegetables arrive before seven; please check weight and freshness on arrival.",
)
CALM = (
    "INFO 打印机 printer-{a} 已连接，耗时 {b} ms",
    "DEBUG order_sn={date}{c:010d} status=PAID amount={d:.2f}",
    "INFO 库存同步完成 batch={c:08d} items={a} cost={b}ms trace_id={h:032x}",
    "WARN 接口超时 url=/api/v2/menu/{a} retry={e} ts={ts}",
    "INFO heartbeat seq={c} uptime={b}s load=0.{a:02d}",
    "INFO 条码 69{c:010d}{e} 入库 数量 {a}",
)


def make_phone(random_: random.Random) -> str:
    """A mobile of an allocated segment."""
    return random_.choice(SEGMENTS) + f"{random_.randrange(10**8):08d}"


def make_id(random_: random.Random) -> str:
    """An id number with the check character of GB 11643."""
    place = random_.choice(("110101", "310115", "330106", "440106", "510107", "320102"))
    day = f"{random_.randint(1950, 2006)}{random_.randint(1, 12):02d}{random_.randint(1, 28):02d}"
    digits = f"{place}{day}{random_.randrange(1000):03d}"
    return digits + "10X98765432"[sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=True)) % 11]


def make_card(random_: random.Random) -> str:
    """A card of 19 digits that passes Luhn."""
    digits = random_.choice(ISSUERS) + f"{random_.randrange(10**12):012d}"
    total = sum(d if i % 2 else d * 2 - 9 * (d > 4) for i, d in enumerate(int(c) for c in reversed(digits)))
    return digits + str(-total % 10)


def make_name(random_: random.Random) -> str:
    """A surname and one or two characters."""
    return random_.choice(SURNAMES) + "".join(random_.choice(GIVEN) for _ in range(random_.choice((1, 2, 2))))


def make_address(random_: random.Random) -> str:
    """A street and a house."""
    return (
        f"{random_.choice(CITIES)}{random_.choice(STREETS)}路{random_.randint(1, 999)}号{random_.randint(1, 30)}栋"
        f"{random_.randint(101, 2999)}室"
    )


def clean_lines(random_: random.Random) -> Iterator[str]:
    """Running text with no customer in it."""
    while True:
        yield "".join(random_.choices(PROSE, k=random_.randint(1, 3)))


def calm_line(random_: random.Random) -> str:
    """One line of a log, nobody in it."""
    now = 1_700_000_000 + random_.randrange(10**7)
    day = f"2024-{random_.randint(1, 12):02d}-{random_.randint(1, 28):02d}"
    clock = ":".join(f"{random_.randrange(limit):02d}" for limit in (24, 60, 60))
    body = random_.choice(CALM).format(
        a=random_.randint(1, 99), b=random_.randint(1, 9999), c=random_.randrange(10**9), d=random_.random() * 500,
        e=random_.randint(0, 9), h=random_.getrandbits(128), ts=now * 1000, date=day.replace("-", ""),
    )  # fmt: skip
    return f"{day} {clock}.{random_.randint(0, 999):03d} [worker-{random_.randint(1, 8)}] {body}"


def log_lines(random_: random.Random) -> Iterator[str]:
    """A log; one line in fifty holds somebody."""
    while True:
        for _ in range(49):
            yield calm_line(random_)
        head = calm_line(random_).split("]", 1)[0]
        yield (
            f"{head}] INFO 会员下单 姓名={make_name(random_)} 手机={make_phone(random_)} "
            f"地址={make_address(random_)} 订单号={random_.randrange(10**17, 10**18)}"
        )


def member_lines(random_: random.Random) -> Iterator[str]:
    """A dense list of members as CSV, with a header."""
    yield "会员号,姓名,手机号,身份证号,银行卡号,邮箱,地址,生日,余额,积分,注册时间"
    number = 100_000
    while True:
        number += 1
        person, birthday = (
            make_id(random_),
            f"{random_.randint(1960, 2005)}-{random_.randint(1, 12):02d}-{random_.randint(1, 28):02d}",
        )
        yield (
            f"VIP{number},{make_name(random_)},{make_phone(random_)},{person},{make_card(random_)},"
            f"test{number}@example.com,{make_address(random_)},{birthday},{random_.random() * 1000:.2f},"
            f"{random_.randint(0, 9999)},2024-{random_.randint(1, 12):02d}-{random_.randint(1, 28):02d} 12:30:00"
        )


def order_lines(random_: random.Random) -> Iterator[str]:
    """Orders as JSON lines."""
    while True:
        yield json.dumps(
            {
                "order_sn": f"2024{random_.randrange(10**14):014d}",
                "ts": 1_700_000_000_000 + random_.randrange(10**10),
                "consignee": make_name(random_), "mobile": make_phone(random_), "address": make_address(random_),
                "amount": round(random_.random() * 300, 2),
                "items": [{"sku": f"69{random_.randrange(10**11):011d}", "qty": 1}],
                "remark": random_.choice(("不要香菜", "放门口", "", "到了打电话")),
            },
            ensure_ascii=False,
        )  # fmt: skip


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "clean": clean_lines, "log": log_lines, "csv": member_lines, "jsonl": order_lines,
}  # fmt: skip


def make_text(kind: str, size: int, seed: int = 7) -> str:
    """About `size` bytes (UTF-8) of one of `KINDS`, in whole lines.

    Long texts repeat one mebibyte of lines: making more would take longer than reading it.
    """
    random_ = random.Random(f"{kind}{seed}")
    lines, made = [], 0
    for line in islice(KINDS[kind](random_), 10**9):
        lines.append(line)
        made += len(line.encode()) + 1
        if made >= min(size, 4 << 20):
            break
    block = "\n".join(lines) + "\n"
    return block * max(1, round(size / made))
