"""Weeks without head office: everything arrives afterwards, in order, once, and soon."""

import json
import os
import sqlite3
import subprocess
import sys
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.link.outbox import Outbox
from agent.link.spool import Spool
from central.testing import serve_office
from central.wire import COALESCED

CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
DAYS = int(os.environ.get("CLOCHE_TEST_DAYS", "10"))
EVENTS_A_DAY = 24
"""A batch an hour, as a store that trades writes them. A month (`CLOCHE_TEST_DAYS=30`) is 800 kept reports."""


def document(kind, number):
    at = f"2026-10-{number % 28 + 1:02d}T08:00:00+08:00"
    if kind == "events":
        event = {"at": at, "kind": "scan", "severity": "notice", "text": "persons: 3; " * 10, "user": "cloche",
                 "program": "", "place": "", "count": 3}  # fmt: skip
        return {"events": [event] * 20}
    if kind == "alert":
        return {"id": str(number), "at": at, "kind": "bound", "severity": "critical", "text": "tar", "open": False}
    if kind == "audit":
        return {"entries": 10_000 + number, "head": "ab" * 32}
    return {"version": "1", "waiting": number}


def fill(box):
    """What a store puts in so many days; the kept ones by number."""
    kept = []
    for day in range(DAYS):
        for hour in range(EVENTS_A_DAY):
            kept.append(box.put("events", document("events", day * 24 + hour)))
            box.put("health", document("health", hour))
        kept += [box.put("alert", document("alert", day * 2 + n)) for n in range(2)]
        kept.append(box.put("audit", document("audit", day + 1)))
    return kept


def rows(folder, store):
    connection = sqlite3.connect(folder / "hq.db")
    try:
        query = "SELECT number, kind FROM reports WHERE store_id = ? ORDER BY number"
        return connection.execute(query, (store,)).fetchall()
    finally:
        connection.close()


def test_a_month_of_reports_arrives_in_order_once_and_soon(tmp_path):
    home = tmp_path / "store"
    with serve_office(tmp_path / "office") as office:
        done = subprocess.run(
            [*CLOCHE, "enrol", office.url, "--token", office.token(), "--home", str(home), "--json"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        store, port = json.loads(done.stdout)["store"], int(office.url.rsplit(":", 1)[1])
        made = {"officer": office.officer, "passphrase": office.passphrase}
    link = subprocess.Popen([*LINK, "--home", str(home)], stderr=subprocess.DEVNULL)
    try:
        seed = (home / "keys" / "seal.key").read_bytes()
        box = Outbox(home / "outbox", Ed25519PrivateKey.from_private_bytes(seed).sign)
        kept = fill(box)
        waiting = box.waiting()
        assert waiting.reports >= len(kept)
        with serve_office(tmp_path / "office", port=port, made=made) as office:
            back = time.monotonic()
            while not rows(office.folder, store):
                assert time.monotonic() - back < 60, "the link does not resume"
                time.sleep(0.05)
            began = time.monotonic()
            while box.waiting().reports:
                assert time.monotonic() - began < 120, box.waiting()
                time.sleep(0.1)
            ended = time.monotonic()
            found = rows(office.folder, store)
            faults = sqlite3.connect(office.folder / "hq.db")
            try:
                assert faults.execute("SELECT kind FROM faults").fetchall() == []
                assert faults.execute("SELECT count(*) FROM gaps").fetchone() == (0,)
            finally:
                faults.close()
        print(  # noqa: T201  shown by `pytest -s`
            f"\n{waiting.reports} reports, {waiting.bytes / 1e6:.1f} MB: resumed after {began - back:.1f} s, "
            f"all there {ended - began:.1f} s later ({waiting.reports / (ended - began):.0f} a second)"
        )
        arrived = [number for number, kind in found if kind not in COALESCED]
        assert [number for number in arrived if number >= kept[0]] == kept
        assert len({number for number, _kind in found}) == len(found)
        spool = Spool(home / "outbox")
        assert spool.state().refused == ()
        spool.close()
        box.close()
    finally:
        link.terminate()
        link.wait(15)
