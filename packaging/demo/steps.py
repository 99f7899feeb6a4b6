"""The steps of the demo, in order. Each is a fact that a person could check, and fails if it isn't so."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import head_office
import samba
from compare import facts_of, tree
from pictures import picture
from processes import BIN, StepError, free_port
from stage import Stage

BOUND_FILES: Final = 5
BOUND_PERSONS: Final = 500
CALM_SECONDS: Final = 4.0  # what the till is compared with: the guard watches, nobody scans and nobody steals


def step_prepare(stage: Stage) -> None:
    """Head office, enrolment, guard, daemon, link, till: all of them processes of their own."""
    calls, port = stage.processes, free_port()
    hq = ("--home", stage.head_office)
    made = json.loads(
        calls.call(
            BIN / "cloche-hq",
            "init",
            *hq,
            "--name",
            "总部",
            "--host",
            "127.0.0.1",
            "--second-factor",
            "offered",
            "--json",
        )
    )
    stage.facts["passphrase"] = made["passphrase"]
    stage.facts["sheet"] = stage.output / "chain.key"
    calls.call(BIN / "cloche-hq", "keys", "init", *hq, "--recovery-file", stage.output / "chain.key", "--json",
               stdin=f"{made['passphrase']}\n")  # fmt: skip
    calls.start("hq", BIN / "cloche-hq", "serve", *hq, "--host", "127.0.0.1", "--port", str(port))
    stage.facts["url"] = f"https://127.0.0.1:{port}"
    calls.wait_for("head office", lambda: listening(port))
    token = json.loads(calls.call(BIN / "cloche-hq", "token", *hq, "--store-name", "测试一店", "--json"))["token"]

    stage.facts["before"] = tree(stage.share)  # before the guard counts whoever reads
    if not stage.given:
        stage.facts["reservations"] = facts_of(stage.store / "预订" / "预订名单.pdf")[0]
    stage.home.mkdir(mode=0o711)
    till = stage.output / "till" / "till"
    (stage.home / "cloche.toml").write_text(
        f'[store]\nname = "测试一店"\n[watch]\nresponse = "stop"\nprotected_programs = ["{till}"]\n',
        encoding="utf-8",
    )
    # a till is a program of its own: protecting the interpreter would protect every script
    till.parent.mkdir(mode=0o755)
    shutil.copy(Path(sys.executable).resolve(), till)
    calls.cloche("enrol", str(stage.facts["url"]), "--token", token)
    doctor = calls.cloche("doctor", codes=(0, 3))
    stage.blocking = doctor["tier"] == "full"
    if stage.blocking:
        stage.guard = calls.start("guard", BIN / "cloche-guard", "--home", stage.home)
        calls.wait_for("guard", (stage.home / "run" / "guard.sock").exists)
    else:
        stage.tell("reduced")
        stage.not_shown.append(next(check["why"] for check in doctor["checks"] if check["name"] == "watch"))
    calls.start("daemon", BIN / "cloche", "--home", stage.home, "daemon")
    calls.wait_for("daemon", (stage.home / "run" / "control.sock").exists)
    calls.start("link", BIN / "cloche-link", "--home", stage.home)
    if not stage.given:
        stage.facts["times"] = stage.logs / "till.times"
        calls.start("till", till, Path(__file__).with_name("till.py"), stage.store / "收银" / "orders.db",
                    stage.logs / "printer.spool", stage.facts["times"],
                    environment={"PYTHONHOME": sys.base_prefix})  # fmt: skip


def listening(port: int) -> bool:
    """Somebody accepts on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def step_scan(stage: Stage) -> None:
    """The summary a person would see, and the page."""
    page = stage.results / "scan.html"
    summary = stage.processes.call(BIN / "cloche", "scan", stage.store, "--html", page, codes=(0, 3))
    stage.words.line(summary.rstrip())
    stage.leavings += [page, *picture(stage, page.as_uri(), "scan.png")]
    if not stage.processes.cloche("inventory", "list")["items"]:
        stage.tell("nothing_found")
        stage.ended = True


def step_protect(stage: Stage) -> None:
    """Everything but the share, the till's database and what prints."""
    if stage.given:
        quiet = [path for path in sorted(stage.store.iterdir()) if path.is_dir()][:1]
    else:
        names = ("会员", "备份", "预订")
        quiet = [stage.store / name for name in names]
    if not quiet:
        return
    done = stage.processes.cloche("protect", *quiet, "--yes", codes=(0, 3))
    stage.tell("protected", sealed=len(done["sealed"]), refused=len(done["refused"]))


def step_open(stage: Stage) -> None:
    """One sealed document is needed, now."""
    if stage.given:
        return
    opened = stage.results / "预订名单.pdf"
    began = time.monotonic()
    stage.processes.cloche("open", stage.store / "预订" / "预订名单.pdf.cloche", "-o", opened, "--key-file",
                           str(stage.facts["sheet"]), "--reason", "11:58 核对午市预订")  # fmt: skip
    seconds = time.monotonic() - began
    same = stage.check(facts_of(opened)[0] == stage.facts["reservations"])
    stage.tell("opened", seconds=seconds, same=same)
    acts = [json.loads(line) for line in (stage.home / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    for act in acts[-3:]:
        if act["act"].startswith(("open", "file.open", "sealed.open")):
            stage.words.line(
                f"{act['time']}  {act['act']}  {act['actor']}  {json.dumps(act['details'], ensure_ascii=False)}"
            )


def step_thief(stage: Stage) -> None:
    """`tar` over the share, as a process of somebody else's session."""
    loot = stage.output / "loot.tar"
    stage.words.line(stage.words("step_thief", how=f"tar cf loot.tar {stage.share.name}"))
    if not stage.given:
        time.sleep(CALM_SECONDS)
    stage.facts["theft"] = time.time()
    thief = stage.processes.start("thief", "tar", "cf", loot, "-C", stage.share, ".")
    if not stage.blocking:
        thief.wait(60)
        time.sleep(3)
        alerts = stage.processes.cloche("status")["alerts"]
        stage.processes.stop(thief)
        stage.not_shown.append(stage.words("samba_absent"))
        stage.tell("thief_free", files=len(names_in(loot)), alerts=alerts)
        return
    stage.processes.wait_for(
        "the thief to be stopped", lambda: state_of(thief.pid) == "T" or thief.poll() is not None, 20
    )
    if thief.poll() is not None:
        raise StepError("the thief was not stopped")
    stage.processes.wait_for("the alert", lambda: stage.processes.cloche("status")["alerts"] > 0, 10)
    crossing = last_crossing(stage)
    files, persons = crossing["files"], crossing["persons"]
    stage.check(len(names_in(loot)) <= files <= BOUND_FILES and persons <= BOUND_PERSONS)
    if not stage.given:
        seen = set(re.findall(r"1380\d{7}", loot.read_bytes().decode("utf-8", "replace")))
        stage.check(len(seen) <= persons)
    stage.tell("thief", files=files, persons=persons, milliseconds=crossing["stopped_ms"])
    stage.facts["thief"] = thief
    if not stage.given:
        samba.show(stage)
        time.sleep(1)
        till_figures(stage)


def names_in(archive: Path) -> set[str]:
    """Names of the files whose content is whole in a cut tar."""
    listed = subprocess.run(["tar", "tvf", archive], capture_output=True, text=True, check=False).stdout
    names = [line.split(maxsplit=5)[5] for line in listed.splitlines() if line.startswith("-")]
    size = archive.stat().st_size
    out, place = set(), 0
    for line, name in zip([row for row in listed.splitlines() if row.startswith("-")], names, strict=True):
        length = int(line.split()[2])
        place += 512 + (length + 511) // 512 * 512
        if length and place <= size:
            out.add(name.rpartition("/")[2])
    return out


def state_of(pid: int) -> str:
    """One letter of proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "?"


def last_crossing(stage: Stage) -> dict[str, Any]:
    """The crossing as the guard measured it."""
    lines = stage.processes.call(BIN / "cloche", "watch", "--json", "--once").splitlines()
    events = [json.loads(line) for line in lines]
    crossings = [event for event in events if event["event"] == "crossing" and event["stopped_ms"] is not None]
    if not crossings:
        raise StepError("no alert says how fast the thief was stopped")
    return crossings[-1]


def till_figures(stage: Stage) -> None:
    """What the till felt."""
    sales = [tuple(map(float, line.split())) for line in Path(str(stage.facts["times"])).read_text().splitlines()]
    theft = float(str(stage.facts["theft"]))
    before = [milliseconds for at, milliseconds in sales if theft - CALM_SECONDS < at <= theft]
    during = [milliseconds for at, milliseconds in sales if theft < at]
    failed = (stage.logs / "till.log").read_text().count("Error")
    stage.check(failed == 0)
    stage.tell("till", before=p99(before), during=p99(during), sales_before=len(before), sales_during=len(during),
               failed=failed)  # fmt: skip


def p99(values: list[float]) -> float:
    """The 99th percentile, nearest rank."""
    return sorted(values)[max(0, -(-99 * len(values) // 100) - 1)] if values else float("nan")


def step_declare(stage: Stage) -> None:
    """A person confirms what the guard stopped."""
    began = time.monotonic()
    scope = "alerts" if stage.blocking else "strays"
    done = stage.processes.cloche("incident", "declare", "--kind", "insider", "--summary", "共享文件夹被人复制",
                                  "--scope", scope, "--yes", codes=(0, 3))  # fmt: skip
    seconds = time.monotonic() - began
    stage.facts["incident"], stage.facts["declared"] = done["id"], time.time()
    vaulted = len([item for item in done["items"] if item["state"] == "vault"])
    stage.tell("declared", id=done["id"], vaulted=vaulted, seconds=seconds)
    stage.words.line(stage.processes.call(BIN / "cloche", "incident", "show", done["id"]).rstrip())
    for path in sorted((stage.home / "documents" / done["id"]).iterdir()):
        kept = stage.results / path.name
        shutil.copy(path, kept)
        stage.leavings.append(kept)
        if kept.suffix == ".html":
            stage.leavings += picture(stage, kept.as_uri(), f"{kept.stem}.png")


def step_hq(stage: Stage) -> None:
    """The page of head office shows the incident."""
    waited = head_office.wait_for(stage, str(stage.facts["incident"]), 30)
    if waited is None:
        stage.wrong = True
        stage.tell("hq_missing", seconds=30)
        return
    stage.tell("hq", seconds=waited)
    stage.leavings += head_office.save(stage)


def step_release(stage: Stage) -> None:
    """A false alarm: one command, and all is as it was."""
    thief = stage.facts.get("thief")
    if isinstance(thief, subprocess.Popen):
        thief.send_signal(signal.SIGKILL)
        stage.processes.stop(thief)
    stage.processes.cloche("incident", "dismiss", str(stage.facts["incident"]), "--yes")
    audit = stage.processes.cloche("audit", "verify")
    if stage.blocking:
        stage.processes.stop(stage.guard)  # the comparison reads every file: the guard would stop it too
    after = tree(stage.share)
    same = stage.check(after == stage.facts["before"])
    stage.tell("released", files=len(after), same=same)
    intact = bool(audit["ok"])
    stage.check(intact)
    stage.tell("audit", state=stage.words("intact" if intact else "broken"))


STEPS: Final[tuple[Callable[[Stage], None], ...]] = (
    step_prepare, step_scan, step_protect, step_open, step_thief, step_declare, step_hq, step_release,
)  # fmt: skip
