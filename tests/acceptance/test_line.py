"""The line, end to end, on a real store folder: with the daemon and the guard, and without either."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

BIN = Path(sys.executable).parent


def list_of(count: int, start: int = 0) -> str:
    return "姓名,手机号,邮箱\n" + "".join(
        f"王测试,1380{start + n:07d},test{start + n}@example.com\n" for n in range(count)
    )


def facts(path: Path) -> tuple[str, int, int, int, int]:
    found = path.lstat()
    return hashlib.sha256(path.read_bytes()).hexdigest(), found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns


def tree(folder: Path) -> dict[str, tuple[str, int, int, int, int]]:
    return {str(path.relative_to(folder)): facts(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def fill(folder: Path, files: int = 12, rows: int = 90) -> None:
    for number in range(files):
        path = folder / f"导出{number:02d}.csv"
        path.write_text(list_of(rows, number * rows))
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


def test_scan_protect_unprotect_and_nothing_has_changed(shop: Shop) -> None:
    fill(shop.folder)
    before = tree(shop.folder)
    scan = shop.cloche("scan", shop.folder, "--json")
    assert scan.code == 0, scan.err
    coverage = scan.document["coverage"]
    assert coverage["listed"] == 12 == coverage["read"] + coverage["partial"] + coverage["unread"] + coverage["skipped"]
    assert all(item["level"] >= 2 for item in scan.document["items"])
    key = shop.home.parent / "sheet.key"
    assert shop.cloche("protect", shop.folder, "--yes").code == 4, "no keys yet"
    assert shop.cloche("keys", "init", "--recovery-file", key).code == 0
    protected = shop.cloche("protect", shop.folder, "--yes", "--json")
    assert protected.code == 0, protected.err
    assert sorted(path.suffix for path in shop.folder.iterdir()) == [".cloche"] * 12
    assert shop.cloche("unprotect", shop.folder).code == 4, "no key given"
    assert shop.cloche("unprotect", shop.folder, "--key-file", key).code == 0
    assert tree(shop.folder) == before


def test_declare_and_a_false_alarm_without_a_daemon(shop: Shop) -> None:
    fill(shop.folder, files=4)
    before = tree(shop.folder)
    key = shop.home.parent / "sheet.key"
    assert shop.cloche("scan", shop.folder).code == 0
    assert shop.cloche("keys", "init", "--recovery-file", key).code == 0
    declared = shop.cloche(
        "incident", "declare", "--kind", "insider", "--summary", "测试", "--path", shop.folder, "--yes", "--json"
    )
    assert declared.code == 0, declared.err
    incident = declared.document["id"]
    assert not list(shop.folder.glob("*.csv"))
    assert len(list(shop.folder.glob("*.已隔离.txt"))) == 4
    documents = list((shop.home / "documents" / incident).iterdir())
    assert {path.suffix for path in documents} >= {".docx", ".html"}
    undone = shop.cloche("incident", "dismiss", incident, "--yes", "--key-file", key, "--json")
    assert undone.code == 0, undone.err
    assert tree(shop.folder) == before
    assert shop.cloche("audit", "verify").code == 0


@pytest.mark.needs("root", "fanotify", "tar")
def test_a_thief_gets_at_most_the_bound_and_an_undone_alarm_leaves_no_trace(shop: Shop) -> None:
    fill(shop.folder)
    before = tree(shop.folder)
    shop.variables = {"CLOCHE_SCAN__ROOTS": f'["{shop.folder}"]', "CLOCHE_WATCH__RESPONSE": "stop"}
    assert shop.cloche("keys", "init", "--recovery-file", shop.home.parent / "sheet.key").code == 0
    shop.start_guard()
    shop.start_daemon()
    shop.wait(lambda: bool(shop.cloche("status", "--json").document["last_scan"]))
    loot = shop.home.parent / "loot.tar"
    thief = shop.start("thief", "tar", "cf", loot, "-C", shop.folder, ".")
    state = Path(f"/proc/{thief.pid}/stat")
    shop.wait(lambda: state.read_text().rpartition(")")[2].split()[0] in "TZ", 10)
    assert state.read_text().rpartition(")")[2].split()[0] == "T", "the thief must be stopped, not done"
    shop.wait(lambda: shop.cloche("status", "--json").document["alerts"] > 0, 10)
    shop.running.remove(thief)
    thief.kill()
    thief.wait()
    out = subprocess.run(["tar", "xOf", loot], capture_output=True, check=False).stdout.decode(errors="replace")
    assert out.count("@example.com") <= 500
    assert out.count("姓名,手机号") <= 5
    declared = shop.cloche(
        "incident", "declare", "--kind", "insider", "--summary", "测试", "--scope", "alerts", "--yes", "--json"
    )
    assert declared.code == 0, declared.err
    touched = {name for name in before if not (shop.folder / name).exists()}
    assert touched, "what the alert touched is in the vault"
    # no sheet is needed for a false alarm while the daemon lives
    undone = shop.cloche("incident", "dismiss", declared.document["id"], "--yes", "--json")
    assert undone.code == 0, undone.err
    assert shop.cloche("audit", "verify").code == 0
    shop.close()  # who compares reads every file, and would be stopped too
    assert tree(shop.folder) == before


@pytest.mark.needs("root", "fanotify")
def test_a_behaviour_declares_by_itself_where_policy_says_so(shop: Shop) -> None:
    fill(shop.folder)
    shop.variables = {"CLOCHE_SCAN__ROOTS": f'["{shop.folder}"]', "CLOCHE_WATCH__RESPONSE": "declare"}
    assert shop.cloche("keys", "init", "--recovery-file", shop.home.parent / "sheet.key").code == 0
    shop.start_guard()
    shop.start_daemon()
    shop.wait(lambda: bool(shop.cloche("status", "--json").document["last_scan"]))
    thief = shop.start("thief", "sh", "-c", f"exec cat {shop.folder}/*.csv > /dev/null")
    shop.wait(lambda: len(shop.cloche("status", "--json").document["incidents"]) == 1, 20)
    shop.running.remove(thief)
    thief.kill()
    thief.wait()
    incident = shop.cloche("status", "--json").document["incidents"][0]["id"]
    shop.wait(lambda: bool(list((shop.home / "documents" / incident).glob("*.docx"))), 20)


@pytest.mark.needs("root", "fanotify")
def test_the_till_goes_on_while_a_thief_is_stopped_and_data_is_isolated(shop: Shop) -> None:
    fill(shop.folder)
    database = shop.folder / "orders.db"
    with sqlite3.connect(database) as till:
        till.execute("PRAGMA journal_mode=WAL")
        till.execute("CREATE TABLE customers (name TEXT, mobile TEXT)")
        till.executemany("INSERT INTO customers VALUES ('王测试', ?)", [(f"1380{n:07d}",) for n in range(200)])
        till.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, cents INTEGER)")
    shop.variables = {"CLOCHE_SCAN__ROOTS": f'["{shop.folder}"]', "CLOCHE_WATCH__RESPONSE": "stop"}
    assert shop.cloche("keys", "init", "--recovery-file", shop.home.parent / "sheet.key").code == 0
    shop.start_guard()
    shop.start_daemon()
    shop.wait(lambda: bool(shop.cloche("status", "--json").document["last_scan"]))
    thief = shop.start("thief", "sh", "-c", f"exec cat {shop.folder}/*.csv > /dev/null")
    declaring = subprocess.Popen(
        [str(BIN / "cloche"), "incident", "declare", "--kind", "insider",
         "--summary", "测试", "--scope", "strays", "--yes"],
        env=shop.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    slowest, sales = 0.0, 0
    while declaring.poll() is None or sales < 50:
        began = time.perf_counter()
        with sqlite3.connect(database, timeout=5) as till:
            till.execute("INSERT INTO orders (cents) VALUES (1800)")
        till.close()
        slowest, sales = max(slowest, time.perf_counter() - began), sales + 1
    shop.running.remove(thief)
    thief.kill()
    thief.wait()
    assert database.exists(), "a live database is never moved without a person's word"
    with sqlite3.connect(database) as till:
        assert till.execute("SELECT count(*) FROM orders").fetchone()[0] == sales
    till.close()
    assert slowest < 1.0, "no sale waits a second"
    assert declaring.returncode == 0


def test_a_daemon_that_protects_seals_what_lies_about_and_nothing_in_use(shop: Shop) -> None:
    fill(shop.folder, files=4)
    database = shop.folder / "orders.db"
    with sqlite3.connect(database) as till:
        till.execute("PRAGMA journal_mode=WAL")
        till.execute("CREATE TABLE customers (name TEXT, mobile TEXT)")
        till.executemany("INSERT INTO customers VALUES ('王测试', ?)", [(f"1380{n:07d}",) for n in range(50)])
        till.commit()
        fresh = shop.folder / "正在改.csv"
        fresh.write_text(list_of(20))
        os.utime(fresh, (time.time() + 600, time.time() + 600))
        assert shop.cloche("keys", "init", "--recovery-file", shop.home.parent / "sheet.key").code == 0
        shop.variables = {
            "CLOCHE_SCAN__ROOTS": f'["{shop.folder}"]',
            "CLOCHE_PROTECT__MODE": "protect",
            "CLOCHE_PROTECT__QUIET_MINUTES": "0",
        }
        with (shop.folder / "导出03.csv").open("rb"):
            shop.start_daemon()
            shop.wait(lambda: len(list(shop.folder.glob("*.cloche"))) == 3, 60)
            time.sleep(1)
            names = {path.name for path in shop.folder.iterdir()}
    till.close()
    assert {"导出03.csv", "正在改.csv", "orders.db"} <= names
    assert len([name for name in names if name.endswith(".cloche")]) == 3


def test_a_daemon_without_root_says_that_its_tier_is_reduced(shop: Shop) -> None:
    doctor = shop.cloche("doctor", "--json")
    assert doctor.code in (0, 3)
    by_name = {check["name"]: check for check in doctor.document["checks"]}
    assert by_name["daemon"]["state"] == "missing"
    assert all(check["why"] for check in by_name.values())
    assert shop.cloche("status").code == 5
