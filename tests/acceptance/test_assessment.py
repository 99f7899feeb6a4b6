"""五.3 评估机制: regular assessment, internal audit and external review, as a person does it from the keyboard.

A store with planted weaknesses: each is found with its evidence, put right by the command that the assessment itself
names, and gone from the list; then an outsider verifies the bundle without Cloche.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.assess.machine import Machine
from agent.cli import cloche
from config.errors import ClocheError

SETTINGS = """
[store]
name = "测试一店"
province = "上海市"
[scan]
roots = ["{share}"]
names = false
[[people]]
name = "王测试"
roles = ["security_lead", "response_lead"]
phone = "13800000000"
[[people]]
name = "李样例"
roles = ["legal", "store_manager"]
email = "li@example.com"
"""


class Typed:
    """What a command answered."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def document(self):
        return json.loads(self.out)


class Keyboard:
    """Commands typed into this process: a process each would cost a second each."""

    def __init__(self, home):
        self.home = home

    def cloche(self, *arguments):
        done = CliRunner().invoke(cloche, [*map(str, arguments)], standalone_mode=False)
        if isinstance(done.exception, ClocheError):
            return Typed(int(done.exception.exit_code), done.stdout, str(done.exception))
        if done.exception is not None:
            raise done.exception
        return Typed(int(done.return_value or 0), done.stdout, done.stderr)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOCHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Machine, "pending_updates", lambda _machine: (0, 0))  # apt takes seconds without its cache
    return Keyboard(tmp_path / "home")


@pytest.fixture
def share(shop) -> Iterator[Path]:
    """A folder that everybody may enter, with an old export, a fresh list and a backup, all in the open."""
    base = Path(tempfile.mkdtemp(dir="/var/tmp"))
    base.chmod(0o755)
    folder = base / "前台"
    folder.mkdir(mode=0o755)
    rows = "".join(f"测试{number},1380000{number:04d}\n" for number in range(200))
    for name in ("会员.csv", "预订.csv"):
        (folder / name).write_text("姓名,手机号\n" + rows, encoding="utf-8")
    rows_of_dump = ",\n".join(f"('测试{number}','1380000{number:04d}')" for number in range(50))
    (folder / "members.sql").write_text(
        "CREATE TABLE members (name varchar(20), phone varchar(20));\nINSERT INTO members VALUES\n"
        + rows_of_dump
        + ";\n",
        encoding="utf-8",
    )
    for path in folder.iterdir():
        path.chmod(0o600)
    (folder / "预订.csv").chmod(0o644)
    old = time.time() - 300 * 86_400
    os.utime(folder / "会员.csv", (old, old))
    shop.home.mkdir()
    (shop.home / "cloche.toml").write_text(SETTINGS.format(share=folder), encoding="utf-8")
    yield folder
    shutil.rmtree(base)


def states(shop):
    """One assessment: the state of each measure, and what was said of it."""
    answer = shop.cloche("assess", "--json")
    assert answer.code == 0, answer.err
    measures = answer.document["measures"]
    return {one["id"]: one["state"] for one in measures}, {one["id"]: "\n".join(one["said"]) for one in measures}


def test_planted_weaknesses_are_found_put_right_and_gone(shop, share, tmp_path):
    staff = tmp_path / "staff.csv"
    staff.write_text("工号,姓名,岗位,门店,入职日期\nT001,陈样例,服务员,测试一店,2024-01-02\n", encoding="utf-8")
    program = tmp_path / "frpc"
    shutil.copy("/bin/sleep", program)
    assert shop.cloche("scan").code in (0, 3)
    imported = shop.cloche("training", "staff", "import", staff, "--yes")
    assert imported.code == 0, imported.err
    course = course_of(shop)
    long_ago = shop.cloche("training", "record", "--course", course, "--staff", "T001", "--result", "passed",
                           "--on", "2024-02-01")  # fmt: skip
    assert long_ago.code == 0, long_ago.err
    tunnel = subprocess.Popen([str(program), "600"])
    try:
        before, said = states(shop)
    finally:
        tunnel.kill()
        tunnel.wait()
    for name, evidence in (
        ("world_readable", "预订.csv"), ("stale_exports", "会员.csv"), ("plain_backups", "members.sql"),
        ("remote_tools", "frpc"), ("training", "陈**"), ("keys", "没有恢复密钥"), ("restore_test", "从未"),
        ("blind_spots", "没有登记"), ("collection_register", "没有登记"), ("anchored", "链头"),
        ("roles", "信息管理员"), ("vendor_register", "没有登记"),
    ):  # fmt: skip
        assert before[name] in ("bad", "partial", "unknown"), name
        assert evidence in said[name], (name, said[name])

    tonight = shop.cloche("assess", "tonight", "--drafts", tmp_path, "--format", "docx", "--json")
    assert tonight.document["persons"] >= 200
    assert list(tmp_path.glob("假设-*.zh-CN.docx"))
    assert shop.cloche("incident", "list", "--json").document["incidents"] == []

    key = tmp_path / "key.txt"
    for line in (
        ("keys", "init", "--recovery-file", key),
        ("assess", "dispose", "--seal", "--older-than", "90", "--yes"),
        ("assess", "dispose", "--seal", "--exposed", "--backups", "--yes"),
        ("keys", "recover", "--key-file", key),
        ("training", "record", "--course", course, "--staff", "T001", "--result", "passed"),
        ("assess", "attest", "restore", "--by", "王测试", "--note", "会员库"),
        ("assess", "collection", "add", "member", "--purpose", "积分", "--basis", "consent", "--retention-days", "365",
         "--path", share),
    ):  # fmt: skip
        done = shop.cloche(*line)
        assert done.code == 0, (line, done.out, done.err)
    after, said = states(shop)
    for name in ("world_readable", "stale_exports", "plain_backups", "remote_tools", "keys", "restore_test",
                 "collection_register"):  # fmt: skip
        assert after[name] == "good", (name, said[name])

    shown = shop.cloche("assess", "--html", tmp_path / "report.html", "--dry-run")
    assert "接下来做这五件事" in shown.out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "顾客信息保护评估报告" in page
    assert "1380000" not in page + shown.out
    assert "上次" in shown.out


def course_of(shop):
    """A course that the newcomer owes."""
    due = shop.cloche("training", "due", "--json").document
    return next(entry["what"] for entry in due["due"] if entry["kind"] == "course")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="absent: openssl")
def test_an_outside_reviewer_verifies_the_bundle_without_cloche(shop, share, tmp_path):
    assert shop.cloche("scan").code in (0, 3)
    said = ("--kind", "insider", "--summary", "有人拷贝名单", "--path", share / "会员.csv", "--yes")
    assert shop.cloche("keys", "init", "--recovery-file", tmp_path / "key.txt").code == 0
    declared = shop.cloche("incident", "declare", *said, "--json")
    assert declared.code in (0, 3), declared.err
    states(shop)
    export = shop.cloche("audit", "export", "-o", tmp_path / "audit.zip")
    assert export.code == 0, export.err
    with zipfile.ZipFile(tmp_path / "audit.zip") as archive:
        archive.extractall(tmp_path / "outside")
    verify = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "outside/verify.py")], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert verify.returncode == 0, verify.stdout
    assert "1 timelines" in verify.stdout
    anchor = export.out.strip().splitlines()[-1]
    assert shop.cloche("audit", "verify", "--anchor", anchor).code == 0
    log = shop.home / "audit.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-3]))
    (shop.home / "audit.head.json").unlink()
    cut = shop.cloche("audit", "verify", "--anchor", anchor)
    assert cut.code == 1
    assert "cut" in cut.err
