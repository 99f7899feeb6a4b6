"""The page for reports without login: real sockets, hostile forms, and what the daemon makes of them."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from agent.incident.store import incidents
from agent.link import page_server
from agent.link.letters import INBOX
from agent.link.limits import MOST_ADDRESSES, Limits
from agent.link.page import MAX_BODY, read_form
from agent.link.page_office import PageOffice
from agent.link.testing import desk_at
from agent.messages import deliveries, reports, tell_with_code
from agent.messages.delivering import tick
from agent.messages.inbox import HANDLERS
from agent.wiring import build_agent
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings

BEGIN = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
PLANTED = "13800001111"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x00{{7*7}}${jndi:x}"
FORM = {"what": "有人在 3 号收银机上用 U 盘拷贝名单", "kind": "insider", "when": "2026-11-26T09:40", "place": "前台"}
answers = []


def take(_agent, answer):
    answers.append(answer)


class Store:
    """An agent with its desk and page, at a time that stands still."""

    def __init__(self, agent, desk, office, clock):
        self.agent, self.desk, self.office, self.clock = agent, desk, office, clock

    def ask(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.office.port, timeout=10)
        content = urlencode(body).encode() if isinstance(body, dict) else body
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        try:
            connection.request(method, path, content if method == "POST" else None, kind | (headers or {}))
            answer = connection.getresponse()
            return answer.status, dict(answer.headers.items()), answer.read().decode()
        finally:
            connection.close()

    def report(self, **fields):
        status, _headers, text = self.ask("POST", "/", FORM | fields)
        found = re.search(r"<strong>(R[0-9A-Z]{8})</strong>", text)
        return status, found[1] if found else None

    def tick(self):
        tick(self.agent, self.agent.now())

    def all(self):
        return incidents(self.agent).all()


@pytest.fixture
def clock():
    return [BEGIN]


@pytest.fixture
def store(tmp_path, clock, monkeypatch):
    answers.clear()
    monkeypatch.setitem(HANDLERS, "ack", "json:dumps")
    home = find_home(tmp_path / "home")
    home.create()
    values = {
        "store": {"name": "测试一店"}, "senders": {"smtp_host": "127.0.0.1", "smtp_from": "c@example.com"},
        "page": {"listen": "127.0.0.1:0", "url": "http://10.0.0.9:8099", "emergency_phone": "400-000-0000"},
        "people": [{"name": "王测试", "roles": ["security_lead"], "email": "wang@example.com"}],
    }  # fmt: skip
    with ExitStack() as stack:
        agent = stack.enter_context(build_agent(home, Settings.model_validate(values), now=lambda: clock[0]))
        desk = stack.enter_context(desk_at(home.outbox))
        tick(agent, agent.now())
        office = PageOffice(desk, lambda: clock[0])
        stack.callback(office.close)
        office.keep()
        yield Store(agent, desk, office, clock)


def test_the_form_is_one_screen_in_chinese_and_in_english_without_scripts_or_foreign_parts(store):
    for path, words in (("/", "看到了什么"), ("/?l=en", "What you saw"), ("/?l=fr", "看到了什么")):
        status, headers, text = store.ask("GET", path)
        assert status == 200
        assert words in text
        assert "测试一店" in text
        assert "<script" not in text
        assert not re.search(r"(src|href|action)=\"?(https?:)?//", text)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in headers
        assert "Server" not in headers


def test_the_style_is_the_one_that_the_policy_allows(store):
    import base64
    import hashlib

    _status, headers, text = store.ask("GET", "/")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in headers["Content-Security-Policy"]
    assert "style=" not in text


def test_a_report_has_a_receipt_and_says_what_to_do_and_becomes_an_incident_that_contains_nothing(store):
    status, _headers, text = store.ask("POST", "/", FORM)
    assert status == 200
    assert "不要关机" in text
    assert "400-000-0000" in text
    assert "U 盘" not in text, "nothing that was written comes back"
    receipt = re.search(r"R[0-9A-Z]{8}", text)[0]
    store.tick()
    (incident,) = store.all()
    assert (incident.kind, incident.phase, incident.by, incident.place) == ("insider", "reported", "page", "前台")
    assert incident.discovered_at == datetime(2026, 11, 26, 1, 40, tzinfo=UTC)
    steps = incidents(store.agent).get(incident.id).steps
    assert [step.details["receipt"] for step in steps if step.act == "messages.report"] == [receipt]
    told = deliveries(store.agent, incident.id)
    assert "王测试" in {one.person for one in told}
    assert store.agent.quarantine.entries("vaulted") == []


def test_a_contact_is_masked_in_the_record_and_kept_sealed_for_who_has_the_key(store, tmp_path):
    key = make_identity("recovery")
    store.agent.keyring.adopt(key.public)
    store.report(name="张小花", contact=PLANTED, what=f"{PLANTED} 的资料被发到群里")
    store.tick()
    (incident,) = store.all()
    assert PLANTED not in incident.summary
    assert "张小花" not in incident.summary
    for path in store.agent.home.state.rglob("*"):
        assert not path.is_file() or PLANTED.encode() not in path.read_bytes(), path
    (sealed,) = (store.agent.home.documents / incident.id).glob("*.cloche")
    file = tmp_path / "sheet.key"
    file.write_text(key.sheet())
    done = subprocess.run(
        [".venv/bin/python", "-P", "-c", "from agent.cli import main; main()", "open", str(sealed), "--key-file",
         str(file), "--home", str(tmp_path / "other")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert PLANTED in done.stdout, done.stderr


class Seen(HTMLParser):
    """What a browser would make of it: tags and attributes."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _value in attrs]


def test_hostile_text_is_inert_wherever_it_goes(store):
    _status, _headers, text = store.ask("POST", "/", dict.fromkeys(("name", "place", "contact", "when"), HOSTILE))
    seen = Seen()
    seen.feed(text)
    assert "script" not in seen.tags
    assert "img" not in seen.tags
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert "49" not in re.sub(r"\d{3,}|#\w+", "", text)
    store.report(what=HOSTILE, place=HOSTILE, name=HOSTILE, contact=HOSTILE, when=HOSTILE, kind=HOSTILE)
    store.tick()
    (incident,) = store.all()
    assert incident.kind == "other"
    assert incident.discovered_at == BEGIN
    assert "\x00" not in incident.summary
    assert "\u202e" not in incident.summary
    pages = list((store.agent.home.documents / incident.id).glob("*.html"))
    assert pages
    for page in pages:
        seen = Seen()
        seen.feed(page.read_text())
        assert "script" not in seen.tags
        assert not [name for name in seen.attributes if name.startswith("on")]


TIMES = (
    ("", BEGIN, ""),
    ("昨天晚上", BEGIN, "昨天晚上"),
    ("2027-01-01T00:00", BEGIN, "2027-01-01T00:00"),
    ("2020-01-01T00:00", BEGIN, "2020-01-01T00:00"),
    ("1e999", BEGIN, "1e999"),
    ("09:15", datetime(2026, 11, 26, 1, 15, tzinfo=UTC), ""),
    ("2026-11-25T22:10", datetime(2026, 11, 25, 14, 10, tzinfo=UTC), ""),
)


def test_the_time_is_taken_where_it_can_be_and_kept_as_words_where_not(store):
    assert [reports._discovered(store.agent, when, BEGIN) for when, _f, _k in TIMES] == [
        (found, kept) for _when, found, kept in TIMES
    ]


NO_FORMS = (
    ("POST", "/", b"what=x" + b"x" * MAX_BODY, {}, 413),
    ("POST", "/", b"what=x", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ("POST", "/", b"what=x", {"Content-Type": "application/json"}, 415),
    ("POST", "/", b"what=x&evil=1", {}, 400),
    ("POST", "/", b"\xff\xfe", {}, 400),
    ("POST", "/", b"a=1&" * 100, {}, 400),
    ("POST", "/", b"what=+", {}, 422),
    ("PUT", "/", b"", {}, 405),
    ("DELETE", "/", b"", {}, 405),
    ("GET", "/etc/passwd", b"", {}, 404),
    ("GET", "/../../etc/passwd", b"", {}, 404),
    ("GET", "/a/", b"", {}, 404),
    ("GET", "/a/nonsense", b"", {}, 404),
    ("POST", "/ok/" + "x" * 22, b"", {}, 404),
)  # fmt: skip


def test_what_is_no_form_is_not_taken(store):
    for method, path, body, given, status in NO_FORMS:
        found, headers, text = store.ask(method, path, body, given)
        assert found == status, (method, path, body[:20])
        assert headers["Content-Security-Policy"]
        assert "passwd" not in text
    assert store.desk.waiting() == 0


def test_broken_requests_get_our_page_or_nothing(store):
    for words in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70_000,
                  b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
                  b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"A: B\r\n" * 200):  # fmt: skip
        with socket.create_connection(("127.0.0.1", store.office.port), timeout=5) as connection:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            said = b""
            while piece := connection.recv(65536):
                said += piece
        assert b"Traceback" not in said
        assert b" 500 " not in said
    assert store.ask("GET", "/")[0] == 200
    assert store.desk.waiting() == 0


def test_a_dripping_client_is_cut_and_the_page_stays_open_for_others(store, monkeypatch):
    monkeypatch.setattr(page_server, "LONGEST", 0.6)
    dripping = [socket.create_connection(("127.0.0.1", store.office.port), timeout=5) for _ in range(page_server.MOST)]
    began = time.monotonic()
    try:
        for connection in dripping:
            connection.sendall(b"GET / HT")
        while time.monotonic() - began < 4:
            try:
                if store.ask("GET", "/")[0] == 200:
                    break
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        else:
            pytest.fail("the page stayed shut")
    finally:
        for connection in dripping:
            connection.close()


def test_one_address_has_its_share_and_so_have_all_together():
    now = [0.0]
    limits = Limits(2, 5, lambda: now[0])
    assert [limits.take("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert [limits.take(f"2001:db8::{n}") for n in range(1, 4)] == [True, True, False], "one /64 is one sender"
    assert [limits.take(f"10.0.1.{n}") for n in range(2)] == [True, False]
    now[0] = 3601
    assert limits.take("10.0.0.1")
    many = Limits(1, 10**9)
    for number in range(MOST_ADDRESSES + 50):
        many.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(many._by_address) == MOST_ADDRESSES


def test_a_flood_makes_a_bounded_number_of_incidents_and_every_word_is_on_record(store, clock, monkeypatch):
    monkeypatch.setattr(reports, "MOST_REPORTS", 1)
    monkeypatch.setattr(reports, "MOST_A_DAY", 2)
    made = [store.report(what=f"第 {n} 条") for n in range(14)]
    assert [status for status, _receipt in made] == [200] * 10 + [429] * 4, "per address and hour"
    store.tick()
    assert len(store.all()) == 1
    for number in range(40):
        receipt = f"R{number:08d}"
        form = {"receipt": receipt, "at": "", "name": "", "contact": ""} | FORM | {"what": f"{PLANTED} 又一条 {number}"}
        (store.agent.home.outbox / INBOX / f"{receipt}.json").write_text(json.dumps({"schema": "cloche.form/1"} | form))
        if number % 10 == 9:
            clock[0] += timedelta(hours=1, minutes=1)
            store.tick()
    assert len(store.all()) == 2
    entries = [json.loads(line) for line in store.agent.home.audit_log.read_text().splitlines()]
    aside = [entry["details"]["summary"] for entry in entries if entry["act"] == "messages.report_aside"]
    assert len(aside) == 9 + 39
    assert aside[-1] == "138****1111 又一条 39"


def test_a_full_inbox_says_so_and_takes_nothing(store, monkeypatch):
    monkeypatch.setattr("agent.link.page.FULL", 0)
    (store.agent.home.outbox / INBOX / "R00000001.json").write_text("{}")
    assert store.report() == (429, None)


def link_of(store, purpose="order"):
    tell_with_code(
        store.agent, store.agent.people.named("王测试"), "指令 O-1", "请封存 3 号收银机", purpose=purpose, about="O-1"
    )
    (name,) = store.desk.letters()
    return re.search(r"http://10\.0\.0\.9:8099(/\w+/[\w-]{22})", store.desk.open(name)["text"])[1]


def test_a_link_shows_by_get_and_answers_by_post_once(store):
    path = link_of(store)
    for _ in range(3):
        status, _headers, text = store.ask("GET", path)
        assert status == 200
        assert "请封存 3 号收银机" in text
    assert store.desk.waiting() == 0, "looking changes nothing: mail filters open every link"
    assert store.ask("GET", path.replace("/a/", "/ok/"))[0] == 404
    assert store.ask("POST", path)[0] == 200
    assert store.ask("POST", path)[0] == 404
    store.tick()
    (one,) = deliveries(store.agent)
    assert one.state == "delivered"
    assert store.ask("GET", path)[0] == 404


def test_a_link_runs_out(store, monkeypatch):
    path = link_of(store)
    monkeypatch.setattr(store.office._server.counter, "_now", lambda: BEGIN + timedelta(hours=49))
    assert store.ask("GET", path)[0] == 404
    assert store.ask("POST", path)[0] == 404


def test_guessing_links_ends(store):
    found = [store.ask("GET", f"/a/{number:022d}")[0] for number in range(32)]
    assert found == [404] * 30 + [429] * 2


def test_the_page_follows_its_settings_and_a_taken_port_ends_nothing(store, tmp_path):
    port = store.office.port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        about = json.loads((store.agent.home.outbox / "post" / "page.json").read_text())
        about["page"]["listen"] = f"127.0.0.1:{taken.getsockname()[1]}"
        store.agent.post.put_plain("page.json", json.dumps(about).encode())
        store.office.keep()
        assert store.office.port is None
    store.agent.post.put_plain("page.json", b"not json")
    store.office.keep()
    assert store.office.port is None
    about["page"]["listen"] = f"127.0.0.1:{port}"
    store.agent.post.put_plain("page.json", json.dumps(about).encode())
    store.office.keep()
    assert store.office.port == port


def test_the_page_speaks_https_with_a_certificate_of_its_own(store, tmp_path):
    from central.home import HeadOfficeHome
    from central.stores.authority import make_authority

    authority = HeadOfficeHome(folder=tmp_path / "ca")
    authority.create()
    make_authority(authority, "测试", ["127.0.0.1"])
    about = json.loads((store.agent.home.outbox / "post" / "page.json").read_text())
    about["page"] |= {"certificate": str(authority.server_chain), "private_key": str(authority.server_key)}
    store.agent.post.put_plain("page.json", json.dumps(about).encode())
    store.office.keep()
    context = ssl.create_default_context(cafile=str(authority.authority_certificate))
    connection = http.client.HTTPSConnection("127.0.0.1", store.office.port, context=context, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_read_form_bounds_every_field():
    given = read_form(urlencode({"what": "长" * 1000, "place": "x" * 5000}).encode())
    assert len(given["place"]) == 200
    assert given["kind"] == "other"
    assert read_form(b"") is None
