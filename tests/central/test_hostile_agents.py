"""Agents that mean harm: no failure of ours, no effect, and on record what they did.

Real sockets to a real server, down to bytes that no HTTP library would send.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.models import Act, Certificate, Fault, Snapshot, Store, StoredAlert, StoredIncident, StoredReport
from central.moments import now
from central.stores.tls import StoreProtocol
from central.testing import OfficeProcess, SpeakingStore
from central.wire import MAX_NUMBER, encode, report_message
from config.tls import client_context

Enrol = Callable[[str], SpeakingStore]
ALERT = {"id": "a-1", "at": "2026-11-01T08:00:00Z", "kind": "bound", "severity": "critical"}


@contextmanager
def database(office: OfficeProcess) -> Iterator[Session]:
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine, expire_on_commit=False).begin() as session:
            yield session
    finally:
        engine.dispose()


def faults_of(office: OfficeProcess, store_id: str) -> dict[str, int]:
    """Faults by kind; what followed the first within a second is written a second later."""
    with database(office) as session:
        rows = session.scalars(select(Fault).where(Fault.store_id == store_id))
        return {row.kind: row.count for row in rows}


def reports_of(office: OfficeProcess, store_id: str) -> int:
    with database(office) as session:
        return (
            session.scalar(select(func.count()).select_from(StoredReport).where(StoredReport.store_id == store_id)) or 0
        )


def memory_of(office: OfficeProcess) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{office.pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


@contextmanager
def wire_of(office: OfficeProcess, store: SpeakingStore) -> Iterator[ssl.SSLSocket]:
    """A bare TLS connection with the store's certificate."""
    private = store.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    authority = (office.folder / "ca.pem").read_text(encoding="ascii")
    context = client_context(authority, store.certificate_pem, private)
    host, port = office.url.removeprefix("https://").rsplit(":", 1)
    with (
        socket.create_connection((host, int(port)), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        yield connection


def head(store: SpeakingStore, body: bytes, **more: str) -> bytes:
    """The head of a report's request, signed over `body`, without saying how long it is."""
    values = {
        "Host": "localhost", "Cloche-Wire": "1", "Cloche-Store": store.store_id, "Cloche-Number": "1",
        "Cloche-Signature": encode(store.key.sign(report_message(body))), "Cloche-Instance": store.instance,
    } | {name.replace("_", "-"): value for name, value in more.items()}  # fmt: skip
    return "".join(
        ["POST /v1/reports HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in values.items())]
    ).encode()


def status_of(connection: ssl.SSLSocket) -> int:
    """Of the answer; 0 where the connection just ended."""
    said = b""
    try:
        while b"\r\n" not in said:
            piece = connection.recv(4096)
            if not piece:
                break
            said += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return int(said.split()[1]) if said else 0


def test_forged_replayed_and_rewritten_reports_change_nothing(office: OfficeProcess, enrolled: Enrol) -> None:
    store, other = enrolled("测试一店"), enrolled("测试二店")
    assert store.report("alert", ALERT).status_code == 200
    body = store.body("alert", ALERT | {"id": "a-2"}, number=2)
    assert store.send(body, signature=encode(other.key.sign(report_message(body)))).status_code == 401
    assert store.send(body, signature="").status_code == 401
    assert store.send(body, signature="A" * 5000).status_code in (400, 401, 431)
    assert store.send(body, signature=encode(store.key.sign(body))).status_code == 401  # without the context
    assert store.send(body).status_code == 200
    assert store.send(body).json()["outcome"] == "known"  # replayed: nothing more
    changed = store.body("alert", ALERT | {"id": "a-2", "open": False}, number=2)
    assert store.send(changed).status_code == 409
    assert store.send(body, number="3").status_code == 422  # the head says another number than the signed body
    with database(office) as session:
        alerts = session.scalars(select(StoredAlert).where(StoredAlert.store_id == store.store_id)).all()
    assert sorted((alert.alert_id, alert.is_open) for alert in alerts) == [("a-1", True), ("a-2", True)]
    assert reports_of(office, store.store_id) == 2
    assert {"signature", "conflict", "malformed"} <= faults_of(office, store.store_id).keys()


def test_one_store_cannot_speak_as_another(office: OfficeProcess, enrolled: Enrol) -> None:
    thief, victim = enrolled("测试三店"), enrolled("测试四店")
    body = victim.body("alert", ALERT)
    assert thief.send(body, store=victim.store_id).status_code == 401
    assert (
        thief.send(body, store=victim.store_id, signature=encode(victim.key.sign(report_message(body)))).status_code
        == 401
    )
    assert (
        thief.send(body, store=thief.store_id, signature=encode(victim.key.sign(report_message(body)))).status_code
        == 401
    )
    thief.store_id, own = victim.store_id, thief.store_id
    assert thief.poll().status_code == 401
    assert reports_of(office, victim.store_id) == 0
    assert faults_of(office, own).keys() >= {"wrong_store", "signature"}


def test_a_stranger_without_a_certificate_gets_nowhere(
    office: OfficeProcess, enrolled: Enrol, client: httpx.Client
) -> None:
    store = enrolled("测试五店")
    body = store.body("alert", ALERT)
    headers = {
        "Cloche-Wire": "1", "Cloche-Store": store.store_id, "Cloche-Number": "1",
        "Cloche-Signature": encode(store.key.sign(report_message(body))),
    }  # fmt: skip
    for path in ("/v1/reports", "/v1/orders?after=0", "/v1/group-key", "/v1/anything"):
        method = "GET" if "orders" in path else "POST"
        assert client.request(method, path, content=body, headers=headers).status_code == 401, path
    assert reports_of(office, store.store_id) == 0
    assert faults_of(office, store.store_id)["certificate"] >= 1


def test_a_revoked_store_is_out_within_seconds(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试六店")
    assert store.report("health", {"version": "1"}).status_code == 200
    with database(office) as session:
        session.execute(update(Certificate).where(Certificate.store_id == store.store_id).values(revoked_at=now()))
    deadline = time.monotonic() + 10
    while (answer := store.report("health", {"version": "2"})).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (answer.status_code, answer.json()["error"]) == (401, "revoked")
    assert store.poll().status_code == 401
    before = reports_of(office, store.store_id)
    assert store.report("alert", ALERT).status_code == 401
    assert reports_of(office, store.store_id) == before
    assert "revoked" in faults_of(office, store.store_id)


def test_two_machines_with_one_key_are_noticed(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试七店")
    first, second = store.instance, "second-machine"
    for name in (first, second, first, second):
        store.instance = name
        assert store.report("health", {"version": "1"}).status_code == 200
    assert faults_of(office, store.store_id)["clone"] >= 1
    with database(office) as session:
        assert session.scalars(select(Act).where(Act.act == "fault.clone", Act.store_id == store.store_id)).first()


def test_a_report_that_says_it_has_a_hundred_megabytes_is_refused_unread(
    office: OfficeProcess, enrolled: Enrol
) -> None:
    store = enrolled("测试八店")
    with wire_of(office, store) as connection:
        connection.sendall(head(store, b"", Content_Length="104857600") + b"\r\n")
        assert status_of(connection) == 413
    with wire_of(office, store) as connection:
        connection.sendall(head(store, b"", Transfer_Encoding="chunked") + b"\r\n")
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        before = memory_of(office)
        for _number in range(1600):
            connection.sendall(piece)
        assert status_of(connection) == 413  # said at the fifth megabyte; what follows is thrown away
        assert memory_of(office) - before < 40_000_000
    for length in ("-1", "1e3", "99999999999999999999", "0x10", "+5", "5, 6"):
        with wire_of(office, store) as connection:
            connection.sendall(head(store, b"", Content_Length=length) + b"\r\n")
            assert status_of(connection) in (400, 413), length
    assert faults_of(office, store.store_id)["too_large"] >= 1
    assert reports_of(office, store.store_id) == 0


def test_bodies_that_are_traps_are_malformed(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试九店")
    good = json.loads(store.body("health", {"version": "1"}, number=1))

    def text(**changes: Any) -> bytes:
        return json.dumps(good | changes).encode()

    bodies = {
        "deep": b'{"schema":"cloche.report/1","document":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "compressed": gzip.compress(b"0" * 1_000_000),
        "not text": b"\xff\xfe" * 100,
        "a list": b"[]",
        "nothing": b"",
        "a number": b"1" * 100_000,
        "number of the next universe": text(number=MAX_NUMBER + 1),
        "number zero": text(number=0),
        "number below": text(number=-1),
        "number as text": text(number="1; DROP TABLE reports"),
        "number as fraction": text(number=1.5),
        "true as number": text(number=True),
        "unknown kind": text(kind="purge"),
        "kind is a list": text(kind=["health"]),
        "no time": text(written_at="yesterday"),
        "time before all": text(written_at="0001-01-01T00:00:00+14:00"),
        "time after all": text(written_at="9999-12-31T23:59:59-14:00"),
        "document is text": text(document="x"),
        "previous is wrong": text(previous={"number": 0, "digest": "zz"}),
        "infinite": text().replace(b'"number": 1', b'"number": Infinity'),
        "not a number": text().replace(b'"number": 1', b'"number": NaN'),
        "huge exponent": text().replace(b'"number": 1', b'"number": 1e999999'),
        "cut off": text()[:-10],
        "two documents": text() + text(),
    }  # fmt: skip
    for name, body in bodies.items():
        answer = store.send(body, number="1")
        assert answer.status_code == 422, f"{name}: {answer.status_code}"
    for encoding in ("gzip", "br", "deflate", "zstd"):
        with wire_of(office, store) as connection:
            packed = gzip.compress(text())
            connection.sendall(
                head(store, packed, Content_Encoding=encoding, Content_Length=str(len(packed))) + b"\r\n" + packed
            )
            assert status_of(connection) in (415, 422), encoding
    assert reports_of(office, store.store_id) == 0
    assert faults_of(office, store.store_id)["malformed"] >= 1
    twice = text().replace(b'"number": 1', b'"number": 7, "number": 1')
    assert store.send(twice, number="7").status_code == 422  # head and body must mean one number, by one reading
    assert store.report("health", {"version": "1"}).status_code == 200  # and the honest one is still heard


def test_figures_at_the_bounds_are_taken_and_beyond_them_refused(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试十店")
    whole = {"persons": MAX_NUMBER, "places": MAX_NUMBER, "exposed": MAX_NUMBER, "sealed": MAX_NUMBER}
    assert store.report("inventory", whole).status_code == 200
    beyond = store.send(store.body("inventory", {"persons": MAX_NUMBER + 1}, number=store.next_number))
    assert beyond.status_code == 422
    below = store.send(store.body("inventory", {"persons": -1}, number=store.next_number))
    assert below.status_code == 422
    last = store.send(store.body("health", {"version": "9"}, number=MAX_NUMBER))
    assert last.status_code == 200
    with database(office) as session:
        row = session.get_one(Store, store.store_id)
        assert (row.persons, row.last_number) == (MAX_NUMBER, MAX_NUMBER)


def test_another_wire_is_told_which_ones_there_are(enrolled: Enrol) -> None:
    store = enrolled("测试十一店")
    body = store.body("health", {"version": "1"})
    for wire in ("0", "2", "1.0", "", "one", "1" * 5000):
        answer = store.send(body, wire=wire)
        assert answer.status_code in (400, 431), wire
        if answer.status_code == 400 and answer.headers.get("content-type") == "application/json":
            assert answer.json() == {"error": "wire", "supported": [1]}


def test_a_store_whose_clock_is_a_year_off_is_heard_and_sorted_by_our_clock(
    office: OfficeProcess, enrolled: Enrol
) -> None:
    for years, name in ((-1, "测试十二店"), (1, "测试十三店")):
        store = enrolled(name)
        moment = (datetime.now(UTC) + timedelta(days=365 * years)).isoformat()
        body = json.loads(store.body("alert", ALERT | {"id": "a-9", "at": moment}))
        assert store.send(json.dumps(body | {"written_at": moment}).encode()).status_code == 200
        with database(office) as session:
            row = session.get_one(Store, store.store_id)
            assert row.heard_at is not None
            assert abs(row.heard_at - now()) < timedelta(minutes=5)


def test_names_that_are_markup_or_control_are_only_text(
    office: OfficeProcess, enrolled: Enrol, browser_page: httpx.Client
) -> None:
    store = enrolled("<script>alert(1)</script>\u202e{{7*7}}")
    incident = {
        "id": "i-1", "kind": "insider", "phase": "responding", "discovered_at": now().isoformat(),
        "summary": "<img src=x onerror=alert(1)>\x1b[31m", "files": 1, "persons": 1,
    }  # fmt: skip
    assert store.report("incident", incident).status_code == 200
    for path in ("/", f"/stores/{store.store_id}", f"/incidents/{store.store_id}/i-1"):
        page = browser_page.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "\x1b" not in page.text
    with database(office) as session:
        row = session.scalars(select(StoredIncident).where(StoredIncident.store_id == store.store_id)).one()
        assert "\x1b" not in row.document["summary"]


def test_a_flood_of_faults_is_counted_not_multiplied(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试十四店")
    for _number in range(200):
        assert store.send(b"{}", number="1").status_code == 422
    deadline = time.monotonic() + 5
    while faults_of(office, store.store_id).get("malformed", 0) < 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert faults_of(office, store.store_id) == {"malformed": 200}
    with database(office) as session:
        acts = session.scalar(select(func.count()).select_from(Act).where(Act.store_id == store.store_id)) or 0
    assert acts <= 3


def test_who_drips_is_cut_off_and_the_honest_are_served_meanwhile(
    enrolled: Enrol, office: OfficeProcess, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = enrolled("测试十五店")
    body = store.body("health", {"version": "1"})
    begun = time.monotonic()
    with wire_of(office, store) as silent, wire_of(office, store) as dripping:
        dripping.sendall(b"POST /v1/reports HTTP/1.1\r\n")
        silent.settimeout(30)
        dripping.settimeout(0.05)
        assert store.send(body).status_code == 200
        assert client.get("/login").status_code == 200
        ended = 0.0
        while not ended and time.monotonic() - begun < 40:
            try:
                dripping.sendall(b"X: 1\r\n")
                time.sleep(0.5)
                if dripping.recv(1) == b"":
                    ended = time.monotonic() - begun
            except TimeoutError:
                continue
            except (ConnectionError, ssl.SSLError):
                ended = time.monotonic() - begun
        assert StoreProtocol.HEAD_SECONDS - 1 < ended < StoreProtocol.HEAD_SECONDS + 8
        assert silent.recv(1) == b""  # one that never said a word is gone by now as well


def test_a_body_that_drips_is_cut_off_and_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same protocol in this process, with a second for a body."""

    class Quick(StoreProtocol):
        BODY_SECONDS = 1.0

    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            heard.append(message["type"])
            if message["type"] == "http.disconnect":
                return

    async def run() -> float:
        config = uvicorn.Config(app, http=Quick, lifespan="off", log_config=None, access_log=False)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            begun = time.monotonic()
            try:
                while not reader.at_eof() and time.monotonic() - begun < 10:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.1)
            except ConnectionError:
                pass
            ended = time.monotonic() - begun
            writer.close()
            server.should_exit = True
            await serving
            return ended

    assert 0.9 < asyncio.run(run()) < 4
    assert heard[-1] == "http.disconnect"


def test_nothing_of_it_was_a_failure_of_ours(
    office: OfficeProcess, enrolled: Enrol, browser_page: httpx.Client
) -> None:
    assert Path(f"/proc/{office.pid}").exists()
    assert browser_page.get("/").status_code == 200
    with database(office) as session:
        assert session.scalar(select(func.count()).select_from(Snapshot)) is not None
