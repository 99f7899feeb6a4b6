"""A believable store folder of made-up customers, for drills and for the demo.

Every name says that it is invented (王测试, 李样例 …), every number is valid in form only and comes from one block that
the generator counts up. The same seed gives the same store. Nobody is ever told anything by these numbers.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN: Final = ("测试", "样例", "演示", "试用", "虚构", "假名", "模拟", "练习")
DISTRICTS: Final = ("测试区", "样例区", "演示区", "练习区")
ROADS: Final = ("虚构路", "样例街", "演示大道", "测试巷", "练习路")
DISHES: Final = ("红烧肉", "小笼包", "酸辣汤", "清炒时蔬", "葱油拌面", "桂花糕", "盐水鸭", "豆腐花")
OLD: Final = 200 * 24 * 3600
WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, kw_only=True)
class Person:
    """A made-up customer."""

    number: int
    name: str
    phone: str
    email: str
    address: str
    identity: str
    birthday: date


def people(count: int, *, start: int = 0, seed: int = 7) -> Iterator[Person]:
    """`count` made-up customers, numbered from `start`, always the same for a number."""
    for number in range(start, start + count):
        chance = _chance(seed * 1_000_003 + number)
        birthday = date(1960, 1, 1) + timedelta(days=chance.randrange(16_000))
        body = f"310101{birthday:%Y%m%d}{number % 1000:03d}"
        check = "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]
        yield Person(
            number=number,
            name=chance.choice(SURNAMES) + chance.choice(GIVEN),
            phone=f"1380{number:07d}",
            email=f"test{number:05d}@example.com",
            address=f"上海市{chance.choice(DISTRICTS)}{chance.choice(ROADS)}{chance.randrange(1, 300)}号"
            f"{chance.randrange(1, 30)}栋{chance.randrange(101, 2501)}室",
            identity=body + check,
            birthday=birthday,
        )


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  the same store each time, no secret


def table(rows: Sequence[Sequence[object]], encoding: str) -> bytes:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(encoding)


def sheet(rows: Sequence[Sequence[object]], name: str) -> bytes:
    """Rows as a workbook of one sheet (ECMA-376, inline strings)."""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>' for value in row)
        lines.append(f'<row r="{number}">{cells}</row>')
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.'
        'openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{escape(name)}" '
        'sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in parts.items():
            archive.writestr(part, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + text)
    return data.getvalue()


def pdf(lines: list[str]) -> bytes:
    """Lines as a PDF in a font that every reader has for Chinese (STSong-Light, UniGB-UCS2-H; PDF 32000-1, 9.7.5)."""
    pages = [lines[start : start + 40] for start in range(0, len(lines), 40)]
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{5 + 2 * n} 0 R' for n in range(len(pages)))}] >>",
        "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [4 0 R] >>",
        (
            "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) "
            "/Ordering (GB1) /Supplement 4 >> /DW 1000 /FontDescriptor << /Type /FontDescriptor "
            "/FontName /STSong-Light /Flags 6 /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 "
            "/FontBBox [-25 -254 1000 880] >> >>"
        ),
    ]
    for number, page in enumerate(pages):
        text = "".join(f"<{line.encode('utf-16-be').hex()}> Tj T* " for line in page)
        stream = f"BT /F1 11 Tf 40 800 Td 18 TL {text}ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {6 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(
        f"{place:010d} 00000 n \n" for place in places
    )
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("ascii")


def dump(persons: Sequence[Person]) -> bytes:
    """A nightly SQL dump of the member table, as mysqldump writes it."""
    values = ",\n".join(
        f"({p.number},'{p.name}','{p.phone}','{p.identity}','{p.address}','{p.birthday}','测试数据')" for p in persons
    )
    return (
        "-- MySQL dump 10.13  Distrib 8.0.36\nDROP TABLE IF EXISTS `member`;\nCREATE TABLE `member` (\n"
        "  `id` bigint NOT NULL COMMENT '主键',\n  `name` varchar(32) COMMENT '姓名',\n"
        "  `phone` varchar(20) COMMENT '手机号',\n  `id_card` varchar(18) COMMENT '身份证号',\n"
        "  `address` varchar(255) COMMENT '地址',\n  `birthday` date COMMENT '生日',\n"
        "  `remark` varchar(64) COMMENT '备注'\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n"
        f"INSERT INTO `member` VALUES\n{values};\n"
    ).encode()


def orders_database(path: Path, persons: Sequence[Person]) -> None:
    """The till's own database, in WAL mode as tills keep theirs."""
    with sqlite3.connect(path) as database:
        database.executescript(
            "PRAGMA journal_mode=WAL;"
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, customer_name TEXT, mobile TEXT, address TEXT);"
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_sn TEXT, customer_id INTEGER, dish TEXT, cents INTEGER,"
            " made_at REAL);"
        )
        database.executemany(
            "INSERT INTO customers VALUES (?,?,?,?)", [(p.number, p.name, p.phone, p.address) for p in persons]
        )
    database.close()


def receipts(persons: Sequence[Person], day: date) -> bytes:
    """A day's log of a receipt printer."""
    chance = _chance(day.toordinal())
    lines = []
    for number, person in enumerate(persons):
        lines.append(f"{day} {11 + number % 10:02d}:{number % 60:02d}:00 INFO printer=KITCHEN-1 job={number} 打印成功")
        if number % 5 == 0:
            lines.append(
                f"{day} {11 + number % 10:02d}:{number % 60:02d}:01 INFO 外卖单 {chance.choice(DISHES)} "
                f"收货人：{person.name} 电话{person.phone} 地址：{person.address}"
            )
    return ("\n".join(lines) + "\n").encode()


def build(folder: Path, now: float, share: float = 1.0) -> None:
    """Make the store under `folder`, which must not exist.

    Args:
        folder: where.
        now: seconds since the epoch; dates the files.
        share: how many of the customers: 1 is some 4,500, 0.02 enough to try a path through the program.
    """
    chance = _chance(11)
    files: dict[str, tuple[bytes, float]] = {}
    head = ["会员号", "姓名", "手机号", "邮箱", "生日", "备注"]

    def some(count: int, *, start: int = 0) -> list[Person]:
        return list(people(max(3, round(count * share)), start=round(start * share)))

    def members(persons: Sequence[Person]) -> list[list[object]]:
        rows: list[list[object]] = [list(head)]
        return rows + [
            [f"M{p.number:06d}", p.name, p.phone, p.email, p.birthday.isoformat(), "测试数据"] for p in persons
        ]

    files["会员/会员名单.csv"] = table(members(some(2400)), "gb18030"), 3600
    files["会员/members_2025.csv"] = table(members(some(900, start=2000)), "utf-8"), 90_000
    files["会员/储值卡.xlsx"] = (
        sheet(
            [["卡号", "姓名", "手机号", "余额"]]
            + [[f"9{p.number:05d}", p.name, p.phone, chance.randrange(5, 900)] for p in some(320, start=100)],
            "储值卡",
        ),
        40_000,
    )
    for number in range(12):
        month = 1 + number
        rows: list[list[object]] = [["订单编号", "收货人", "联系电话", "收货地址", "菜品", "金额", "备注"]]
        for p in some(96, start=number * 96):
            sn = f"2025{month:02d}{chance.randrange(10**12):012d}"
            rows.append([sn, p.name, p.phone, p.address, chance.choice(DISHES), chance.randrange(20, 400), "测试数据"])
        files[f"共享/外卖导出/美团订单导出_2025{month:02d}.csv"] = table(rows, "utf-8-sig"), OLD + number * 86_400
    files["备份/nightly_dump.sql"] = dump(some(1500)), 7 * 3600
    files["备份/nightly_dump.sql.gz"] = gzip.compress(dump(some(1400)), mtime=0), 31 * 3600
    today = datetime.fromtimestamp(now, UTC).date()
    reservation = [f"预订名单 {today} （测试数据）", ""] + [
        f"{11 + n % 3}:{(n * 7) % 60:02d} {p.name} {p.phone} {2 + n % 8}位 {'包间' if n % 3 == 0 else '大厅'}"
        for n, p in enumerate(some(36, start=300))
    ]
    files["预订/预订名单.pdf"] = pdf(reservation), 3 * 86_400
    for back in range(5):
        day = today - timedelta(days=back)
        files[f"日志/receipts-{day}.log"] = receipts(some(200, start=back * 50), day), back * 86_400 + 60
    files["菜单/菜单.csv"] = table([["菜品", "价格"], *([dish, 18 + n] for n, dish in enumerate(DISHES))], "utf-8"), 9e6
    for name, (data, age) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (now - age, now - age))
    (folder / "收银").mkdir()
    orders_database(folder / "收银" / "orders.db", some(600))
