"""CSV, SQL dumps, spreadsheets, SQLite."""

from __future__ import annotations

import csv
import io
import sqlite3

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.comments import Comment

from scanners.extract.api import Budget, Notes, Source
from scanners.extract.delimited import cut
from scanners.extract.sql_dump import SqlDumpExtractor, _copy_cell
from scanners.extract.sql_tuples import cut_copy, cut_tuples
from scanners.extract.sql_values import MYSQL, STANDARD, Dialect, cut_tuple
from scanners.extract.wal import apply_log, say_rollback_mode


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_a_member_list_is_a_table_whatever_its_delimiter_and_character_set(read, codec, delimiter):
    lines = [("姓名", "手机号", "生日"), ("测试甲", "13800001111", "1990-01-01"), ("测试乙", "13800001112", "")]
    data = "\r\n".join(delimiter.join(line) for line in lines).encode(codec)
    reading = read("会员.csv", data)
    seen = reading.of("会员.csv")
    assert (reading.top.kind, seen.columns, seen.rows) == ("csv", lines[0], lines[1:])


def test_quoted_line_ends_stay_in_their_cell_and_rows_keep_their_line(read):
    data = 'name,note\n测试甲,"a\nb ""c"", d"\n测试乙,e\n'.encode()
    seen = read("a.csv", data).of("a.csv")
    assert seen.rows == [("测试甲", 'a\nb "c", d'), ("测试乙", "e")]
    assert seen.tables[0].first_line == 2


def test_titles_above_the_header_are_text_and_a_list_without_header_keeps_its_first_row(read):
    titled = read("a.csv", "会员名单,,\n姓名,电话,地址\n测试甲,13800001111,上海\n".encode()).of("a.csv")
    assert titled.columns == ("姓名", "电话", "地址")
    assert "会员名单" in titled.text
    bare = read("b.csv", b"a,13800001111\nb,13800001112\n").of("b.csv")
    assert bare.columns == ("#1", "#2")
    assert len(bare.rows) == 2


def test_a_row_longer_than_the_header_widens_the_table(read):
    seen = read("a.csv", b"name,tel\nx,1\ny,2,13800001111\n").of("a.csv")
    assert seen.columns == ("name", "tel", "#3")
    assert seen.rows[1] == ("y", "2", "13800001111")


def test_a_stray_quote_that_swallows_a_mebibyte_loses_nothing(read):
    rows = [f"name{number},138{number:08d}\n" for number in range(120_000)]
    rows[10] = '"broken,13900000000\n'
    seen = read("a.csv", ("name,tel\n" + "".join(rows)).encode()).of("a.csv")
    everything = seen.text + "\n".join("\n".join(row) for row in seen.rows)
    assert all(f"138{number:08d}" in everything for number in range(11, 120_000, 997))
    assert "13900000000" in everything


def test_prose_with_commas_is_no_table(read):
    data = "one, two, three.\nA sentence, with a comma.\nNothing here.\n" * 5
    assert read("a.txt", data.encode()).top.kind == "text"


MYSQL_DUMP = r"""
-- MySQL dump 10.13; contact 13800009999
CREATE TABLE `member` (
  `id` bigint NOT NULL COMMENT '主键',
  `name` varchar(20) DEFAULT 'a, (b' COMMENT '姓名, it''s (x)',
  `phone` varchar(11),
  PRIMARY KEY (`id`), KEY `k` (`name`,`phone`)
) ENGINE=InnoDB COMMENT='会员(表)';
INSERT INTO `member` VALUES (1,'测试甲','13800001111'),(2,'O\'Br;ien -- (x)',NULL),
 (3,_binary 'a\\','x''y');
INSERT INTO shop.member (phone, `name`) VALUES ('13800001112', '测试乙') ON DUPLICATE KEY UPDATE name='z';
REPLACE INTO `empty_columns` VALUES (-1.5, 0x41, X'42', NOW(), CONCAT('13800001113', 'b'));
UPDATE member SET phone = '13800001114';
CREATE TABLE never_filled (a int);
"""


def test_a_mysql_dump_gives_each_table_with_its_columns_and_comments(read):
    reading = read("nightly.sql", MYSQL_DUMP.encode())
    member = reading.of("member")
    assert reading.top.kind == "sql_dump"
    assert [piece.columns for piece in member.tables] == [("id", "name", "phone"), ("phone", "name")]
    assert member.rows == [
        ("1", "测试甲", "13800001111"),
        ("2", "O'Br;ien -- (x)", ""),
        ("3", "a\\", "x'y"),
        ("13800001112", "测试乙"),
    ]
    assert member.tables[0].comments == ("主键", "姓名, it's (x)", "")
    assert reading.of("empty_columns").rows == [("-1.5", "0x41", "0x42", "NOW()", "13800001113 b")]
    assert reading.of("never_filled").columns == ("a",)
    assert set(reading.suffixes) == {"", "#member", "#empty_columns", "#never_filled"}


def test_what_is_no_row_in_a_dump_is_text_of_the_file(read):
    text = read("nightly.sql", MYSQL_DUMP.encode()).of("nightly.sql").text
    assert "13800009999" in text
    assert "13800001114" in text


def test_a_postgresql_dump_is_read_from_its_copy_blocks(read):
    dump = (
        "-- PostgreSQL database dump\nCREATE TABLE public.customer (\n id integer, name text, phone text\n);\n"
        "COMMENT ON COLUMN public.customer.phone IS '手机';\n"
        "COPY public.customer (id, name, phone) FROM stdin;\n1\t测试甲\t13800001111\n2\ta\\tb\\\\c\t\\N\n\\.\n"
        "INSERT INTO public.customer VALUES (3, 'back\\', E'it\\'s');\nSELECT 1;\n"
    )
    seen = read("pg.sql", dump.encode()).of("customer")
    assert seen.rows == [("1", "测试甲", "13800001111"), ("2", "a\tb\\c", ""), ("3", "back\\", "it's")]
    assert seen.tables[0].comments == ("", "", "手机")


def test_a_sql_server_script_is_read(read):
    into = "INSERT [dbo].[会员] ([编号], [姓名]) VALUES"
    script = f"GO\n{into} (1, N'测试''甲')\n{into} (2, CAST(N'b' AS nvarchar(9)))\nGO\n"
    seen = read("a.sql", script.encode("utf-16")).of("会员")
    assert (seen.columns, seen.rows) == (("编号", "姓名"), [("1", "测试'甲"), ("2", "b")])


def test_a_statement_longer_than_any_buffer_gives_every_row(read):
    rows = ",".join(f"({number},'13{number:09d}')" for number in range(60_000))
    seen = read("big.sql", b"INSERT INTO `t` (`id`,`tel`) VALUES " + rows.encode() + b";\n").of("t")
    assert len(seen.rows) == 60_000
    assert seen.rows[-1] == ("59999", "13000059999")
    assert seen.tables[1].first_line == len(seen.tables[0].rows) + 1


@given(st.lists(st.text(alphabet="a'\\,()\";\n测", max_size=8), min_size=1, max_size=4), st.booleans())
def test_any_text_comes_back_out_of_a_literal(values, backslash):
    dialect = MYSQL if backslash else STANDARD
    literals = [value.replace("\\", "\\\\") if backslash else value for value in values]
    written = "(" + ", ".join("'" + literal.replace("'", "''") + "'" for literal in literals) + ")"
    assert cut_tuple(written + ";", 0, dialect).cells == values


@given(st.text(alphabet="INSERTvalues()';,\\ \n`-/*#x1", max_size=200))
def test_any_broken_dump_ends(text):
    data = b"INSERT INTO t VALUES (1,'" + text.encode()
    source = Source(name="a.sql", stream=io.BytesIO(data), size=len(data), seekable=True, budget=Budget(0))
    assert list(SqlDumpExtractor().extract(source, Notes()))


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "会员 #1!"
    sheet.append(["储值会员名单"])
    sheet.append(["姓名", "电话", "余额"])
    sheet.append(["测试甲", 13800001111, 12.5])
    sheet.append(["测试乙", "13800001112", True])
    sheet["A3"].comment = Comment("备用电话13800001113", "x")
    hidden = book.create_sheet("隐藏")
    hidden.sheet_state = "hidden"
    hidden.append(["tel"])
    hidden.append(["13800001114"])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_every_sheet_is_a_table_hidden_ones_too_and_numbers_are_whole(read):
    reading = read("会员.xlsx", workbook())
    seen = reading.of("会员 #1!")
    assert seen.columns == ("姓名", "电话", "余额")
    assert seen.rows == [("测试甲", "13800001111", "12.5"), ("测试乙", "13800001112", "TRUE")]
    assert reading.of("隐藏").rows == [("13800001114",)]
    assert reading.suffixes == ["", "#会员 %231%21", "#隐藏"]
    text = reading.of("会员.xlsx").text
    assert "储值会员名单" in text
    assert "13800001113" in text


def test_an_id_number_stored_as_a_float_is_called_imprecise(read):
    book = openpyxl.Workbook()
    book.active.append(["身份证"])
    book.active.append([110101199001011234])
    target = io.BytesIO()
    book.save(target)
    reading = read("a.xlsx", target.getvalue())
    assert (reading.top.status, reading.top.reason) == ("partial", "precision")


def make_database(folder) -> bytes:
    path = folder / "x.db"
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE "客户 表" (id INTEGER, tel TEXT, photo BLOB, gbk BLOB)')
    connection.execute(
        'INSERT INTO "客户 表" VALUES (1, ?, ?, ?)', ("13800001111", b"\x89PNG\0\0\xff", "测试甲电话".encode("gbk"))
    )
    connection.execute("CREATE TABLE blank (a, b)")
    connection.execute("CREATE VIEW v AS SELECT load_extension('/tmp/x')")
    connection.commit()
    connection.close()
    return path.read_bytes()


def test_a_database_inside_an_archive_gives_its_tables(read, tmp_path):
    reading = read("x.db", make_database(tmp_path))
    assert reading.of("客户 表").rows == [("1", "13800001111", "", "测试甲电话")]
    assert reading.suffixes == ["", "#客户 表", "#blank"]


def test_a_broken_database_page_costs_its_table_and_not_the_others(read, tmp_path):
    data = bytearray(make_database(tmp_path))
    data[4096:4196] = b"\xff" * 100
    reading = read("x.db", bytes(data))
    assert (reading.top.status, reading.top.reason) == ("partial", "malformed")
    assert reading.report("#blank").status == "partial"


def test_a_torn_frame_of_a_log_ends_it_and_the_transactions_before_count(tmp_path):
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("INSERT INTO t VALUES (2)")
    log = bytearray((tmp_path / "x.db-wal").read_bytes())
    data = path.read_bytes()
    connection.close()
    log[-1] ^= 1
    (tmp_path / "copy.db").write_bytes(data)
    (tmp_path / "copy.log").write_bytes(log)
    with io.FileIO(tmp_path / "copy.db", "r+") as database, io.FileIO(tmp_path / "copy.log") as frames:
        assert apply_log(database, frames) > 0
        say_rollback_mode(database)
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT a FROM t").fetchall() == [(1,)]
    copy.close()


@given(
    st.lists(st.lists(st.text(st.sampled_from("ab1测\x85\u2028 \t;'é\U0001f600"), max_size=5), min_size=1, max_size=6)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_lines_cut_at_once_are_those_of_the_csv_module(rows: list[list[str]], end: str, closed: bool) -> None:
    text = end.join(",".join(row) for row in rows) + (end if closed else "")
    tidy = text.replace("\r\n", "\n").replace("\r", "\n")
    grid = cut(tidy, ",") if tidy else None
    expected = [row for row in csv.reader(io.StringIO(tidy, newline="\n")) if row]
    width = max(map(len, expected), default=0)
    assert [list(row) for row in grid or ()] == [row + [""] * (width - len(row)) for row in expected]


def test_a_long_csv_is_read_the_same_in_one_piece_or_many(read):
    lines = ["编号,姓名,备注"] + [f"{n},张测试,第{n}行" if n % 7 else f'{n},"李, 测试","两\n行"' for n in range(30_000)]
    lines[20_000] += ",多出来的"
    lines.insert(10_000, "")
    seen = read("a.csv", "\r\n".join(lines).encode("gb18030")).analyses[0]
    assert len(seen.rows) == 30_000
    assert seen.rows[0][:3] == ("0", "李, 测试", "两\n行")
    assert [row[0] for row in seen.rows] == [str(n) for n in range(30_000)]
    assert {row[3] for row in seen.rows if len(row) > 3} == {"", "多出来的"}


def test_a_million_columns_and_a_line_without_end_lose_nothing(read):
    wide = ",".join(str(10_000_000 + n) for n in range(1_000_000))
    seen = read("a.csv", b"a,b\n" * 40 + wide.encode() + b"\n").analyses[0]
    numbers = seen.text + "\n".join(cell for row in seen.rows[-1:] for cell in row)
    assert all(str(10_000_000 + n) in numbers for n in (0, 4_095, 4_096, 999_999))
    endless = "电话13800001111，" * 600_000
    seen = read("a.csv", b"a,b\n" * 40 + endless.encode()).analyses[0]
    assert seen.text.count("13800001111") + str(seen.rows).count("13800001111") >= 600_000 - 10
    assert seen.text.count("电话") >= 599_990


def test_a_quote_that_is_never_closed_loses_nothing(read):
    lines = [f"{n},138{n:08d}" for n in range(30_000)]
    lines[5_000] = '5000,"13800005000'
    seen = read("a.csv", ("编号,电话\n" + "\n".join(lines)).encode()).analyses[0]
    everything = seen.text + "\n".join(",".join(row) for row in seen.rows)
    assert all(f"138{n:08d}" in everything for n in range(0, 30_000, 7))


LITERALS = (
    "'张测试'", "''", "'it''s'", "'a\\\\'", "'b\\'c'", "NULL", "null", "12", "-1.5", "'a,(b);--c'", "'/* x */'",
    "N'测'", "CAST('x' AS CHAR)", "'`\"#'", "DEFAULT", "''''", "'多\n行'", "1e5", "'x''),(''y'", "'\\\\\\'z'",
    "(1)", "' '", "'NULL'", "0x1F", "TRUE",
)  # fmt: skip


def cut_one_by_one(text: str, dialect: Dialect) -> list[list[str]]:
    rows, at = [], 0
    while (alone := cut_tuple(text, at, dialect)).end > 0:
        rows.append(alone.cells)
        at = alone.end + 1
    return rows


@given(
    st.lists(st.lists(st.sampled_from(LITERALS), min_size=1, max_size=4), min_size=1, max_size=8),
    st.sampled_from([", ", ",", " ,\n"]),
    st.booleans(),
)
def test_tuples_cut_at_once_are_those_cut_one_by_one(rows: list[list[str]], comma: str, backslash: bool) -> None:
    dialect = MYSQL if backslash else STANDARD
    if not backslash:
        rows = [[cell for cell in row if "\\" not in cell] or ["1"] for row in rows]
    start = "INSERT INTO `会员` VALUES "
    text = ",".join("(" + comma.join(row) + ")" for row in rows)
    expected = cut_one_by_one(text, dialect)
    assert len(expected) == len(rows)
    found = cut_tuples(text + ";\n-- it's\n", dialect, start)
    assert found is not None
    assert found.length == len(text)
    assert [list(row) for row in found.rows] == [row + [""] * (found.rows.width - len(row)) for row in expected]
    single = (";\n" + start).join("(" + comma.join(row) + ")" for row in rows)
    again = cut_tuples(single + ";\n", dialect, start)
    assert again is not None
    assert again.length == len(single)
    assert list(again.rows) == list(found.rows)


def test_a_value_that_holds_a_statement_is_a_value() -> None:
    start = "INSERT INTO t VALUES "
    text = f"(1,'x');\n{start}(2,'a);\n{start}(3,b');\n"
    found = cut_tuples(text, STANDARD, start)
    assert found is not None
    assert list(found.rows) == [("1", "x")]


@pytest.mark.parametrize("text", ["(1,2", "1,2)", "(1,\"a'\"),(2,'x')", "(/* ' */1)", "((1)"])
def test_tuples_that_cannot_be_cut_at_once_are_left(text: str) -> None:
    assert cut_tuples(text, MYSQL, "INSERT INTO t VALUES ") is None


COPIED = ("\\N", "", "张", "a\\tb", "\\\\N", "x\\N", "'\"", "\\\\.")


@given(st.lists(st.lists(st.sampled_from(COPIED), min_size=2, max_size=3), min_size=1))
def test_copied_lines_cut_at_once_are_those_cut_one_by_one(rows: list[list[str]]) -> None:
    grid = cut_copy("".join("\t".join(row) + "\n" for row in rows), _copy_cell)
    expected = [[_copy_cell(cell) for cell in row] for row in rows]
    assert [list(row) for row in grid] == [row + [""] * (grid.width - len(row)) for row in expected]


@pytest.mark.parametrize("rows", [1, 7, 3000])
def test_a_long_dump_gives_every_row_in_order(read, rows: int) -> None:
    quote = {0: "''", 1: "\\'"}
    values = [f"({n},'138{n:08d}','第{n}行{quote.get(n % 97, '')}')" for n in range(12_000)]
    start = "INSERT INTO `t` VALUES "
    statements = [start + ",".join(values[low : low + rows]) + ";\n" for low in range(0, len(values), rows)]
    head = "-- MySQL dump\nCREATE TABLE `t` (`id` int, `tel` text, `r` text);\n"
    seen = read("a.sql", (head + "".join(statements)).encode()).of("t")
    assert seen.rows == [(str(n), f"138{n:08d}", f"第{n}行" + ("'" if n % 97 < 2 else "")) for n in range(12_000)]
    lines = [piece.first_line for piece in seen.tables]
    assert lines == [1 + sum(len(piece.rows) for piece in seen.tables[:index]) for index in range(len(lines))]


def test_what_stands_between_tuples_ends_what_is_cut_at_once() -> None:
    for text in ("(1), x (2)", "(1),x(2)", "(1) x,(2)", "(1);(2)"):
        found = cut_tuples(text, MYSQL, "INSERT INTO t VALUES ")
        assert found is not None
        assert (list(found.rows), found.length) == ([("1",)], 3)
