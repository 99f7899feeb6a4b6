"""Names and addresses: accuracy on labelled sets, speed with names on, memory: `bench_names.py FOLDER [LIMIT]`.

FOLDER holds JSON lines of `{"text", "spans": [{"s", "e", "label"}]}` or `{"text", "entities": [{"start", "end",
"type"}]}`; a file whose name begins with `zhaddr` holds delivery lines, each of them one address. LIMIT caps the texts
of a file. Each text goes through `Analyser.detect` alone, as an evaluation would. The texts for speed are generated
here: clean prose, a log with one line in fifty holding customers' data, chat in which every line does. Trust ratios,
not megabytes a second: machines differ.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from config.log import set_up_logging
from config.schema import DetectSettings
from scanners.engine import Analyser

PEOPLE = {"name", "NAME", "PER", "PER.NAM", "person"}
PIECE = 64_000
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾萧田董潘袁蔡蒋余于杜"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰梅鑫波斌宇浩凯秋健俊帆雪荣倩琳璐婷宁萍红玲建文辉力志成"
ROADS = "人民 中山 解放 建设 和平 新华 文化 长江 黄河 朝阳 学府 滨江 科技 迎宾 青年"
CLEAN = """今天店里新上的招牌菜卖得很好，后厨提前备好了第二天的食材，前厅把桌椅重新摆放了一遍。
采购部要求各门店在月底之前完成盘点，凡是临近保质期的原料一律登记下架，不得继续使用。
新员工培训安排在下周三上午，内容包括食品卫生、收银流程和消防演练，请大家准时参加。
冬季菜单增加了三款热汤，口味清淡，适合老人和孩子，门店可以根据库存决定供应的数量。
设备巡检发现冷柜温度偏高，已经通知维修人员处理，预计明天上午恢复正常使用。
本季度的营业额比去年同期增长了百分之八，外卖的比例继续上升，堂食基本持平。
"""


def labelled(file: Path, limit: int) -> Iterable[tuple[str, dict[str, set[tuple[int, int]]]]]:
    """Texts with the places of people and addresses that their labels name."""
    for line in file.read_text(encoding="utf-8").splitlines()[:limit]:
        document = json.loads(line)
        spans = [(e["type"], e["start"], e["end"]) for e in document.get("entities", ())]
        spans += [(s["label"], s["s"], s["e"]) for s in document.get("spans", ())]
        if file.name.startswith("zhaddr"):
            yield document["text"], {"ADDRESS": {(0, len(document["text"]))}}
            continue
        places = {"PERSON": {(s, e) for label, s, e in spans if label in PEOPLE}}
        if document.get("entities") is not None:
            places["ADDRESS"] = {(s, e) for label, s, e in spans if label == "address"}
        yield document["text"], places


def overlaps(place: tuple[int, int], others: set[tuple[int, int]]) -> bool:
    """Whether `place` shares a character with one of `others`."""
    return any(other[0] < place[1] and place[0] < other[1] for other in others)


def scores(hits: int, false: int, missed: int) -> str:
    """P, R and F1 for people."""
    return (
        f"P {hits / max(1, hits + false):.3f} R {hits / max(1, hits + missed):.3f} "
        f"F1 {2 * hits / max(1, 2 * hits + false + missed):.4f}"
    )


def measure_accuracy(analyser: Analyser, file: Path, limit: int) -> None:
    """Exact and overlapping precision, recall and F1."""
    exact: dict[str, list[int]] = {}
    loose: dict[str, list[int]] = {}
    characters, begun = 0, time.process_time()
    for text, places in labelled(file, limit):
        characters += len(text)
        spans = analyser.detect(text)
        for entity, expected in places.items():
            found = {(span.start, span.end) for span in spans if span.entity == entity}
            met = sum(overlaps(place, found) for place in expected)
            stray = sum(not overlaps(place, expected) for place in found)
            counts = (len(found & expected), len(found - expected), len(expected - found))
            for totals, new in ((exact, counts), (loose, (met, stray, len(expected) - met))):
                totals[entity] = [a + b for a, b in zip(totals.get(entity, [0, 0, 0]), new, strict=True)]
    speed = characters / (time.process_time() - begun)
    for entity, hits in exact.items():
        print(f"{file.stem:24} {entity:8} exact {scores(*hits)}  overlap {scores(*loose[entity])}", end="")
        print(f"  {speed:7.0f} characters/s", flush=True)


def made_up_person(generator: random.Random) -> tuple[str, str, str]:
    """A name, a mobile and an address; none of them anybody's but by chance."""
    name = generator.choice(SURNAMES) + "".join(generator.choices(GIVEN, k=generator.choice((1, 2, 2))))
    road = generator.choice(ROADS.split())
    house = f"{generator.randint(1, 999)}号{generator.randint(1, 30)}栋{generator.randint(101, 2999)}室"
    return name, f"138{generator.randint(0, 99_999_999):08}", f"上海市浦东新区{road}路{house}"


def make_log(lines: int, one_in: int, generator: random.Random) -> str:
    """A Chinese log in which one line in `one_in` holds customers' data."""
    forms = (
        "INFO 订单 {n} 收货人：{name}，电话 {phone}，地址：{address}",
        "INFO 会员注册成功 姓名={name} 手机={phone} 来源=小程序",
        "WARN 用户{name}({phone})支付超时，请稍后重试",
        "INFO 短信已发送至 {phone}，模板编号 {n}",
        "INFO 预订成功：{name} {phone} 三号包厢",
        "INFO {name}下单成功，手机 {phone}，金额 {n} 元",
    )
    plain = (
        "INFO 打印机 {n} 号任务完成，耗时 {n} 毫秒",
        "DEBUG 缓存命中率 {n}，刷新菜品列表，共 {n} 项",
        "INFO 订单 {n} 状态变更为已出餐，等待骑手取餐",
        "WARN 库存不足：牛肉丸 剩余 {n} 份，低于安全线",
    )
    out = []
    for number in range(lines):
        name, phone, address = made_up_person(generator)
        form = generator.choice(forms if number % one_in == 0 else plain)
        stamp = f"2026-03-{number % 28 + 1:02} 12:{number % 60:02}:{number % 59:02}.{number % 1000:03} "
        out.append(stamp + form.format(n=generator.randint(1, 9999), name=name, phone=phone, address=address))
    return "\n".join(out)


def measure_speed(name: str, text: str) -> None:
    """MB of UTF-8 a second of this process's own time, names off and on, in pieces of 64,000 characters."""
    size = len(text.encode()) / 1e6
    figures = []
    for names in (False, True):
        analyser = Analyser(DetectSettings(), names=names, run_key=b"benchmark")
        analyser.warm_up()
        begun = time.process_time()
        for low in range(0, len(text), PIECE):
            analyser.detect(text[low : low + PIECE])
        figures.append(time.process_time() - begun)
    off, on = figures
    alone = (on - off) / size
    print(f"{name:24} names off {size / off:7.2f} MB/s, on {size / on:7.2f} MB/s, names alone {alone:.4f} s/MB")


def main() -> None:
    """Speed first, on a fresh process; then accuracy, then the memory of it all."""
    set_up_logging()
    folder, limit = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
    generator = random.Random(7)
    measure_speed("clean prose", CLEAN * 3000)
    measure_speed("log, 1 line in 50", make_log(40_000, 50, generator))
    measure_speed("log, every line", make_log(3_000, 1, generator))
    analyser = Analyser(DetectSettings(), names=True, run_key=b"benchmark")
    for file in sorted(folder.glob("*.jsonl")):
        measure_accuracy(analyser, file, limit)
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
