"""`cloche scan` and `cloche inventory` as processes, over real files and real workers."""

import json
import os
import stat
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from agent.inventory.overview import Words, overview
from agent.inventory.page import check_target, render_page, write_page
from agent.inventory.subjects import subject_of
from config.errors import ClocheError, RefusedError
from config.text import Text
from scanners.masking import mask_text

PHONE = "13800001111"


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "门店"
    folder.mkdir()
    lines = [f"{n} 测试 电话 1380000{n:04d} 已付款" for n in range(30)]
    (folder / "till.log").write_text("\n".join(lines), encoding="utf-8")
    (folder / "menu.txt").write_text("今日例汤 三十八元", encoding="utf-8")
    return folder


@pytest.fixture
def cloche(tmp_path):
    def run(*words, **more):
        environment = {
            "PATH": os.environ["PATH"],
            "CLOCHE_HOME": str(tmp_path / "home"),
            "CLOCHE_SCAN__WORKERS": "1",
            "CLOCHE_SCAN__NAMES": "false",
        } | more.pop("env", {})
        code = "import sys; from agent.cli import main; sys.argv[0] = 'cloche'; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False, timeout=60,
            env=environment, **more,
        )  # fmt: skip

    return run


def test_the_answer_is_one_document_on_stdout_and_nothing_else(cloche, share):
    done = cloche("scan", share, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (document["schema"], done.stderr) == ("cloche.scan/1", "")
    assert document["coverage"]["listed"] == len(document["items"]) == 2
    (log,) = [item for item in document["items"] if item["findings"]]
    assert log["path"] == str(share / "till.log")
    assert {finding["entity"] for finding in log["findings"]} >= {"PHONE_NUMBER"}
    assert document["persons"] == 30


def test_no_number_is_in_what_a_scan_says_or_keeps(cloche, share, tmp_path):
    page = tmp_path / "report.html"
    said = cloche("scan", share, "--html", page, "--debug")
    said_json = cloche("scan", share, "--json", "--debug")
    export = cloche("inventory", "export")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    everything = f"{said.stdout}{said.stderr}{said_json.stdout}{said_json.stderr}{export.stdout}{page.read_text()}"
    assert "till.log" in everything
    assert b"till.log" in kept
    for number in range(30):
        assert f"1380000{number:04d}" not in everything
        assert f"1380000{number:04d}".encode() not in kept


def test_the_summary_starts_with_how_many_customers_in_how_many_places(cloche, share):
    chinese = cloche("scan", share)
    assert chinese.stdout.splitlines()[0] == "在 1 处找到约 30 位顾客的信息。"
    english = cloche("scan", share, env={"CLOCHE_STORE__LANGUAGE": "en"})
    assert english.stdout.splitlines()[0] == "Information on about 30 customers lies in 1 places."
    assert "cloche protect" in english.stdout


def test_a_number_in_a_file_name_is_masked_for_people_and_plain_in_json_for_the_owner(cloche, share, tmp_path):
    (share / f"{PHONE}.txt").write_text(f"电话 {PHONE}", encoding="utf-8")
    page = tmp_path / "report.html"
    said = cloche("scan", share, "--html", page)
    assert "138****1111.txt" in said.stdout
    assert PHONE not in said.stdout + said.stderr + page.read_text(encoding="utf-8")
    assert PHONE in cloche("scan", share, "--json").stdout
    shown = cloche("inventory", "list").stdout + cloche("inventory", "show", share / f"{PHONE}.txt").stdout
    assert "138****1111" in shown
    assert PHONE not in shown


def test_exit_10_comes_only_when_asked_for_and_before_3(cloche, share):
    os.mkfifo(share / "pipe")
    assert cloche("scan", share).returncode == 3
    assert cloche("scan", share, "--fail-on-findings").returncode == 10


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["{share}/nowhere"], "nowhere"),
        ([], "nothing to scan"),
        (["{share}", "--workers", "0"], "from 1 to 64"),
        (["{share}", "--workers", "65"], "from 1 to 64"),
        (["--db", "mysql://root:secret@till/shop"], "mysql://"),
        (["--db", "sqlite:///"], "sqlite:///"),
        (["--db", "sqlite:////no/such.db"], "such.db"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_usage_exits_2_and_names_what_is_wrong(cloche, share, words, named):
    done = cloche("scan", *(word.format(share=share) for word in words), env={"CLOCHE_STORE__LANGUAGE": "en"})
    assert done.returncode == 2
    assert named in done.stderr
    assert "secret" not in done.stderr
    assert done.stdout == ""


def test_a_sqlite_url_is_the_file_it_names(cloche, share, tmp_path):
    import sqlite3

    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE members (name TEXT, mobile TEXT)")
    connection.executemany("INSERT INTO members VALUES (?, ?)", [("测试甲", f"1390000{n:04d}") for n in range(40)])
    connection.commit()
    connection.close()
    items = json.loads(cloche("scan", "--db", f"sqlite:///{path}", "--json").stdout)["items"]
    assert [item["path"] for item in items] == [str(path), f"{path}#members"]
    assert items[0]["persons"] == items[1]["persons"] == 40


def test_configured_roots_are_scanned_without_a_path_and_unchanged_files_are_not_read_again(cloche, share):
    environment = {"CLOCHE_SCAN__ROOTS": json.dumps([str(share)])}
    first = json.loads(cloche("scan", "--json", env=environment).stdout)
    second = json.loads(cloche("scan", "--json", env=environment).stdout)
    assert (first["unchanged"], second["unchanged"]) == (0, 2)
    assert (second["coverage"], second["persons"]) == (first["coverage"], first["persons"])
    assert json.loads(cloche("scan", "--json", "--full", env=environment).stdout)["unchanged"] == 0
    (share / "menu.txt").write_text("新菜单", encoding="utf-8")
    assert json.loads(cloche("scan", "--json", env=environment).stdout)["unchanged"] == 1


class Tags(HTMLParser):
    """Collects tags and addresses of a page."""

    def __init__(self):
        super().__init__()
        self.tags = set()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]


def item(path, **facts):
    finding = {
        "entity": "PHONE_NUMBER", "count": 9, "distinct": 9, "confidence": 1.0, "samples": [],
        "place": {"table": None, "column": None, "member": None, "page": None, "line": None},
    }  # fmt: skip
    return {
        "path": path, "kind": "csv", "encoding": None, "size": 1, "status": "read", "reason": "", "level": 3,
        "score": 50.0, "persons": 9, "findings": [finding],
    } | facts  # fmt: skip


def made_up(*items, **facts):
    count = {name: sum(entry["status"] == name for entry in items) for name in ("read", "partial", "unread", "skipped")}
    return {
        "schema": "cloche.scan/1", "store": "测试店", "timezone": "Asia/Shanghai", "seconds": 1.0,
        "started_at": "2026-11-23T04:00:00+00:00", "roots": ["/srv"], "persons": 9, "unchanged": 0,
        "clean": not count["partial"] + count["unread"],
        "coverage": {"listed": len(items), **count, "bytes": 10}, "items": list(items),
    } | facts  # fmt: skip


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_page_with_hostile_names_loads_nothing_and_runs_nothing(language):
    hostile = "/srv/<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'.csv"
    document = made_up(
        item(hostile), item(hostile + "2", status="unread", reason="encrypted", findings=[]), store="<b>店</b>"
    )
    html = render_page(document, overview(document, mask_text), Text(language))
    tags = Tags()
    tags.feed(html)
    assert tags.tags.isdisjoint({"script", "img", "link", "iframe", "object", "base", "form", "a"})
    assert tags.addresses == []
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_page_of_an_empty_scan_and_of_every_reason_can_be_made(language):
    from typing import get_args

    from agent.summary import render
    from config.schema import ItemKind
    from scanners.records import Reason

    reasons = [item(f"/srv/{reason}", status="unread", reason=reason, findings=[])
               for reason in get_args(Reason) if reason]  # fmt: skip
    kinds = [item(f"/srv/x.{kind}", kind=kind) for kind in get_args(ItemKind)]
    for document in (made_up(persons=0), made_up(*reasons, *kinds)):
        view = overview(document, mask_text)
        assert "</html>" in render_page(document, view, Text(language))
        render(document, view, Text(language))


def test_nothing_found_is_not_said_to_be_clean_while_something_is_unread():
    from agent.summary import headline

    empty = overview(made_up(persons=0), mask_text)
    unsure = overview(made_up(item("/srv/x", status="unread", reason="encrypted", findings=[]), persons=0), mask_text)
    assert headline(empty, Text("en")) == "No customer information was found."
    assert "no proof" in headline(unsure, Text("en"))


def test_places_are_files_and_the_worst_comes_first():
    view = overview(
        made_up(
            item("/srv/small.csv", level=3, persons=5),
            item("/srv/shop.db", kind="sqlite", findings=[], persons=900, level=4),
            item("/srv/shop.db#users", kind="table", persons=800, level=4),
            item("/srv/shop.db#orders", kind="table", persons=300, level=3),
            item("/srv/old%21.zip!member.csv", persons=40, level=3),
        ),
        mask_text,
    )
    assert [(place.path, place.persons, place.level) for place in view.places] == [
        ("/srv/shop.db", 900, 4), ("/srv/old!.zip", 40, 3), ("/srv/small.csv", 5, 3),
    ]  # fmt: skip
    assert [part.name for part in view.places[0].parts] == ["users", "orders"]


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("会员名单", "members"), ("t_order", "orders"), ("sys_user", "staff"), ("预订.xlsx", "reservations"),
        ("会员订单", "orders"), ("member_order", "orders"), ("user_address", "addresses"), ("员工花名册", "staff"),
        ("border", ""), ("供应商联系表.xlsx", "suppliers"), ("微信账单.csv", "wechat_bill"), ("x", ""),
    ],
)  # fmt: skip
def test_tables_are_called_what_people_call_them(name, subject):
    assert subject_of(name) == subject


def place_of(path, *, column="手机", table=None, whose="unknown", **facts):
    finding = {
        "entity": "PHONE_NUMBER", "count": 1204, "distinct": 986, "confidence": 1.0, "samples": [], "subject": whose,
        "place": {"table": table, "column": column, "member": None, "page": None, "line": 2},
    }  # fmt: skip
    facts = {"findings": [finding], "persons": 986} | facts
    (place,) = overview(made_up(item(path, **facts)), mask_text).places
    words = Words(Text("zh-CN"))
    return f"{words.subject(place.subject)}，{words.holds(place)}"


@pytest.mark.parametrize(
    ("path", "facts", "shown"),
    [
        ("/srv/a.xlsx", {"about": "douyin_orders", "records": 1250}, "抖音订单导出，1,250 单、986 人"),
        ("/srv/美团订单导出.xlsx", {"about": "orders", "records": 1300}, "美团订单导出，1,300 单、986 人"),
        ("/srv/美团外卖.csv", {}, "美团订单导出，1,204 单、986 人"),
        ("/srv/导出.csv", {"about": "members", "records": 23418, "persons": 23418}, "会员名单，23,418 人"),
        ("/srv/导出.csv", {"table": "员工花名册"}, "员工花名册，986 人"),
        ("/srv/预订.xlsx", {}, "预订名单，986 位"),
        ("/srv/发票.xlsx", {"about": "invoices", "records": 80, "persons": 0}, "发票抬头和收据，80 条"),
        ("/srv/x.csv", {"whose": "staff"}, "员工花名册，986 人"),
        ("/srv/微信.csv", {"about": "wechat_bill", "records": 7, "persons": 0}, "微信支付账单，7 条"),
    ],
)
def test_what_is_in_a_place_is_told_in_the_store_s_words_and_counted_as_people_count_it(path, facts, shown):
    assert place_of(path, **facts) == shown


def test_the_page_says_what_each_standard_calls_it_and_that_nobody_checked_the_clauses():
    html = render_page(document := made_up(item("/srv/a.csv")), overview(document, mask_text), Text("zh-CN"))
    assert "GB/T 45574-2025" in html
    assert "JR/T 0197-2020" in html
    assert html.count("条文尚未核对") == 4


def test_the_page_is_private_and_replaces_a_regular_file_only(tmp_path):
    document = made_up(item("/srv/a.csv"))
    view = overview(document, mask_text)
    target = tmp_path / "report.html"
    target.write_text("old")
    write_page(str(target), document, view, Text("en"))
    assert "</html>" in target.read_text(encoding="utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    (tmp_path / "kept.txt").write_text("kept")
    (tmp_path / "link.html").symlink_to(tmp_path / "kept.txt")
    (tmp_path / "folder.html").mkdir()
    for name in ("link.html", "folder.html"):
        with pytest.raises(RefusedError, match=name):
            write_page(str(tmp_path / name), document, view, Text("en"))
    assert (tmp_path / "kept.txt").read_text() == "kept"
    with pytest.raises(ClocheError, match="No such file"):
        check_target(str(tmp_path / "no" / "report.html"), Text("en"))


def test_a_page_that_cannot_be_written_is_refused_before_the_scan(cloche, share, tmp_path):
    os.mkfifo(tmp_path / "pipe.html")
    done = cloche("scan", share, "--html", tmp_path / "pipe.html")
    assert done.returncode == 4
    assert "pipe.html" in done.stderr
    assert not (tmp_path / "home" / "inventory.db").exists()


def test_the_inventory_lists_filters_and_exports_what_was_found(cloche, share):
    cloche("scan", share)
    listed = json.loads(cloche("inventory", "list", "--json").stdout)
    assert [entry["path"] for entry in listed["items"]] == [str(share / "till.log")]
    assert listed["items"][0]["state"] == "plain"
    assert len(json.loads(cloche("inventory", "list", "--json", "--all").stdout)["items"]) == 2
    assert json.loads(cloche("inventory", "list", "--json", "--entity", "CREDIT_CARD").stdout)["items"] == []
    shown = json.loads(cloche("inventory", "show", share / "till.log", "--json").stdout)
    assert shown["item"]["findings"][0]["samples"] == []
    table = cloche("inventory", "export", "--format", "csv").stdout
    assert table.startswith("\ufeffpath,kind,state")
    assert "PHONE_NUMBER" in table
    missing = cloche("inventory", "show", share / "nowhere")
    assert missing.returncode == 2
    assert "nowhere" in missing.stderr


def test_an_export_is_masked_even_for_the_owner_and_is_recorded(cloche, share, tmp_path):
    (share / f"{PHONE}.txt").write_text(f"电话 {PHONE}", encoding="utf-8")
    (share / "=cmd|x.txt").write_text(f"电话 {PHONE}", encoding="utf-8")
    cloche("scan", share)
    target = tmp_path / "out.json"
    assert cloche("inventory", "export", "-o", target).returncode == 0
    assert PHONE not in target.read_text(encoding="utf-8")
    assert "138****1111" in target.read_text(encoding="utf-8")
    assert "inventory.exported" in (tmp_path / "home" / "audit.jsonl").read_text(encoding="utf-8")


def test_a_cell_that_a_spreadsheet_would_run_is_quoted():
    from agent.commands.inventory import as_csv

    row = {"path": "=cmd|' /C calc'!A0", "kind": "csv", "state": "plain", "status": "read", "reason": "", "level": 3,
           "score": -1.0, "persons": 9, "size": 1, "findings": []}  # fmt: skip
    assert as_csv([row]).splitlines()[1].startswith("'=cmd")
