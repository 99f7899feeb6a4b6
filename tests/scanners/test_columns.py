"""Columns: what each holds and whose it is, over a table of made-up cases with their near-misses."""

from __future__ import annotations

import time
import tomllib
from itertools import groupby
from pathlib import Path

import pytest

from config.schema import DetectSettings
from scanners.column_names import read_comment, read_name
from scanners.column_values import is_surely_name, looks_like_name, tidy
from scanners.column_words import load_columns
from scanners.columns import Column, decide
from scanners.engine import Analyser
from scanners.records import Rows

PACK = tomllib.loads(Path(__file__).with_name("column_cases.toml").read_text(encoding="utf-8"))
VALUES = PACK["values"]
LINES = [line for line in PACK["cases"]["lines"].splitlines() if line and not line.startswith("#")]
CASES = [[part.strip() for part in line.split("|")] for line in LINES]
TABLES = [(table, list(columns)) for table, columns in groupby(CASES, key=lambda case: case[0])]


def one(table: str, column: str, values: str, comment: str = "") -> Column:
    return decide(table, [column], [comment], [VALUES.get(values, values).split(";")])[0]


@pytest.mark.parametrize(("table", "columns"), TABLES, ids=[table for table, _ in TABLES])
def test_every_column_of_the_made_up_tables_is_decided(table: str, columns: list[list[str]]) -> None:
    samples = [VALUES[column[3]].split(";") for column in columns]
    decided = decide(table, [column[1] for column in columns], [column[2] for column in columns], samples)
    for (_, name, _, _, entity, subject), found in zip(columns, decided, strict=True):
        assert (name, "mixed" if found.mixed else found.entity or "-") == (name, entity)
        assert not subject or (name, found.subject) == (name, subject)


def test_the_cases_hold_what_they_promise() -> None:
    assert len(CASES) >= 300
    assert sum(entity == "-" for *_, entity, _ in CASES) >= 100
    assert sum(bool(subject) for *_, subject in CASES) >= 130


def test_column_names_are_spelled_one_way() -> None:
    for name in ("receiverName", "Receiver-Name", "receiver_name", "RECEIVER NAME", "receivername"):
        assert read_name(name).words == ("receiver", "name")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("linkTel", ("link", "tel")),
        ("consigneemobile", ("consignee", "mobile")),
        ("f_shdz", ("shdz",)),
        ("lxrdh", ("lxr", "dh")),
        ("hotel", ("hotel",)),
        ("address_2", ("address",)),
    ],
)
def test_names_that_run_together_are_taken_apart(name: str, words: tuple[str, ...]) -> None:
    assert read_name(name).words == words


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("收货人手机号码", "PHONE_NUMBER"),
        ("手机号归属地", "OTHER"),
        ("手机(必填)", "PHONE_NUMBER"),
        ("是否绑定手机", "OTHER"),
        ("email_address", "EMAIL_ADDRESS"),
        ("ip_address", "IP_ADDRESS"),
        ("回调地址", "OTHER"),
        ("address_id", "OTHER"),
        ("id_no", "CN_RESIDENT_ID"),
        ("id", "OTHER"),
        ("id_card_front", "OTHER"),
        ("app_secret", "OTHER"),
        ("pic_urls", "OTHER"),
        ("contact_phones", "PHONE_NUMBER"),
        ("", ""),
        ("列1", ""),
    ],
)
def test_the_noun_at_the_end_says_what_a_column_holds(name: str, meaning: str) -> None:
    assert read_name(name).meaning == meaning


@pytest.mark.parametrize(
    ("comment", "meaning", "grade"),
    [
        ("街道/详细地址", "ADDRESS", "sure"),
        ("用户的手机号，用于登录", "PHONE_NUMBER", "sure"),
        ("身份证号（加密存储）", "CN_RESIDENT_ID", "sure"),
        ("性别 0 女 1 男", "OTHER", "sure"),
        ("商品名称", "PERSON", "thing"),
        ("客户名称", "PERSON", "role"),
        ("收货人名称", "PERSON", "sure"),
    ],
)
def test_the_first_clause_of_a_comment_counts(comment: str, meaning: str, grade: str) -> None:
    reading = read_comment(comment)
    assert (reading.meaning, reading.grade) == (meaning, grade)


def test_values_against_a_name_outweigh_it() -> None:
    assert one("member", "phone", "links").entity is None
    assert one("member", "email", "order numbers").entity is None
    assert one("member", "address", "milliseconds").entity is None
    assert one("member", "location", "regions").entity is None
    assert one("member", "real_name", "firms").entity is None
    assert one("member", "card_no", "member cards").entity is None


def test_unmistakable_values_need_no_name() -> None:
    assert one("x", "username", "mails").entity == "EMAIL_ADDRESS"
    assert one("x", "order_sn", "ids").entity == "CN_RESIDENT_ID"
    assert one("x", "会员编号", "mobiles").entity == "PHONE_NUMBER"
    assert one("x", "编号", "counter").entity is None


def test_what_was_typed_to_have_something_there_does_not_speak_against_a_name() -> None:
    assert one("address", "receiver_name", "4") == Column(entity="PERSON", score=0.5, subject="customer")
    assert one("address", "receiver_phone", "4").entity == "PHONE_NUMBER"
    assert one("x", "contact_way", "4").entity is None


def test_a_column_without_values_is_decided_by_its_name_alone() -> None:
    assert decide("member", ["phone"], [], [[]])[0].entity == "PHONE_NUMBER"
    assert decide("member", ["name"], [], [[]])[0].entity is None


@pytest.mark.parametrize(
    ("table", "neighbour", "subject"),
    [
        ("member", "", "customer"),
        ("sys_user", "", "staff"),
        ("user", "", "customer"),
        ("user", "role_id", "staff"),
        ("warehouse", "", "organisation"),
        ("supplier_contact", "", "supplier"),
        ("system_mail_account", "", "organisation"),
        ("员工花名册", "", "staff"),
        ("Sheet1", "工号", "staff"),
        ("Sheet1", "积分", "customer"),
        ("Sheet1", "供货品类", "supplier"),
        ("x", "", "unknown"),
    ],
)
def test_whose_data_it_is_follows_the_table_and_its_neighbours(table: str, neighbour: str, subject: str) -> None:
    names = ["phone", neighbour] if neighbour else ["phone"]
    assert decide(table, names, [], [["13800001111"], ["1"]][: len(names)])[0].subject == subject


def test_columns_of_a_configured_detector_are_read_in_full_and_excluded_ones_are_not_decided() -> None:
    settings = DetectSettings(member_pattern="V[0-9]{6}", exclude=("PHONE_NUMBER",))
    item = Analyser(settings, names=False, run_key=b"run").begin("member", "table")
    rows = tuple((f"V{n:06d}", f"138{n:04d}1111") for n in range(20))
    item.feed(Rows(table="member", columns=("会员卡号", "手机号"), rows=rows))
    assert [(f.entity, f.count, f.place.column) for f in item.finish().findings] == [("MEMBER_ID", 20, "会员卡号")]


def test_dishes_and_places_are_no_names_though_they_begin_with_a_surname() -> None:
    assert all(is_surely_name(name) for name in ("王芳", "欧阳娜娜", "李*四", "张先生"))
    assert not any(is_surely_name(name) for name in ("黄焖鸡", "毛血旺", "江小白", "牛肉面", "李记粥店"))
    assert not looks_like_name("王老吉")


def test_a_number_stored_as_a_float_is_the_number() -> None:
    assert [tidy(v) for v in ("13800001111.0", " '13800001111", "12.50")] == ["13800001111", "13800001111", "12.50"]


def test_long_values_and_long_names_cost_little() -> None:
    hostile = ["a" * 100_000, "省" * 100_000, "1" * 100_000, "(" * 100_000, "中" * 30 + "路" * 99_970]
    start = time.process_time()
    decide("t" * 100_000, ["地址" * 50_000, "name" * 20_000], ["手机" * 50_000], [hostile * 12, hostile * 12])
    decide("t", ["customer_name", "contact_phone", "account_no"] * 500, [], [["Signal Stores"]] * 1500)
    assert time.process_time() - start < 4.0


def test_no_word_of_the_pack_means_two_things() -> None:
    pack = load_columns()
    for language in ("latin", "chinese"):
        both = set(pack["other"][language].split()) & set(pack["prose"][language].split())
        assert not both, both
