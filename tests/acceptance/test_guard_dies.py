"""The guard is killed under a running daemon, in mid-scan: everything it had been told is in force again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

CLOCHE = Path(sys.executable).parent / "cloche"
FILES = 40


def responder_of(guard: subprocess.Popen[bytes]) -> int:
    """The process that answers: the watcher's child; 0 between two of them."""
    children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
    return int(children[0]) if children else 0


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def steal(shop: Shop, loot: Path) -> int:
    """Copy everything; how many customer files got out before the thief was stopped."""
    thief = shop.start("thief", "tar", "cf", loot, "-C", shop.folder, ".")
    shop.wait(lambda: thief.poll() is not None or state_of(thief.pid) in "TZ", 10)
    shop.running.remove(thief)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(thief.pid, signal.SIGKILL)
    thief.wait()
    out = subprocess.run(["tar", "xOf", loot], capture_output=True, check=False).stdout.decode(errors="replace")
    return out.count("姓名,手机号")


@pytest.mark.needs("root", "fanotify", "tar")
def test_marks_exemptions_denials_and_policy_come_back_while_a_scan_runs(shop: Shop) -> None:
    for number in range(FILES):
        rows = "".join(f"王测试,1380{number * 50 + n:07d}\n" for n in range(20))
        (shop.folder / f"导出{number:02d}.csv").write_text("姓名,手机号\n" + rows)
    shop.variables = {"CLOCHE_SCAN__ROOTS": f'["{shop.folder}"]', "CLOCHE_WATCH__RESPONSE": "stop"}
    guard = shop.start_guard()
    shop.start_daemon()
    shop.wait(lambda: bool(shop.cloche("status", "--json").document["last_scan"]))
    denied = shop.folder / "导出39.csv"
    declared = shop.cloche(
        "incident", "declare", "--kind", "insider", "--summary", "测试", "--path", denied, "--yes", "--json"
    )
    assert declared.code == 3, "without keys it denies and fences, and says that the vault is missing"
    assert denied.stat().st_mode & 0o777 == 0

    scan = subprocess.Popen(
        [CLOCHE, "scan", shop.folder, "--json"],
        env=shop.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    killed = 0
    while scan.poll() is None and killed < 3:
        pid = responder_of(guard)
        if pid:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        shop.wait(lambda before=pid: responder_of(guard) not in (0, before), 10)
    out, _ = scan.communicate(timeout=90)
    assert killed == 3
    assert scan.returncode in (0, 3), "no worker may have been taken for a thief"
    assert out

    def tier() -> str:
        return str(shop.cloche("status", "--json").document["tier"])

    shop.wait(lambda: tier() in ("pre_access", "permission"), 10)
    refused = subprocess.run(["cat", denied], capture_output=True, check=False)
    assert refused.returncode == 1, "the denial is back, for root too"
    assert steal(shop, shop.home.parent / "loot.tar") <= 5
    alerts = (shop.home / "audit.jsonl").read_text()
    assert alerts.count('"watch.bound"') == 1, "the thief alone crossed the bound"
