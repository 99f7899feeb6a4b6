"""The first report: what the plan asks for is in it, in both languages, escaped, and it opens where it must."""

import io
import re
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import docx
import pytest
from docx.oxml.ns import qn

from agent.documents.docx import as_docx
from agent.documents.html import as_html
from agent.incident.clocks import clocks
from agent.incident.first_report import FirstReport
from agent.incident.records import Affected, Incident, Step
from agent.incident.wording import Wording
from config.schema import Settings
from config.text import LANGUAGES, Text

FOUND = datetime(2026, 11, 23, 3, 58, 3, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>\x1b[31m\x00\ud800'


def incident(**changes):
    deeds = [
        {"user": "cashier1", "session": "c9", "program": "/usr/bin/tar", "command": "tar czf all.tgz share",
         "client": "", "first": FOUND.timestamp(), "last": FOUND.timestamp() + 1, "files": 5, "persons": 480,
         "refused": 31, "suspect": True},
    ]  # fmt: skip
    values = {
        "id": "I20261123-1a2b", "kind": "insider", "phase": "responding", "machine": True, "summary": "拷贝会员名单",
        "place": "收银台后办公室", "types": ("PERSON", "PHONE_NUMBER"), "by": "cloche", "scope": "alerts",
        "discovered_at": FOUND, "occurred_at": None, "reported_at": None,
        "declared_at": FOUND + timedelta(seconds=1), "handling_ended_at": None, "closed_at": None, "files": 2,
        "persons": 30_480, "left_files": 5, "left_persons": 480, "left_seconds": 0.8123,
        "items": tuple(
            Affected(key=name, path=b"/x", name=name, persons=persons, types=("PHONE_NUMBER",), state=state)
            for name, persons, state in (("会员.xlsx", 30_000, "vault"), ("预订.csv", 480, "fenced"))
        ),
        "steps": (
            Step(time=FOUND, act="declare", actor="cloche", details={"scope": "alerts", "files": 2}),
            Step(time=FOUND, act="vault", actor="cloche", ok=False, details={
                "vaulted": 1, "fenced": 1, "files": 2, "count": 1, "causes": {"in_use": 1},
                "reason_key": "incident.not_contained"}),
            Step(time=FOUND, act="evidence", actor="cloche",
                 details={"events": 36, "processes": 1, "hashes": 2, "deeds": deeds}),
        ),
    }  # fmt: skip
    return Incident(**{**values, **changes})


def build(language="zh-CN", **changes):
    settings = Settings.model_validate(
        {"store": {"name": "测试一店"}, "people": [{"name": "测试甲", "roles": ["response_lead"]}]}
    )
    found, now = incident(**changes), FOUND + timedelta(hours=2, minutes=13)
    wording = Wording(Text(language), ZoneInfo("Asia/Shanghai"))
    return FirstReport(found, clocks(found, now), settings, wording).build(now)


def words_of(content):
    """All text of a docx, tables included, in order."""
    root = docx.Document(io.BytesIO(content)).element.body
    return "\n".join(node.text or "" for node in root.iter(qn("w:t")))


@pytest.mark.parametrize("render", [lambda report: as_html(report).decode(), lambda report: words_of(as_docx(report))])
def test_it_tells_time_place_types_impact_what_was_done_who_and_what_is_due(render):
    text = re.sub(r"<[^>]+>", "", render(build()))
    for wanted in (
        "2026-11-23 11:58:03", "收银台后办公室", "姓名、电话号码", "30,480", "会员.xlsx", "0.812", "已进隔离区",
        "已封锁，未进隔离区", "有程序正在写入 1", "cashier1", "tar czf all.tgz share", "已过 02:13", "未核实",
        "个人信息保护法", "补救措施", "测试甲", "事件的原因和方式是什么", "不构成法律意见",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_it_speaks_english_as_well():
    text = re.sub(r"<[^>]+>", "", as_html(build("en")).decode())
    for wanted in (
        "names, phone numbers",
        "in the quarantine vault",
        "02:13 since",
        "NOT verified",
        "not legal advice",
    ):
        assert wanted in text, wanted
    assert "电话号码" not in text


def test_below_a_threshold_it_never_says_that_no_report_is_needed():
    for language in LANGUAGES:
        text = as_html(build(language, persons=1)).decode()
        assert "目前已知人数未达门槛" in text or "below the threshold" in text
        assert text.count("不等于不需要报告") == len(re.findall("无需报告|不需要报告|无须报告", text))
        assert text.count("does not mean that no report is needed") == len(re.findall("no report is needed", text))


def test_what_is_not_known_is_said_and_not_left_blank():
    text = as_html(build(items=(), types=(), persons=0, files=0, left_files=None, steps=())).decode()
    assert text.count("尚不清楚") >= 4
    assert "没有访问记录（不等于没有人读过）" in text


def test_a_file_that_was_never_scanned_is_an_open_question():
    stranger = Affected(key="", path=b"/y", name="陌生.bin", persons=0, state="vault")
    text = as_html(build(items=(stranger,), types=(), persons=0)).decode()
    assert "这些文件没有扫描过" in text
    assert "有 1 个涉及的文件没有扫描过" in text


def test_hostile_words_stay_words():
    report = build(summary=HOSTILE, place=HOSTILE)
    page = as_html(report).decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in re.sub(r'http-equiv="[^"]+"', "", page)
    assert "<script>" in words_of(as_docx(report))


def test_a_list_of_a_thousand_files_is_cut_and_says_so():
    items = tuple(
        Affected(key=str(n), path=b"/x", name=f"f{n}", persons=n, types=("PERSON",), state="vault") for n in range(1000)
    )
    assert "另有 970 个文件未列出" in as_html(build(items=items)).decode()


def test_word_and_wps_are_told_a_chinese_font_and_headings_repeat_over_pages():
    with zipfile.ZipFile(io.BytesIO(as_docx(build()))) as archive:
        styles = archive.read("word/styles.xml").decode()
        body = archive.read("word/document.xml").decode()
    assert styles.count('w:eastAsia="Microsoft YaHei"') >= 4
    assert "w:tblHeader" in body
    assert "w:cantSplit" in body


@pytest.mark.needs("libreoffice", "pdftotext")
def test_libreoffice_opens_it_and_shows_the_chinese(tmp_path):
    (tmp_path / "report.docx").write_bytes(as_docx(build()))
    subprocess.run(
        ["libreoffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "pdf",
         "--outdir", tmp_path, tmp_path / "report.docx"],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    shown = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "report.pdf", "-"], check=True, capture_output=True, text=True
    ).stdout
    assert "事故报告（首次）" in shown
    assert "已进隔离区" in shown
