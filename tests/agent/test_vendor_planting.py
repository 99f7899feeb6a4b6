"""Canaries in copies of tables: the file stays what it was, and a canary looks like the rows around it."""

import csv
import io
import json
import re
import sqlite3
import time
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from agent.vendors.columns import Canary, dress, read_table, role_of, spread
from agent.vendors.plant_workbook import write_workbook
from agent.vendors.planted import NotPlanted
from agent.vendors.planting import plant
from agent.vendors.searching import Search, mail_key, phone_key
from scanners.records import Chunk, Rows

CANARIES = [
    Canary(name=name, phone=f"1390000{number:04d}", email=f"canary{number}@chain.example", address="测试市样例路1号")
    for number, name in enumerate(("甄测试", "贾样例", "章演示"), 1)
]
HEAD = ["会员号", "姓名", "手机号", "邮箱", "身份证号", "菜品", "备注"]
IDENTITY = "11010119900307{:04d}"


def members(count=60):
    return [
        [f"M{n:06d}", "王测试", f"138{n:08d}", f"t{n}@example.com", IDENTITY.format(n), "红烧肉", "测试数据"]
        for n in range(count)
    ]  # fmt: skip


def as_csv(rows, encoding, end="\r\n", **options):
    target = io.StringIO()
    csv.writer(target, lineterminator=end, **options).writerows(rows)
    return target.getvalue().encode(encoding)


def is_canary(cells):
    return any(canary.phone in re.sub(r"\D", "", str(cell)) for cell in cells for canary in CANARIES)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16", "big5hkscs"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_delimited_file_stays_to_the_byte_but_for_the_canaries(encoding, end):
    canaries = [Canary(name="甄", phone=c.phone, email=c.email) for c in CANARIES]
    rows = [["姓名", "手機", "郵箱"], *[["王", f"138{n:08d}", f"t{n}@example.com"] for n in range(40)]]
    before = as_csv(rows, encoding, end)
    done = plant(before, "会员.csv", canaries)
    text, old = done.data.decode(encoding), before.decode(encoding)
    lines = [line for line in text.split(end) if not is_canary(line.split(","))]
    assert end.join(lines) == old
    assert done.records == 3
    assert done.encoding == encoding
    assert sum(is_canary(line.split(",")) for line in text.split(end)) == 3


def test_a_canary_carries_nothing_of_anybody_and_looks_like_its_neighbours():
    rows = members()
    done = plant(as_csv([HEAD, *rows], "gb18030"), "会员.csv", CANARIES)
    found = [row for row in csv.reader(io.StringIO(done.data.decode("gb18030"))) if is_canary(row)]
    assert [row[1] for row in found] == [canary.name for canary in CANARIES]
    assert [row[3] for row in found] == [canary.email for canary in CANARIES]
    numbers = {row[0] for row in rows}
    assert all(re.fullmatch(r"M\d{6}", row[0]) and row[0] not in numbers for row in found)
    assert len({row[0] for row in found}) == 3
    assert {row[4] for row in found} == {""}  # an id number would be somebody's
    assert {row[5] for row in found} == {"红烧肉"}
    everybody = {cell for row in rows for cell in row[2:5]}
    assert not everybody & {cell for row in found for cell in row}


def test_a_remark_with_somebody_in_it_is_not_copied():
    rows = [["手机号", "备注"], *[[f"138{n:08d}", f"请致电 137{n:08d}" if n % 2 else "少辣"] for n in range(40)]]
    done = plant(as_csv(rows, "utf-8"), "单.csv", CANARIES)
    found = [row for row in csv.reader(io.StringIO(done.data.decode())) if is_canary(row)]
    assert {row[1] for row in found} <= {"少辣", ""}


def test_quotes_titles_and_line_ends_within_cells_are_kept():
    text = '会员导出,,\r\n"姓名","手机号","地址"\r\n' + "".join(
        f'"王测试","138{n:08d}","测试路\r\n{n}号, 1室"\r\n' for n in range(30)
    )
    done = plant(text.encode("gb18030"), "x.csv", CANARIES).data.decode("gb18030")
    rows = list(csv.reader(io.StringIO(done, newline="")))
    assert len(rows) == 35
    added = [line for line in done.split("\r\n") if is_canary([line])]
    assert len(added) == 3
    assert all(line.startswith('"') and line.endswith('"') for line in added)
    for line in added:
        done = done.replace(line + "\r\n", "")
    assert done == text


def test_a_workbook_gets_canaries_keeps_its_types_and_loses_what_is_hidden():
    day = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  a cell has no zone
    rows = [
        ["电话", "姓名", "消费", "时间", "会员"],
        *[[13800000000.0 + n, "王测试", n * 1.5, day, True] for n in range(30)],
    ]
    done = plant(write_workbook([("会员", rows), ("说明", [["仅供测试"]])]), "会员.xls", CANARIES)
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(done.data))
    assert workbook.sheet_names == ["会员", "说明"]
    read = workbook.get_sheet_by_name("会员").to_python()
    assert done.ending == ".xlsx"
    assert len(read) == 34
    added = [row for row in read if is_canary([f"{row[0]:.0f}" if isinstance(row[0], float) else row[0]])]
    assert len(added) == 3
    assert all(isinstance(row[0], float) and row[3] == day and row[4] is True for row in added)
    assert [row for row in read if row not in added] == rows


def test_a_sheet_that_is_hidden_is_not_shared():
    import xlsxwriter

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True})
    shown, hidden = book.add_worksheet("会员"), book.add_worksheet("内部")
    hidden.hide()
    for line, row in enumerate([["手机号"], *[[f"138{n:08d}"] for n in range(9)]]):
        shown.write_row(line, 0, row)
    hidden.write_string(0, 0, "工资")
    book.close()
    done = plant(target.getvalue(), "a.xlsx", CANARIES)
    assert CalamineWorkbook.from_filelike(io.BytesIO(done.data)).sheet_names == ["会员"]


OBJECTS = [{"id": n, "mobile": f"138{n:08d}", "tags": ["a"], "note": None} for n in range(30)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=2),
        json.dumps({"total": 30, "members": OBJECTS, "pages": [1, 2]}, indent=4, ensure_ascii=False),
        "\n".join(json.dumps(row, separators=(",", ":")) for row in OBJECTS) + "\n",
    ],
)
def test_json_stays_to_the_byte_and_reads_as_before_with_the_canaries(text):
    done = plant(text.encode(), "会员.json", CANARIES).data.decode()
    try:
        read = json.loads(done)
        records = read if isinstance(read, list) else read["members"]
    except ValueError:
        records = [json.loads(line) for line in done.splitlines()]
    added = [record for record in records if is_canary([record["mobile"]])]
    assert len(records) == 33
    assert [record for record in records if record not in added] == OBJECTS
    ids = [record["id"] for record in records]
    assert len(set(ids)) == 33
    assert all(isinstance(record["id"], int) and record["tags"] is None for record in added)
    rest = iter(done)
    assert all(letter in rest for letter in text), "something of the original is gone"


def test_a_sqlite_dump_loads_again_with_the_canaries():
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE member (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mobile TEXT NOT NULL, note TEXT);"
        "CREATE TABLE dish (id INTEGER PRIMARY KEY, name TEXT);"
    )
    database.executemany(
        "INSERT INTO member VALUES (?,?,?,?)", [(n + 1, "王测试", f"138{n:08d}", "it's; \\ (ok)") for n in range(40)]
    )
    database.executemany("INSERT INTO dish VALUES (?,?)", [(n, "红烧肉") for n in range(9)])
    before = "\n".join(database.iterdump()) + "\n"
    database.close()
    done = plant(before.encode(), "nightly.sql", CANARIES)
    assert done.records == 3
    again = sqlite3.connect(":memory:")
    again.executescript(done.data.decode())
    added = again.execute("SELECT mobile, note FROM member WHERE mobile LIKE '139%' ORDER BY mobile").fetchall()
    assert [row[0] for row in added] == [canary.phone for canary in CANARIES]
    assert again.execute("SELECT count(*) FROM member").fetchone() == (43,)
    assert again.execute("SELECT count(*) FROM dish").fetchone() == (9,)
    again.close()
    kept = [line for line in done.data.decode().splitlines() if "'139" not in line]
    assert "\n".join(kept) + "\n" == before


def test_a_mysql_dump_gets_its_canaries_among_the_tuples():
    values = ",\n".join(f"({n},'王测试','138{n:08d}','O\\'Hara, (x)',NULL)" for n in range(1, 40))
    before = (
        "-- MySQL dump 10.13\nCREATE TABLE `member` (\n `id` bigint NOT NULL,\n `name` varchar(32),\n"
        " `mobile` varchar(20),\n `note` text,\n `left_at` date,\n PRIMARY KEY (`id`)\n);\n"
        f"INSERT INTO `member` VALUES\n{values};\n"
    )
    done = plant(before.encode(), "a.sql", CANARIES).data.decode()
    added = re.findall(r"\((\d+),'(?:甄测试|贾样例|章演示)','(139\d{8})','[^\n]*',NULL\)", done)
    assert [phone for _id, phone in added] == [canary.phone for canary in CANARIES]
    assert not {number for number, _ in added} & {str(number) for number in range(1, 40)}
    assert done.count("INSERT INTO") == 1


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("菜单.csv", "菜品,价格\n红烧肉,38\n汤,9\n".encode(), "no_contact"),
        ("说明.txt", "请于周五前寄出。".encode(), "format"),
        ("a.pdf", b"%PDF-1.4 nothing", "format"),
        ("a.json", b'[{"mobile": "13800000000"', "malformed"),
        ("empty.csv", b"", "no_contact"),
    ],
)
def test_where_no_canary_can_stand_that_is_said(name, data, why):
    with pytest.raises(NotPlanted) as caught:
        plant(data, name, CANARIES)
    assert caught.value.why in (why, "format")


def test_a_name_that_the_character_set_lacks_is_not_put_in_wrongly():
    rows = [["姓名", "電話"], *[["王大明", f"138{n:08d}"] for n in range(9)]]
    with pytest.raises(NotPlanted) as caught:
        plant(as_csv(rows, "big5hkscs"), "a.csv", [Canary(name="赵试贾", phone="13900000001", email="")])
    assert caught.value.why == "encoding"


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"), max_size=12)
QUOTED = st.one_of(CELLS, st.sampled_from(['a"b', "x,y", "两行\n字", "", "'", "\\", "--", ";", "NULL"]))


@given(st.lists(st.tuples(QUOTED, QUOTED), min_size=3, max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_the_cells_every_record_is_still_there(cells):
    rows = [[first, f"138{n:08d}", second] for n, (first, second) in enumerate(cells)]
    delimited = as_csv([["甲", "手机号", "乙"], *rows], "utf-8", "\n")
    read = list(csv.reader(io.StringIO(plant(delimited, "a.csv", CANARIES).data.decode(), newline="")))
    assert [row for row in read[1:] if not is_canary(row[1:2])] == rows
    assert sum(is_canary(row[1:2]) for row in read) == 3
    objects = [{"a": first, "mobile": phone, "b": {"c": [second]}} for first, phone, second in rows]
    done = json.loads(plant(json.dumps(objects).encode(), "a.json", CANARIES).data)
    assert [record for record in done if not is_canary([record["mobile"]])] == objects
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a TEXT, mobile TEXT, b TEXT)")
    database.executemany("INSERT INTO t VALUES (?,?,?)", [[cell.replace("\0", "") for cell in row] for row in rows])
    before = "\n".join(database.iterdump())
    expected = database.execute("SELECT * FROM t").fetchall()
    database.close()
    again = sqlite3.connect(":memory:")
    again.executescript(plant(before.encode(), "a.sql", CANARIES).data.decode())
    assert again.execute("SELECT * FROM t WHERE mobile NOT LIKE '139%'").fetchall() == expected
    assert again.execute("SELECT count(*) FROM t").fetchone() == (len(rows) + 3,)
    again.close()


def test_a_hundred_thousand_rows_take_seconds():
    rows = [HEAD, *members(100_000)]
    began = time.process_time()
    assert plant(as_csv(rows, "gb18030"), "会员.csv", CANARIES).records == 3
    assert time.process_time() - began < 20


def test_every_part_of_a_table_has_its_canary():
    for rows in (5, 17, 1000):
        places = spread(5, rows)
        assert all(number * rows // 5 <= place <= (number + 1) * rows // 5 for number, place in enumerate(places))
    assert set(spread(5, 1)) == {0}


@pytest.mark.parametrize(
    ("like", "made"),
    [
        ("138-0000-1111", "139-0000-0001"),
        ("+86 13800001111", "+86 13900000001"),
        (13800001111.0, 13900000001.0),
        ("", "13900000001"),
        ("021-5555 1111", "139-0000 0001"),
    ],
)
def test_a_number_is_written_as_its_neighbour(like, made):
    assert dress("13900000001", like) == made


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("手机号", ["13800001111", "138 0000 2222"], "phone"),
        ("c3", ["+86-13800001111", "13800002222"], "phone"),
        ("邮箱", ["a@example.com"], "email"),
        ("会员姓名", ["王测试", "李样例"], "name"),
        ("收货地址", ["测试路1号"], "address"),
        ("身份证号", ["110101199003070011"], "blank"),
        ("银行卡号", ["6222020000000000000"], "blank"),
        ("订单编号", ["DD2026000001", "DD2026000002"], "key"),
        ("菜品", ["红烧肉", "汤"], "plain"),
        ("生日", ["1990-01-01", "1991-02-02"], "plain"),
        ("空", [], "blank"),
    ],
)
def test_a_column_is_told_by_its_name_and_its_values(name, values, role):
    assert role_of(name, values) == role


def test_keys_made_are_new_and_not_made_twice():
    table = read_table(["id", "手机"], [[n, f"138{n:08d}"] for n in range(10, 20)])
    made = [table.record(CANARIES[0], 3)[0] for _ in range(40)]
    assert len(set(made)) == 40
    assert all(isinstance(key, int) and not 10 <= key < 20 for key in made)


def looked(text, rows=()):
    wanted = {phone_key("+86 139-0000-0001"): "a", mail_key("Li.Test@Chain.Example"): "b"}
    search = Search(wanted)
    item = search.begin("x", "text")
    item.feed(Rows(table="", columns=("a",), rows=rows) if rows else Chunk(text=text))
    return set(search.hits)


@pytest.mark.parametrize(
    "text",
    [
        "13900000001", "139 0000 0001", "139-0000-0001", "+86 139.0000.0001", "0086-13900000001", "(139)00000001",
        "１３９００００００01", "139\u200b0000\u00a00001", "电话：139　0000　0001（家）",
        "单号9913900000001尾", "139·0000·0001",
        "8613900000001", "139\u20110000\u20110001",
    ],
)  # fmt: skip
def test_a_number_is_found_however_it_was_reformatted(text):
    assert looked(text) == {"a"}


@pytest.mark.parametrize(
    "text", ["li.test@chain.example", "LI.TEST@CHAIN.EXAMPLE", "ｌｉ.test＠chain.example", "<li.test@chain.example>"]
)
def test_a_mailbox_is_found_in_other_letters(text):
    assert looked(text) == {"b"}


@pytest.mark.parametrize(
    "text", ["13900000002", "1390000\n0001", "139****0001", "xli.test@chain.example.org", "139 0000 000"]
)
def test_what_is_another_value_is_not_taken_for_a_canary(text):
    assert looked(text) == set()


def test_cells_beside_each_other_are_not_joined():
    assert looked("", rows=(("13900", "000001"), ("x", "y"))) == set()


def test_a_value_cut_between_two_chunks_is_found():
    search = Search({"13900000001": "a"})
    item = search.begin("x", "text")
    item.feed(Chunk(text="x" * 200 + "13900"))
    item.feed(Chunk(text="000001" + "y" * 200))
    assert search.hits["a"] >= 1
