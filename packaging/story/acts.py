"""The acts of the story, in the order of the emergency plan. Each fails if the plan was not kept."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Final

from processes import BIN
from stage import LAWYER, LEAD, MANAGER, SERVICE, TECHNICIAN, Stage

DRAFT_SECONDS: Final = 60.0


def act_prepare(stage: Stage) -> None:
    """一 Before anything happens: keys, a scan, a baseline, people who can be reached."""
    stage.home.mkdir(mode=0o711)
    settings = stage.home / "cloche.toml"
    settings.write_text(stage.settings(), encoding="utf-8")
    settings.chmod(0o600)
    stage.run("keys", "init", "--recovery-file", stage.key)
    stage.run("scan", stage.store, codes=(0, 3))
    stage.processes.start("daemon", BIN / "cloche", "--home", stage.home, "daemon")
    stage.processes.wait_for("daemon", (stage.home / "run" / "control.sock").exists)
    stage.processes.start("link", BIN / "cloche-link", "--home", stage.home)
    stage.processes.wait_for("the page", lambda: bool(_page(stage)), 30)
    stage.run("page", "qr", "-o", stage.papers / "report-page-qr.svg")
    stage.run("message", "test", LEAD)
    stage.mail(LEAD)
    stage.run("check", "baseline", "--reason", "story", "--yes")


def act_report(stage: Stage) -> None:
    """四.1 A waiter reports through the page; the right people are woken, nothing is contained."""
    form = {
        "what": "办公室电脑上有人把储值卡名单拷到U盘", "kind": "insider", "when": "", "place": "测试一店 办公室",
        "name": "孙练习", "contact": "",
    }  # fmt: skip
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(_address(stage), data=body, timeout=10) as answer:
        stage.must(answer.status == 200, "the page did not take the report")
    stage.processes.wait_for("the report", lambda: bool(stage.ask("incident", "list")["incidents"]), 40)
    stage.incident = stage.ask("incident", "list")["incidents"][0]["id"]
    stage.mail(LEAD, stage.incident)
    stage.run("incident", "show", "latest", codes=(0, 3))
    stage.must((stage.store / "会员" / "储值卡.xlsx").exists(), "a report contains nothing")


def act_declare(stage: Stage) -> None:
    """四.2 启动应急预案: contained at once, orders given, drafts for the authority within a minute."""
    began = time.monotonic()
    stage.run(
        "incident", "declare", "--incident", stage.incident, "--kind", "insider", "--summary", "储值卡名单被拷走",
        "--path", stage.store / "会员" / "储值卡.xlsx", "--path", stage.store / "预订", "--yes", codes=(0, 3),
    )  # fmt: skip
    stage.must(not (stage.store / "会员" / "储值卡.xlsx").exists(), "the affected file is still readable")
    drafts = stage.home / "documents" / stage.incident
    stage.processes.wait_for("a draft", lambda: any(drafts.rglob("*.pdf")), DRAFT_SECONDS)
    stage.words.line(stage.words("drafted", seconds=time.monotonic() - began))
    stage.run("incident", "drafts", "latest", codes=(0, 3))


def act_orders(stage: Stage) -> None:
    """四.2 指令下达: an order is acknowledged by the code that came with it, one more is given, one by telephone."""
    orders = {order["role"]: order["id"] for order in stage.ask("incident", "order", "latest")["orders"]}
    mail = stage.mail(TECHNICIAN, orders["tech_support"])
    stage.run("incident", "ack", orders["tech_support"], "--by", TECHNICIAN, "--code", mail.code)
    stage.run("incident", "ack", orders["store_manager"], "--by", MANAGER, "--done", "--note", "电话确认，现场已保护")
    stage.run(
        "incident", "order", "latest", "--role", "tech_support", "--what", "调取办公室监控录像", "--minutes", "120"
    )
    stage.run("incident", "order", "latest")


def act_investigate(stage: Stage) -> None:
    """四.3 技术调查: what the record shows, what people conclude."""
    stage.run("incident", "investigate", "latest", "show")
    stage.run("incident", "investigate", "latest", "question", "add", "U盘在谁手里")
    stage.run(
        "incident", "investigate", "latest", "conclude", "--manner", "通过办公室电脑的共享文件夹拷贝",
        "--cause", "导出文件长期放在共享文件夹，没有加密保护",
    )  # fmt: skip


def act_notice(stage: Stage) -> None:
    """四.3 客户通知: counted, drafted by law, approved by two, sent once each through the chain's own gateway."""
    stage.run("incident", "persons", "latest", "--count")
    stage.run("incident", "notify", "latest", "draft")
    stage.run("incident", "notify", "latest", "test", "--to", SERVICE, codes=(0, 3))
    stage.run("incident", "notify", "latest", "approve", codes=(0, 3, 4))
    stage.approve(LAWYER, f"notice:{stage.incident}")
    before = len(stage.outside.messages)
    stage.run("incident", "notify", "latest", "send", "--yes")
    wanted = stage.ask("incident", "persons", "latest")["reachable"]

    def told() -> int:
        return len({message["phone"] for message in stage.outside.messages[before:]})

    stage.processes.wait_for("customers to be told", lambda: told() >= wanted, 120)
    phones = [message["phone"] for message in stage.outside.messages[before:]]
    stage.must(len(phones) == len(set(phones)), "somebody was told twice")
    stage.must(not any(phone.startswith("1380099") for phone in phones), "a canary was told")
    stage.run("incident", "notify", "latest", "status")


def act_logistics(stage: Stage) -> None:
    """四.4 后勤保障: beside all this, people, material, the checklist, a photo, a thing that changes hands."""
    stage.run("incident", "logistics", "latest", "need", "备用电脑", "--quantity", "1")
    stage.run("incident", "logistics", "latest", "assign", "1", "--to", TECHNICIAN)
    stage.run("incident", "logistics", "latest", "done", "1")
    sheet = stage.papers / "on-site-checklist.html"
    stage.run("incident", "logistics", "latest", "sheet", "-o", sheet)
    photo = stage.output / "screen.png"
    photo.write_bytes(_small_picture())
    stage.run("incident", "logistics", "latest", "photo", photo, "--what", "办公室电脑屏幕", "--by", MANAGER)
    stage.run(
        "incident", "logistics", "latest", "custody", "--item", "办公室电脑", "--serial", "TEST-0001",
        "--from", MANAGER, "--to", TECHNICIAN, "--condition", "完好", "--seal", "S-0001",
    )  # fmt: skip
    stage.run("incident", "logistics", "latest", "custody", "--document")


def act_authorities(stage: Stage) -> None:
    """四.3 The lawyer: the clocks, what is missing, what was handed in, the package for the police."""
    stage.run("incident", "clocks", "latest")
    stage.run("incident", "fill", "latest", "trend", "已控制，未见扩散")
    stage.run(
        "incident", "submit", "latest", "cn-pipl/art-57", "--channel", "电话 12387", "--receipt", "TEST-1", codes=(0, 3)
    )
    stage.run("incident", "police", "latest", "-o", stage.papers / "police.zip", codes=(0, 3))
    stage.run("incident", "summary", "latest")


def act_clean(stage: Stage) -> None:
    """四.5 现场清理: every item decided, restored bit for bit, a check of the machine, the risk that remains."""
    stage.run("incident", "advance", "latest", codes=(0,))
    stage.run("incident", "clean", "latest", "show")
    stage.run(
        "incident", "clean", "latest", "release", "--undecided", "--reason", "已核实，收回共享", "--yes", codes=(0, 3)
    )
    stage.run("protect", stage.store / "会员", stage.store / "预订", "--yes", codes=(0, 3))
    stage.run(
        "incident", "clean", "latest", "accept-risk", "--risk", "U盘下落不明，名单可能继续流传", "--owner", LEAD,
        "--until", "2027-03-31",
    )  # fmt: skip
    stage.run("scan", stage.store, codes=(0, 3))
    found = stage.ask("check", "--incident", "latest", codes=(0, 3, 10))
    blocking = [finding["key"] for finding in found["findings"] if finding["blocks"]]
    if blocking:
        stage.run("check", "accept", *blocking, "--reason", "演示机器", codes=(0, 3))
        stage.run("check", "--incident", "latest", codes=(0, 3, 10))


def act_report_after(stage: Stage) -> None:
    """四.6 事后报告 within 48 h: drafted, commented, approved, handed in."""
    last = stage.ask("check", "--last", codes=(0, 3, 10))
    why = () if last["clean"] else ("--override", "演示机器不是专用服务器，检查项已逐条说明")
    stage.run("incident", "advance", "latest", *why)
    stage.run("incident", "final", "latest", "draft", codes=(0, 3))
    stage.run(
        "incident", "final", "latest", "improve", "导出文件一律加密保护", "--owner", TECHNICIAN, "--due", "2026-12-31"
    )
    stage.run("incident", "final", "latest", "comment", "请补充监控录像情况")
    stage.run("incident", "final", "latest", "draft", codes=(0, 3))
    stage.run("incident", "final", "latest", "approve", codes=(0, 3, 4))
    stage.run("incident", "final", "latest", "submit", "--channel", "书面", "--incomplete", "演示数据", codes=(0, 3))


def act_close(stage: Stage) -> None:
    """Orders ended, closed, verified; the record for an outsider."""
    for order in stage.ask("incident", "order", "latest")["orders"]:
        if not order["ended_at"]:
            stage.processes.call(BIN / "cloche", "incident", "ack", order["id"], "--done", "--note", "已完成")
    last = stage.ask("check", "--last", codes=(0, 3, 10))
    why = () if last["clean"] else ("--override", "同上")
    stage.run("incident", "close", "latest", "--yes", *why)
    stage.must(stage.ask("incident", "show", stage.incident)["phase"] == "closed", "the incident is not closed")
    stage.run("incident", "verify", stage.incident)
    stage.run("audit", "verify")
    bundle = stage.papers / "audit.zip"
    stage.run("audit", "export", "-o", bundle)
    outside = stage.output / "auditor"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(outside)
    verifier = next(outside.rglob("verify.py"))
    done = subprocess.run([sys.executable, "-I", str(verifier)], capture_output=True, text=True, check=False)
    stage.words.answer(done.stdout + done.stderr)
    stage.must(done.returncode in (0, 3), f"the outside verifier says {done.returncode}")


def act_around(stage: Stage) -> None:
    """五 Training, drills, vendors, assessment: what makes the next one smaller."""
    staff = stage.output / "staff.csv"
    staff.write_text(
        "工号,姓名,岗位,门店\nT001,赵练习,store_manager,测试一店\nT002,孙练习,staff,测试一店\n", encoding="utf-8"
    )
    stage.run("training", "staff", "import", staff)
    stage.run("training", "due", codes=(0, 3))
    stage.run("training", "card", "-o", stage.papers / "card.pdf")
    stage.run("drill", "run", "--scenario", "insider", codes=(0, 3))
    stage.run("assess", "-o", stage.papers / "assessment", codes=(0, 3))
    stage.run("assess", "tonight", codes=(0, 3))


def act_papers(stage: Stage) -> None:
    """All papers of the incident, in one folder."""
    documents = stage.home / "documents" / stage.incident
    for path in sorted(documents.rglob("*")):
        if path.is_file():
            stage.keep(path, path.name)
    kept = {path.suffix for path in stage.papers.iterdir()}
    stage.must({".pdf", ".docx", ".html"} <= kept, "papers are missing")


def _page(stage: Stage) -> bytes:
    try:
        with urllib.request.urlopen(_address(stage), timeout=2) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


def _address(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.port}/"


def _small_picture() -> bytes:
    """A PNG of one grey dot (RFC 2083)."""
    return bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
        "0000000a49444154789c63680000008200814c17d7df0000000049454e44ae426082"
    )


ACTS: Final[tuple[Callable[[Stage], None], ...]] = (
    act_prepare, act_report, act_declare, act_orders, act_investigate, act_notice, act_logistics, act_authorities,
    act_clean, act_report_after, act_close, act_around, act_papers,
)  # fmt: skip
