"""Enrolment and the link as real processes against a real head office, and against one that misbehaves."""

from __future__ import annotations

import http.server
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.link.outbox import Outbox
from agent.link.sender import Sender
from agent.link.settings import Enrolment
from agent.link.spool import Spool
from central.home import HeadOfficeHome
from central.stores.authority import make_authority
from central.testing import OfficeProcess, serve_office

KEY = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    with serve_office(tmp_path_factory.mktemp("hq") / "office") as running:
        yield running


def enrol(home: Path, url: str, token: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLOCHE, "enrol", url, "--token", token, "--home", str(home), "--json"],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


def outbox_of(home: Path) -> Outbox:
    """The enrolled store's outbox, signing with its own key."""
    seed = (home / "keys" / "seal.key").read_bytes()
    return Outbox(home / "outbox", Ed25519PrivateKey.from_private_bytes(seed).sign)


def send_once(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LINK, "--home", str(home), "--once"], capture_output=True, text=True, check=False, timeout=60
    )


@contextmanager
def running_link(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*LINK, "--home", str(home)], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=15)


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.05)


def numbers_at(office: OfficeProcess, store: str) -> list[int]:
    with sqlite3.connect(office.folder / "hq.db") as connection:
        rows = connection.execute("SELECT number FROM reports WHERE store_id = ? ORDER BY number", (store,))
        found = [number for (number,) in rows]
    connection.close()
    return found


def test_a_store_enrols_adopts_the_chains_keys_and_reports(office: OfficeProcess, tmp_path: Path) -> None:
    home, token = tmp_path / "store", office.token("测试甲店")
    done = enrol(home, office.url, token)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["recovery"] == office.call("status")["recovery"]
    assert document["recovery"] is not None
    sent = send_once(home)
    assert sent.returncode == 0, sent.stderr
    assert len(numbers_at(office, document["store"])) == 3
    again = enrol(home, office.url, token)
    assert again.returncode == 4
    assert "已经用过" in again.stderr
    renewed = enrol(home, office.url, office.token())
    assert json.loads(renewed.stdout)["store"] == document["store"]
    assert send_once(home).returncode == 0
    found = numbers_at(office, document["store"])
    assert found == sorted(set(found))


def test_an_expired_token_and_a_wrong_address_are_named(office: OfficeProcess, tmp_path: Path) -> None:
    home = tmp_path / "store"
    assert enrol(home, office.url, office.token(lasts=timedelta(seconds=-1))).returncode == 4
    assert enrol(home, office.url, "nonsense").returncode == 2
    assert enrol(home, office.url.replace("https", "http"), office.token()).returncode == 2
    away = enrol(home, "https://127.0.0.1:9", office.token())
    assert away.returncode == 1
    assert "https://127.0.0.1:9" in away.stderr
    assert not (home / "outbox" / "link.json").exists()
    assert send_once(home).returncode == 5


def test_head_office_away_for_a_while_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    home, folder = tmp_path / "store", tmp_path / "hq"
    with serve_office(folder) as office:
        quick = {"CLOCHE_LINK__RETRY_SECONDS": "0.1", "CLOCHE_LINK__MAX_RETRY_SECONDS": "0.5"}
        store = json.loads(enrol(home, office.url, office.token(), **quick).stdout)["store"]
        port = int(office.url.rsplit(":", 1)[1])
        made = {"officer": office.officer, "passphrase": office.passphrase}
    box, expected = outbox_of(home), []
    with running_link(home):
        expected += [box.put("alert", alert(number)) for number in range(4)]
        wait_for(lambda: box.link_state().fault)
        for _ in range(3):
            box.put("health", {})
        expected += [box.put("alert", alert(number)) for number in range(4, 9)]
        with serve_office(folder, port=port, made=made) as office:
            wait_for(lambda: not box.pending())
            os.kill(office.pid, signal.SIGKILL)
        expected.append(box.put("alert", alert(99)))
        wait_for(lambda: box.link_state().fault)
        with serve_office(folder, port=port, made=made) as office:
            wait_for(lambda: not box.pending())
            found = numbers_at(office, store)
            page_faults = sqlite_count(folder, "faults") + sqlite_count(folder, "gaps")
    box.close()
    assert set(expected) <= set(found)
    assert len(found) == len(set(found))
    assert page_faults == 0
    assert box_state(home)["fault"] == ""


def alert(number: int) -> dict[str, Any]:
    return {"id": str(number), "at": "2026-11-01T00:00:00Z", "kind": "bound"}


def sqlite_count(folder: Path, table: str) -> int:
    connection = sqlite3.connect(folder / "hq.db")
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  a name of ours
    connection.close()
    return int(count)


def box_state(home: Path) -> dict[str, Any]:
    return dict(json.loads((home / "outbox" / "link.state").read_bytes()))


@pytest.mark.root
@pytest.mark.needs("root")
def test_the_link_has_no_rights_and_stops_when_told(office: OfficeProcess, tmp_path: Path) -> None:
    home = tmp_path / "store"
    assert enrol(home, office.url, office.token()).returncode == 0
    box = outbox_of(home)
    with running_link(home) as process:
        wait_for(lambda: not box.pending())
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line
        )
        assert "0" not in status["Uid"].split() + status["Gid"].split()
        assert status["Groups"].split() == []
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        started = time.monotonic()
        process.terminate()
        assert process.wait(timeout=5) == 0
        assert time.monotonic() - started < 3
    box.close()


@dataclass(kw_only=True)
class Canned:
    """A TLS server that answers what it is told to and remembers who asked what."""

    authority: Path
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    authority_answer: bytes = b""
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def canned_server(folder: Path) -> Iterator[Canned]:
    home = HeadOfficeHome(folder=folder)
    home.create()
    make_authority(home, "测试", ["127.0.0.1"])
    canned = Canned(authority=home.authority_certificate, authority_answer=home.authority_certificate.read_bytes())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, {}, canned.authority_answer)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            canned.posts.append((self.path, body))
            status, headers = canned.statuses.pop(0) if canned.statuses else (200, {})
            self._say(status, headers, b"{}")

        def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(http.server.HTTPServer):
        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True), address

        def handle_error(self, *arguments: object) -> None:
            """A client that does not trust us hangs up: that is what is tested."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home.server_chain, home.server_key)
    server = Server(("127.0.0.1", 0), Handler)
    canned.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield canned
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_somebody_in_between_never_gets_the_token(office: OfficeProcess, tmp_path: Path) -> None:
    token = office.token()
    with canned_server(tmp_path / "thief") as thief:
        done = enrol(tmp_path / "store", thief.url, token)
        assert done.returncode == 4
        assert "截取" in done.stderr
        # the real authority first and the thief's own behind it: only the first may count
        thief.authority_answer = (office.folder / "ca.pem").read_bytes() + thief.authority.read_bytes()
        assert enrol(tmp_path / "store", thief.url, token).returncode == 1
        assert thief.posts == []
    assert enrol(tmp_path / "store", office.url, token).returncode == 0


@pytest.fixture
def spooled(tmp_path: Path) -> Iterator[tuple[Outbox, Spool]]:
    box = Outbox(tmp_path / "outbox", KEY.sign)
    spool = Spool(tmp_path / "outbox")
    spool.open_state()
    yield box, spool
    spool.close()
    box.close()


def enrolment_at(canned: Canned) -> Enrolment:
    return Enrolment(
        url=canned.url, authority_pem=canned.authority.read_text(), store="s-1", name="x", hq="y", retry_seconds=1,
        max_retry_seconds=8,
    )  # fmt: skip


def send(sender: Sender) -> float:
    return sender.send_waiting(lambda: False, lambda: None).seconds


def test_the_link_waits_as_long_as_head_office_asks_and_longer_each_time(
    spooled: tuple[Outbox, Spool], tmp_path: Path
) -> None:
    box, spool = spooled
    box.put("alert", {})
    with canned_server(tmp_path / "hq") as canned:
        sender = Sender(spool, enrolment_at(canned), jitter=lambda: 1.0)
        canned.statuses = [(429, {"Retry-After": "37"}), (503, {}), (500, {}), (401, {}), (500, {})]
        assert [send(sender) for _ in range(5)] == [37, 2, 4, 8, 8]
        assert [number for number, _ in box.pending()] == [1]
        assert send(sender) == 0
        assert box.pending() == []
        sender.close()


def test_a_report_that_will_never_be_taken_is_set_aside_and_counted(
    spooled: tuple[Outbox, Spool], tmp_path: Path
) -> None:
    box, spool = spooled
    for _ in range(3):
        box.put("alert", {})
    with canned_server(tmp_path / "hq") as canned:
        canned.statuses = [(409, {}), (422, {}), (200, {})]
        sender = Sender(spool, enrolment_at(canned))
        assert send(sender) == 0
        sender.close()
    assert box.pending() == []
    assert box.link_state().refused == ((1, 409), (2, 422))


def test_reports_go_only_to_the_authority_that_was_pinned(spooled: tuple[Outbox, Spool], tmp_path: Path) -> None:
    box, spool = spooled
    box.put("alert", {})
    with canned_server(tmp_path / "hq") as real, canned_server(tmp_path / "thief") as thief:
        moved = Enrolment(
            url=thief.url, authority_pem=real.authority.read_text(), store="s", name="", hq="", retry_seconds=1
        )
        sender = Sender(spool, moved)
        assert send(sender) > 0
        sender.close()
        assert thief.posts == []
    assert box.link_state().fault == "ConnectError"
