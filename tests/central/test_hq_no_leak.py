"""What head office holds, logs, backs up and is sent: nothing of a customer beyond a masked form.

A real store whose files carry values everywhere (contents, file names, sheets, tables, members of archives) scans,
alerts, declares, counts persons, drills papers out of it and reports to a real head office at debug. Then everything
that came out is searched for the values, and our own scanner looks through head office's database.
"""

import base64
import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from hq_founding import found

from agent.client import this_caller
from agent.incident.declare import Declaration, declare
from agent.inventory.records import Alert
from agent.link.spool import Spool
from agent.notice.persons import count_persons
from agent.operation import Request
from agent.operations import find_operation
from agent.reporting import report_alert, report_health, report_inventory, report_record
from agent.reporting.due import tell_due
from agent.reporting.group import look_for_key
from agent.watch.api import AccessEvent, Crossing, Gap
from agent.wiring import build_agent
from central.testing import serve_office
from config.home import find_home
from config.load import load_settings
from scanners.detectors import DETECTORS

PHONE = "13800137731"
IDENTITY = "310101199003071837"
MAIL = "kanari.test@example.com"
CARD = "6222021234567890128"
NAMED = "13900139931"
SHEET = "13700137732"
NAME = "欧阳测试"
ADDRESS = "上海市浦东新区测试路一千零一弄十八号"
VALUES = (PHONE, IDENTITY, MAIL, CARD, NAMED, SHEET, NAME, ADDRESS)
STAFF = "13600136633"
"""A contact of the plan's people: known to head office, and allowed."""
CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
SHOWN = frozenset({"masked", "organisation"})
FREE = frozenset({"IP_ADDRESS", "DATE_OF_BIRTH", "LOCATION_COORDINATES"})
"""Addresses of machines and dates: who answers an incident needs them, and they are nobody's by themselves."""


def plant(folder):
    folder.mkdir()
    head = "姓名,手机号,身份证号,邮箱,银行卡号,收货地址\n"
    row = f"{NAME},{PHONE},{IDENTITY},{MAIL},{CARD},{ADDRESS}\n"
    rows = "".join(f"王测试,1380014{n:04d},,test{n}@example.com,,\n" for n in range(40))
    (folder / "会员.csv").write_text(head + row + rows, encoding="utf-8")
    (folder / f"{NAMED}.csv").write_text(head + row + rows, encoding="gb18030")
    (folder / f"{NAME}身份证{IDENTITY}.txt").write_text(f"收货人：{NAME} 电话{PHONE} {ADDRESS}\n" * 3)
    book = openpyxl.Workbook()
    book.active.title = SHEET
    for line in (head + row + rows).splitlines():
        book.active.append(line.split(","))
    book.save(folder / f"美团订单{NAMED}.xlsx")
    with zipfile.ZipFile(folder / "备份.zip", "w") as archive:
        archive.writestr(f"{NAME}{PHONE}.csv", head + row + rows)
        archive.writestr("坏的.xlsx", b"PK\x03\x04" + PHONE.encode())
    database = sqlite3.connect(folder / "till.db")
    database.execute(f'CREATE TABLE "m{SHEET}" (name TEXT, mobile TEXT, id_card TEXT)')
    database.executemany(f'INSERT INTO "m{SHEET}" VALUES (?,?,?)', [(NAME, PHONE, IDENTITY)] * 3)  # noqa: S608
    database.commit()
    database.close()


def forms(value):
    escaped = json.dumps(value)[1:-1]
    return {
        value.encode(), value.encode("gb18030"), value.encode("utf-16-le"), escaped.encode(),
        escaped.replace("\\", "\\\\").encode(),
    }  # fmt: skip


def unpacked(content):
    """What stands inside: docx and xlsx are zips, bodies and backups may be compressed."""
    found = [content]
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found += [part for name in archive.namelist() for part in unpacked(archive.read(name))]
    if content.startswith(b"\x1f\x8b"):
        found.append(gzip.decompress(content))
    if content.startswith(b"%PDF"):
        for piece in content.split(b"stream\n")[1:]:
            try:
                found.append(zlib.decompressobj().decompress(piece))
            except zlib.error:
                continue
    return found


def leaks(content):
    parts = unpacked(content)
    return [value for value in VALUES for form in forms(value) for part in parts if form in part]


def once(home):
    done = subprocess.run([*LINK, "--home", str(home), "--once", "--debug"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not leaks(done.stderr)


def bodies(agent):
    spool = Spool(agent.home.outbox)
    try:
        return {entry: spool.read(*entry).body for entry in spool.pending()}
    finally:
        spool.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A head office that was told everything: its process, its log, and the bodies that it was sent."""
    folder = tmp_path_factory.mktemp("leak")
    share, sent = folder / "share", {}
    plant(share)
    home = find_home(folder / "store")
    home.create()
    home.settings_file.write_text(
        f'[store]\nname = "测试甲店"\n[scan]\nroots = ["{share}"]\nnames = false\nworkers = 1\n'
        f'[[people]]\nname = "王测试"\nroles = ["response_lead", "privacy_officer"]\nphone = "{STAFF}"\n'
        'user = "root"\n',
        encoding="utf-8",
    )
    made = found(folder / "office")
    with serve_office(folder / "office", made=made, log=folder / "office.log", more=("--debug",)) as office:
        done = subprocess.run(
            [*CLOCHE, "enrol", office.url, "--token", office.token(), "--home", str(folder / "store"), "--json"],
            capture_output=True, text=True, check=True, env=os.environ | {"LANG": "en"},
        )  # fmt: skip
        store = json.loads(done.stdout)["store"]
        with build_agent(home, load_settings(home.settings_file)) as agent:
            tell_due(agent, agent.now())
            look_for_key(agent, 0.0)
            sent |= bodies(agent)
            once(folder / "store")
            look_for_key(agent, 1.0)
            assert agent.reporting.group is not None, "the chain's key came through the link"
            walk(agent, share)
            sent |= bodies(agent)
            once(folder / "store")
            assert agent.outbox.waiting().reports == 0
            assert agent.outbox.link_state().refused == ()
        yield office, store, sent, folder


def walk(agent, share):
    """Everything that a store tells of."""
    request = Request(arguments={}, caller=this_caller(), progress=lambda _update: None)
    find_operation("scan").load()(agent, request)
    report_inventory(agent)
    alert = Alert(
        at=datetime.now(UTC), kind="bound", severity="critical", text=f"grep {PHONE} {NAME}的身份证{IDENTITY}",
        program=f"/tmp/{MAIL}", user=f"u{NAMED}", action="stop", stop_ms=2.5,
    )  # fmt: skip
    report_alert(agent, agent.inventory.add_alert(alert))
    event = AccessEvent(
        at=datetime.now(UTC).timestamp(), monotonic_ns=1, key="k", path=os.fsencode(share / f"{NAMED}.csv"),
        operation="open", program=f"/tmp/{PHONE}".encode(), command=f"grep {IDENTITY} {MAIL}".encode(),
        user=f"u{NAMED}",
    )  # fmt: skip
    crossing = Crossing(
        event=event, rule="bound", subject="session", keys=("k",), persons=40, response="stop", outcome="stopped"
    )
    for happening in (event, crossing, Gap(at=event.at, cause="kernel_queue", lost=3)):
        agent.events.add(happening, agent.mask)
    declaration = Declaration(
        kind="insider", summary=f"有人把顾客{NAME}的手机号{PHONE}发到了群里，邮箱{MAIL}", place=f"二楼，{NAMED}",
        discovered_at=datetime.now(UTC) - timedelta(minutes=5), by="王测试", scope="named",
        paths=(os.fsencode(share),),
    )  # fmt: skip
    incident = declare(agent, declaration)
    assert incident.items
    counted = count_persons(agent, incident.id)
    assert counted.persons >= 40
    report_record(agent)
    report_health(agent)
    report_inventory(agent)
    later = agent.now() + timedelta(seconds=30)
    real, agent.now = agent.now, lambda: later
    try:
        for _ in range(10):  # papers go some at a time
            agent.reporting.looked.clear()
            tell_due(agent, later)
    finally:
        agent.now = real


def test_every_kind_was_told_and_no_body_holds_a_value(told):
    _office, _store, sent, _folder = told
    kinds = {kind for _number, kind in sent}
    assert kinds >= {"inventory", "health", "alert", "incident", "audit", "events", "paper", "persons", "training"}
    media = {json.loads(body)["document"]["media"] for (_n, kind), body in sent.items() if kind == "paper"}
    assert len(media) >= 2
    for entry, body in sent.items():
        assert leaks(body) == [], entry
        document = json.loads(body)["document"]
        for name in ("content", "sealed", "sketch"):
            if isinstance(document.get(name), str):
                assert leaks(base64.b64decode(document[name])) == [], entry


def test_neither_database_nor_log_nor_any_other_file_of_head_office_holds_a_value(told):
    office, store, _sent, folder = told
    backup = Path(office.call("backup", str(folder / "copy.db"))["file"])
    keys = [(office.folder / "keys" / name).read_bytes() for name in ("group.key", "kfinger.key", "persons.key")]
    for file in (backup, folder / "office.log", *office.folder.glob("hq.db*")):
        assert not any(key in part for key in keys for part in unpacked(file.read_bytes())), file.name
    looked = 0
    for file in (backup, folder / "office.log", *office.folder.rglob("*")):
        if file.is_file():
            assert leaks(file.read_bytes()) == [], file.name
            looked += 1
    assert looked > 5
    database = sqlite3.connect(backup)
    assert database.execute("SELECT count(*) FROM reports WHERE store_id = ?", (store,)).fetchone()[0] > 10
    told_of = database.execute("SELECT persons, length(marks), sketch IS NOT NULL FROM person_segments").fetchall()
    assert database.execute("SELECT count(*) FROM faults").fetchone() == (0,)
    database.close()
    assert told_of
    assert all(marks == 16 * persons and sketch for persons, marks, sketch in told_of)
    assert (folder / "office.log").stat().st_size > 0


def columns(database):
    """Every text of every table: (table, column, text)."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        names = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
        for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  names of the database's own
            for name, value in zip(names, row, strict=True):
                if isinstance(value, bytes):
                    for part in unpacked(value):
                        try:
                            yield table, name, part.decode()
                        except UnicodeDecodeError:
                            continue
                elif isinstance(value, str):
                    yield table, name, value


def texts(value):
    """The texts in a document; one that is none is a text itself."""
    try:
        found = json.loads(value)
    except ValueError:
        found = value
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            yield one


def test_our_own_scanner_finds_nothing_above_masked_in_head_offices_database(told):
    office, _store, _sent, _folder = told
    database = sqlite3.connect(f"file:{office.folder / 'hq.db'}?mode=ro", uri=True)
    found, looked = [], 0
    for table, column, value in columns(database):
        for text in texts(value):
            looked += 1
            for detector in DETECTORS:
                if detector.entity in FREE:
                    continue
                for span in detector.find(text, 0, len(text)):
                    shown = text[span.start : span.end]
                    if span.score >= 0.5 and span.nature not in SHOWN and "*" not in shown and STAFF not in shown:
                        found.append((table, column, detector.entity, shown))
    database.close()
    assert looked > 1000
    assert found == []


def test_a_scan_of_head_offices_folder_finds_no_customer(told):
    """The scanner as a store runs it, reading the database as a database."""
    office, _store, _sent, folder = told
    copy = folder / "copied" / "hq.db"
    copy.parent.mkdir()
    source, target = sqlite3.connect(office.folder / "hq.db"), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    done = subprocess.run(
        [*CLOCHE, "scan", str(copy.parent), "--no-names", "--json", "--home", str(folder / "other")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    tables = [item for item in json.loads(done.stdout)["items"] if item["kind"] == "table"]
    assert len(tables) > 20
    assert {item["status"] for item in tables} == {"read"}
    found = [
        (item["path"].rsplit("/", 1)[-1], finding["entity"], finding["place"]["column"], finding["samples"])
        for item in json.loads(done.stdout)["items"]
        for finding in item["findings"]
        if finding["nature"] not in SHOWN and finding["entity"] not in FREE
    ]
    assert found == []
