"""Tables: what columns are decided to hold, and whose rows they are."""

from __future__ import annotations

from config.schema import DetectSettings
from scanners.engine import Analyser, Analysis
from scanners.held_rows import SAMPLE_ROWS
from scanners.records import Rows


def analyse(table: str, columns: tuple[str, ...], *rows: tuple[str, ...], comments: tuple[str, ...] = ()) -> Analysis:
    item = Analyser(DetectSettings(), names=True, run_key=b"run").begin(table, "table")
    item.feed(Rows(table=table, columns=columns, rows=rows, comments=comments))
    return item.finish()


def decided(found: Analysis) -> dict[str | None, str]:
    return {finding.place.column: finding.entity for finding in found.findings}


MEMBERS = (
    ("1", "张测试", "13800001111", "上海市浦东新区测试路12号", "ceshi1@qq.com", "8.50"),
    ("2", "李测", "13900002222", "杭州市西湖区样例街3号", "ceshi2@qq.com", "12.00"),
    ("3", "王样例", "13800001111", "杭州市西湖区样例街5号", "", "12.00"),
)


def test_columns_are_known_by_chinese_english_and_pinyin_names() -> None:
    expected = ["PERSON", "PHONE_NUMBER", "ADDRESS", "EMAIL_ADDRESS"]
    for names in (
        ("编号", "姓名", "手机号", "收货地址", "邮箱", "余额"),
        ("id", "realName", "mobile", "address", "email", "balance"),
        ("id", "xingming", "shouji", "dizhi", "youxiang", "yue"),
    ):
        assert decided(analyse("member", names, *MEMBERS)) == dict(zip(names[1:5], expected, strict=True))


def test_values_decide_where_the_header_says_nothing() -> None:
    found = decided(analyse("t1", ("c1", "c2", "c3", "c4", "c5", "c6"), *MEMBERS))
    assert found == {"c2": "PERSON", "c3": "PHONE_NUMBER", "c4": "ADDRESS", "c5": "EMAIL_ADDRESS"}


def test_a_comment_names_a_column_whose_name_does_not() -> None:
    found = analyse("user", ("f1", "f2"), ("甲", "1380000111"), ("乙", "1390000222"), comments=("", "手机号码"))
    assert decided(found) == {"f2": "PHONE_NUMBER"}


def test_an_id_with_a_wrong_check_character_counts_in_a_column_of_ids() -> None:
    found = analyse("employee", ("id", "id_number"), ("1", "110101199003071234"), ("2", "111222333444555666"))
    (finding,) = found.findings
    assert (finding.entity, finding.count, finding.distinct) == ("CN_RESIDENT_ID", 2, 2)


def test_order_numbers_snowflakes_and_timestamps_are_nothing() -> None:
    rows = tuple((f"20240517{n:010d}", f"17900000{n:011d}", f"17000000{n:05d}", f"{n}.50") for n in range(50))
    assert analyse("orders", ("order_sn", "id", "created", "amount"), *rows).findings == ()


def test_products_categories_and_roles_have_no_people() -> None:
    rows = (("1", "黄焖鸡"), ("2", "白切鸡"), ("3", "毛血旺"))
    for table in ("category", "dish", "sys_role", "goods"):
        assert analyse(table, ("id", "name"), *rows).findings == ()


def test_persons_are_counted_by_the_strongest_identifier_of_a_row() -> None:
    found = analyse("member", ("id", "姓名", "手机号", "地址", "邮箱", "余额"), *MEMBERS)
    assert found.persons == 2  # two rows share a phone
    names = analyse("member", ("id", "姓名", "地址"), ("1", "张测试", "测试路1号"), ("2", "张测试", "样例路2号"))
    assert names.persons == 2  # one name, two addresses


def test_a_cell_of_running_text_is_read_in_full_and_keeps_its_column() -> None:
    rows = (("1", "请打13800001111，找张测试"), ("2", "不要香菜"))
    found = analyse("orders", ("id", "remark"), *rows)
    assert {(f.entity, f.place.column) for f in found.findings} == {("PHONE_NUMBER", "remark"), ("PERSON", "remark")}


def test_empty_cells_and_placeholders_are_not_counted() -> None:
    rows = (("13800001111",), ("",), ("NULL",), ("无",), ("-",), ("13900002222",))
    (finding,) = analyse("member", ("手机号",), *rows).findings
    assert finding.count == 2


def test_rows_behind_the_sample_are_counted_too_and_the_first_row_is_named() -> None:
    item = Analyser(DetectSettings(), names=False, run_key=b"run").begin("member", "table")
    for start in range(0, 3 * SAMPLE_ROWS, 50):
        rows = tuple((str(n), f"138{n:08d}" if n > 2 else "") for n in range(start, start + 50))
        item.feed(Rows(table="member", columns=("id", "phone"), rows=rows, first_line=start + 2))
    found = item.finish()
    (finding,) = found.findings
    assert (finding.count, finding.distinct, finding.place.line) == (3 * SAMPLE_ROWS - 3, 3 * SAMPLE_ROWS - 3, 5)
    assert found.persons == 3 * SAMPLE_ROWS - 3


def test_passwords_are_credentials_and_shown_by_nothing_of_them() -> None:
    found = analyse("admin", ("username", "password"), ("gly", "abc12345"), ("op", "e10adc3949ba59abbe56e057f20f883e"))
    (finding,) = found.findings
    assert (finding.entity, finding.samples) == ("CREDENTIAL", ("******",))
    assert found.persons == 0
