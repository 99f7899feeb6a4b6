"""Scanning: real workers over real files; what is listed is counted."""

from __future__ import annotations

import gzip
import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from config.errors import UsageError
from config.schema import DetectSettings, ScanSettings
from scanners.own import SEALED_MAGIC
from scanners.scan import ScanRequest, coverage, scan

MEMBERS = "姓名,手机号\n测试甲,13800001111\n测试乙,13800001112\n"


def run(root: Path, *, workers: int = 1, settings: ScanSettings | None = None, **more):
    request = ScanRequest(
        roots=(os.fsencode(root),),
        settings=settings or ScanSettings(),
        detect=DetectSettings(),
        names=False,
        workers=workers,
        **more,
    )
    return list(scan(request))


def by_name(items, root: Path):
    return {os.path.relpath(item.path, os.fsencode(root)).decode(): item for item in items}


@pytest.fixture
def store(tmp_path):
    """A little of everything."""
    (tmp_path / "会员.csv").write_text(MEMBERS, encoding="gb18030")
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.writestr("a.csv", MEMBERS)
        archive.writestr("b.csv", MEMBERS.replace("13800001112", "13800001113"))
    (tmp_path / "log.txt.gz").write_bytes(gzip.compress(b"nothing here\n" * 9))
    (tmp_path / "till.exe").write_bytes(b"MZ\x90\0" + bytes(300))
    (tmp_path / "空").touch()
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_every_file_and_member_is_listed_once_and_coverage_adds_up(store):
    items = run(store, workers=2)
    found = by_name(items, store)
    assert list(found) == [
        *("log.txt.gz", "log.txt.gz!log.txt", "old.zip", "old.zip!a.csv", "old.zip!b.csv", "pipe", "till.exe"),
        *("会员.csv", "空"),
    ]
    total = coverage(items)
    assert total.read + total.partial + total.unread + total.skipped == total.listed == len(items) == 9
    assert total.unread == 2
    assert not total.clean
    assert total.bytes == sum(os.path.getsize(store / name) for name in ("会员.csv", "log.txt.gz", "old.zip", "空"))
    assert found["会员.csv"].encoding == "gb18030"


def test_customers_are_found_and_a_container_counts_each_once(store):
    found = by_name(run(store), store)
    assert found["会员.csv"].persons == 2
    assert {finding.entity for finding in found["会员.csv"].findings} >= {"PHONE_NUMBER"}
    assert found["old.zip"].persons == 3
    assert found["old.zip"].level == found["old.zip!a.csv"].level > 1
    assert found["old.zip"].person_keys == found["old.zip!a.csv"].person_keys | found["old.zip!b.csv"].person_keys
    assert found["会员.csv"].person_keys == found["old.zip!a.csv"].person_keys


def test_order_is_the_same_however_many_workers(store):
    for number in range(20):
        (store / f"{number}.txt").write_text("电话13800001111\n" * (1 + 400 * (number % 3)))
    assert [item.path for item in run(store, workers=3)] == [item.path for item in run(store, workers=1)]


def test_identity_size_and_progress_are_those_of_the_file(store):
    seen = []
    items = run(store, on_progress=seen.append)
    assert seen[-1].files == 6
    assert seen[-1].bytes == coverage(items).bytes
    facts = os.stat(store / "会员.csv")
    item = by_name(items, store)["会员.csv"]
    assert (item.identity.inode, item.identity.uid, item.size) == (facts.st_ino, facts.st_uid, facts.st_size)


def test_a_root_that_does_not_exist_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="gone"):
        run(tmp_path / "gone")


def test_a_hanging_worker_is_killed_and_the_rest_goes_on(store):
    for number in range(30):
        (store / f"{number:03}.txt").write_text("电话13800001111\n")
    items, pids = stopping(store, signal.SIGSTOP, ScanSettings(item_timeout_seconds=1.0, timeout_seconds_per_mb=0.0))
    assert len([item for item in items if item.reason == "timeout"]) == 1
    assert len(pids) == 2
    assert len([item for item in items if item.identity]) == 35


def test_a_hole_of_a_terabyte_is_given_no_more_time_than_what_lies_on_the_disk(tmp_path):
    (tmp_path / "hole.txt").touch()
    os.truncate(tmp_path / "hole.txt", 1 << 40)
    started = time.monotonic()
    items = run(tmp_path, settings=ScanSettings(item_timeout_seconds=1.0))
    assert time.monotonic() - started < 10
    assert [(item.status, item.reason) for item in items] in ([("partial", "timeout")], [("unread", "timeout")])


def test_a_database_with_a_broken_head_is_malformed_and_not_called_encrypted(tmp_path):
    (tmp_path / "shop.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 16)
    items = run(tmp_path)
    assert [(item.kind, item.status, item.reason) for item in items] == [("sqlite", "unread", "malformed")]


def stopping(store: Path, what: int, settings: ScanSettings):
    """Scan with one worker that gets a signal after the first item it delivered."""
    pids = []
    items = []
    request = ScanRequest(
        roots=(os.fsencode(store),),
        settings=settings,
        detect=DetectSettings(),
        names=False,
        workers=1,
        on_worker=pids.append,
    )
    for item in scan(request):
        if not items:
            os.kill(pids[0], what)
        items.append(item)
    return items, pids


def test_a_worker_that_dies_costs_one_file_at_most(store):
    for number in range(30):
        (store / f"{number:03}.txt").write_text("电话13800001111\n")
    items, pids = stopping(store, signal.SIGKILL, ScanSettings())
    assert len([item for item in items if item.reason == "crashed"]) <= 1
    assert len([item for item in items if item.identity]) == 35
    assert len(pids) == 2


def test_a_file_that_needs_more_memory_than_a_worker_has_is_counted_and_the_rest_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "huge.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.docx", nested(200 << 20))
    (tmp_path / "会员.csv").write_text(MEMBERS)
    found = by_name(run(tmp_path, settings=ScanSettings(worker_memory_mb=128, max_expansion=10_000)), tmp_path)
    assert found["会员.csv"].persons == 2
    assert found["huge.zip!a.docx"].status in ("partial", "unread")


def nested(size: int) -> bytes:
    """A document of one paragraph, too long to hold."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<w:p xmlns:w='w'><w:t>" + b"1" * size + b"</w:t></w:p>")
    return target.getvalue()


def test_a_file_that_grows_while_it_is_read_is_partial(tmp_path):
    path = tmp_path / "till.log"
    path.write_text("13800001111\n" * 5_000)
    stop = threading.Event()

    def grow() -> None:
        with path.open("a") as log:
            while not stop.is_set():
                log.write("13800001112\n")
                log.flush()
                time.sleep(0.002)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        (item,) = run(tmp_path)
    finally:
        stop.set()
        writer.join()
    assert (item.status, item.reason) == ("partial", "changed")


def test_our_sealed_files_are_skipped_and_their_mark_is_that_of_the_format(tmp_path):
    from containment.core import MAGIC

    assert SEALED_MAGIC == MAGIC
    (tmp_path / "a.csv.cloche").write_bytes(MAGIC + bytes(500))
    (item,) = run(tmp_path)
    assert (item.kind, item.status, item.reason) == ("sealed", "unread", "encrypted")


def fill(path: Path, rows: int, *, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE customer (name TEXT, phone TEXT)")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO customer VALUES (?, ?)", [(f"x{number}", f"138{number:08d}") for number in range(rows)]
    )
    connection.execute("COMMIT")
    return connection


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_live_database_is_read_with_what_is_only_in_its_log(tmp_path, mode, large):
    """A worker of 128 MiB takes a database up to 32 MiB into memory; a larger one is padded beyond that."""
    connection = fill(tmp_path / "till.db", 300, mode=mode)
    if large:
        connection.execute("CREATE TABLE pad (data BLOB)")
        connection.execute("INSERT INTO pad VALUES (zeroblob(40000000))")
        if mode == "WAL":
            connection.execute("PRAGMA wal_checkpoint(FULL)")
            connection.execute("UPDATE customer SET phone = '13900000000' WHERE name = 'x7'")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO customer VALUES ('never committed', '13900000001')")
    if mode == "DELETE":
        connection.execute("ROLLBACK")
    found = by_name(run(tmp_path, settings=ScanSettings(worker_memory_mb=128)), tmp_path)
    connection.close()
    assert not list(Path(ScanRequest.spool).glob(f"cloche-snapshot-{os.getpid()}-*"))
    assert (found["till.db"].status, found["till.db"].reason) == ("read", "")
    (phones,) = [finding for finding in found["till.db#customer"].findings if finding.entity == "PHONE_NUMBER"]
    assert (phones.count, phones.distinct) == (300, 300)


def test_reading_a_database_takes_no_lock_and_sees_whole_transactions_only(tmp_path):
    path = tmp_path / "till.db"
    fill(path, 10, mode="WAL").close()
    program = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)\nn = 0\n"
        "print('go', flush=True)\n"
        "while True:\n    n += 1\n    c.execute('BEGIN IMMEDIATE')\n"
        "    c.executemany('INSERT INTO customer VALUES (?, ?)', [('x', f'139{n * 10 + k:08d}') for k in range(10)])\n"
        "    c.execute('COMMIT')\n    if n % 40 == 0:\n        c.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n"
    )
    till = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert till.stdout.read(3) == b"go\n"
        counts = []
        for _ in range(3):
            table = by_name(run(path), tmp_path)["till.db#customer"]
            (phones,) = [finding for finding in table.findings if finding.entity == "PHONE_NUMBER"]
            counts.append(phones.count)
        assert till.poll() is None, till.stderr.read().decode()
    finally:
        till.kill()
        till.communicate()
    assert all(count % 10 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_what_lies_beside_a_database_is_read_with_it(tmp_path):
    connection = fill(tmp_path / "till.db", 5, mode="WAL")
    (tmp_path / "lonely.db-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(60))
    found = by_name(run(tmp_path), tmp_path)
    connection.close()
    assert found["till.db-wal"].status == found["till.db-shm"].status == "read"
    assert found["lonely.db-wal"].status == "unread"


def test_a_scan_that_is_given_up_leaves_no_worker(store):
    pids = []
    items = scan(
        ScanRequest(
            roots=(os.fsencode(store),),
            settings=ScanSettings(),
            detect=DetectSettings(),
            names=False,
            on_worker=pids.append,
        )
    )
    next(items)
    items.close()
    assert pids
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_no_value_is_in_what_a_scan_says_of_a_file(store):
    items = run(store)
    assert "13800001111" not in repr(items)
    assert "测试甲" not in repr(items)
