"""Text and its character sets, JSON, markup, mail."""

from __future__ import annotations

import email.message
import email.policy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.extract.charset import detect

LINES = "会员登记：测试甲，电话13800001111，地址上海市测试路1号。\n请于明天中午十二点以前送到，谢谢。\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_chinese_text_is_read_in_the_character_set_it_has(read, codec):
    text = LINES + "abc, 1234567890\n" * 8
    reading = read("notes.log", text.encode(codec))
    assert reading.of("notes.log").text.lstrip("\ufeff") == text
    assert (reading.top.status, reading.top.kind) == ("read", "text")


@pytest.mark.parametrize("text", ["测试甲电话地址会员", "请送到上海市测试路", "客户订单备注退款八"])
def test_eight_characters_of_gbk_are_enough(text):
    assert text.encode("gb18030").decode(detect(text.encode("gb18030"))) == text


@pytest.mark.parametrize("text", ["測試電話地址會員訂單", "請送到臺北市信義區"])
def test_traditional_text_in_big5_is_not_taken_for_gbk(text):
    assert text.encode("big5").decode(detect(text.encode("big5"))) == text


@given(st.binary(max_size=300))
def test_detection_of_any_bytes_ends_with_a_codec_or_none(data):
    codec = detect(data)
    assert codec is None or data.decode(codec, "replace") is not None


def test_a_log_written_in_two_character_sets_loses_no_line(read):
    data = LINES.encode() + LINES.encode("gb18030")
    reading = read("till.log", data)
    assert reading.of("till.log").text == LINES * 2
    assert reading.top.status == "read"


def test_gbk_that_begins_after_a_megabyte_of_ascii_is_still_read(read):
    data = b"2026-01-01 00:00:00 ok\n" * 50_000 + LINES.encode("gb18030")
    assert read("till.log", data).of("till.log").text.endswith(LINES)


def test_bytes_that_fit_nothing_make_the_item_partial(read):
    top = read("till.log", LINES.encode() + b"ok \xff\xff\xfe\xff bad\n" + LINES.encode()).top
    assert (top.status, top.reason) == ("partial", "undecodable")


def test_chunks_say_on_which_line_they_begin(read):
    lines = [f"line {number:06d}\n" for number in range(1, 40_001)]
    chunks = read("a.log", "".join(lines).encode()).of("a.log").chunks
    assert len(chunks) > 2
    for chunk in chunks:
        assert chunk.text.startswith(lines[chunk.place.line - 1])
    assert "".join(chunk.text for chunk in chunks) == "".join(lines)


def test_a_program_is_unread_and_says_so(read):
    top = read("till.exe", b"MZ\x90\0\3\0\0\0\4\0\0\0" + bytes(range(256)) * 9).top
    assert (top.kind, top.status, top.reason) == ("binary", "unread", "unsupported")


def test_an_empty_file_is_read(read):
    assert read("empty", b"").top.status == "read"


def test_records_in_a_json_list_become_rows_with_dotted_columns(read):
    data = [
        {"id": 1, "buyer": {"name": "测试甲", "tel": "13800001111"}, "tags": ["a", "b"]},
        {"id": 900719925474099312, "buyer": {"name": "测试乙"}, "note": None},
    ]
    seen = read("orders.json", json.dumps(data).encode()).of("orders.json")
    assert seen.columns == ("id", "buyer.name", "buyer.tel", "tags", "note")
    assert seen.rows == [("1", "测试甲", "13800001111", "a, b", ""), ("900719925474099312", "测试乙", "", "", "")]


def test_a_list_below_the_top_of_a_json_document_is_a_table_of_its_own(read):
    data = {"code": 0, "data": {"list": [{"tel": "13800001111"}, {"tel": "13800001112"}]}}
    tables = {piece.table: piece.rows for piece in read("a.json", json.dumps(data).encode()).of("a.json").tables}
    assert list(tables["data.list"]) == [("13800001111",), ("13800001112",)]


def test_json_lines_are_rows_with_their_line_and_a_broken_line_stays_text(read):
    data = b'{"tel": "13800001111"}\n{"tel": "13800001112"}\n{"tel": 138000011\n'
    seen = read("a.jsonl", data).of("a.jsonl")
    assert seen.rows == [("13800001111",), ("13800001112",)]
    assert "138000011" in seen.text


def test_a_json_list_longer_than_any_buffer_is_read_to_its_end(read):
    data = json.dumps([{"n": number, "fill": "x" * 80} for number in range(20_000)]).encode()
    seen = read("a.json", data).of("a.json")
    assert len(seen.rows) == 20_000
    assert seen.rows[-1][0] == "19999"


def test_of_a_name_given_twice_in_json_both_values_are_kept(read):
    seen = read("a.json", b'[{"tel": "13800001111", "tel": "13800001112"}]').of("a.json")
    assert seen.rows == [("13800001111", "13800001112")]


def test_json_nested_beyond_reason_is_read_as_text(read):
    reading = read("deep.json", b"[" * 100_000 + b'"13800001111"' + b"]" * 100_000)
    assert "13800001111" in reading.of("deep.json").text


def test_a_spreadsheet_that_is_html_is_read_by_its_content(read):
    page = (
        "<html><head><meta charset='gb2312'></head><body><table><tr><th>姓名</th><th>电话</th></tr>"
        "<tr><td>测试甲</td><td>&#49;3800001111</td></tr></table></body></html>"
    )
    seen = read("会员.xls", page.encode("gbk")).of("会员.xls")
    assert (seen.columns, seen.rows) == (("姓名", "电话"), [("测试甲", "13800001111")])


def test_rich_text_gives_its_letters(read):
    data = rb"{\rtf1\ansi\ansicpg936{\fonttbl{\f0 Arial;}}\'b2\'e2\'ca\'d4\'bc\'d7 13800001111\par \u27979?}"
    text = read("a.rtf", data).of("a.rtf").text
    assert "测试甲 13800001111" in text
    assert text.rstrip().endswith("测")
    assert "Arial" not in text


def mail() -> bytes:
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "会员名单"
    message.set_content("电话 13800001111\n")
    message.add_attachment(
        "姓名,电话\n测试甲,13800001112\n".encode("gbk"), maintype="text", subtype="csv", filename="名单.csv"
    )
    return message.as_bytes()


def test_mail_gives_headers_body_and_attachments_as_members(read):
    reading = read("a.eml", mail())
    text = reading.of("a.eml").text
    assert "会员名单" in text
    assert "13800001111" in text
    assert reading.suffixes == ["", "!名单.csv"]
    assert reading.of("名单.csv").rows == [("测试甲", "13800001112")]


def test_a_mailbox_gives_every_message(read):
    box = b"".join(
        b"From a@example.com Mon Jan  5 10:00:00 2026\n" + mail().replace(b"\r\n", b"\n") + b"\n" for _ in "12"
    )
    reading = read("inbox", box)
    assert reading.top.kind == "mail"
    assert reading.suffixes == ["", "!名单.csv", "!2/名单.csv"]


def test_a_detector_that_fails_is_counted_as_our_crash_and_not_as_a_bad_file(read):
    top = read("a.txt", LINES.encode(), fail=True).top
    assert (top.status, top.reason) == ("unread", "crashed")


def test_a_slow_item_ends_with_what_it_has(read):
    top = read("a.log", LINES.encode() * 5000, seconds=-1.0).top
    assert (top.status, top.reason) == ("unread", "timeout")
