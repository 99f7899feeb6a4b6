"""Webhooks: signed, at least once, to public addresses only; what is new is found from how far it was told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import html
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.hooks.addresses import AddressError, check_url, is_public, resolve
from central.hooks.duties import take_duty
from central.hooks.news import find_news, forget_old_marks
from central.hooks.outbox import Try, claim, keep_news, set_baseline, settle
from central.hooks.sending import purpose, send
from central.hooks.signing import make_secret, sign
from central.models import (
    Act,
    Delivery,
    Fault,
    Login,
    Order,
    Store,
    StoredAlert,
    StoredIncident,
    Webhook,
    WebhookDelivery,
)
from central.moments import now
from central.people.secrets import Secrets, read_secrets
from central.stores.authority import make_authority
from central.testing import OfficeProcess, SpeakingStore, call_office, serve_office
from config.errors import UsageError


class Receiver:
    """A real https server that keeps what it was sent and answers what it is told to."""

    def __init__(self, folder: Path) -> None:
        home = HeadOfficeHome(folder=folder)
        home.create()
        make_authority(home, "receiver", ["localhost", "127.0.0.1"])
        self.ca_file = home.authority_certificate
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", "http://169.254.169.254/")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(home.server_chain), str(home.server_key))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    started = Receiver(tmp_path_factory.mktemp("receiver"))
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    made = call_office(folder, "init", "--name", "测试总部", "--second-factor", "offered")
    settings = f'[hooks]\nprivate_addresses = true\nca_file = "{receiver.ca_file}"\n'
    (folder / "hq.toml").write_text(settings, encoding="utf-8")
    with serve_office(folder, made=made) as running:
        yield running


@contextmanager
def database(office: OfficeProcess) -> Iterator[Session]:
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine, expire_on_commit=False).begin() as session:
            yield session
    finally:
        engine.dispose()


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A database of its own, of each kind."""
    engine = open_database(database_url, create=True)
    try:
        with sessionmaker(engine, expire_on_commit=False).begin() as opened:
            yield opened
    finally:
        engine.dispose()


def hook(session: Session, *topics: str, url: str = "https://example.com/") -> Webhook:
    row = Webhook(id="h-1", url=url, topics=list(topics), secret=b"x", made_at=now(), by_id="p-1", paused_at=None)
    session.add(row)
    session.flush()
    return row


def shop(session: Session, store_id: str = "s-1", **values: Any) -> Store:
    row = Store(id=store_id, name="测试店", made_at=now(), heard_at=now(), public_key=store_id.encode(), **values)
    session.add(row)
    session.flush()
    return row


def incident(session: Session, phase: str, **values: Any) -> None:
    session.merge(
        StoredIncident(
            store_id="s-1", incident_id="i-1", number=1, kind="insider", phase=phase, is_open=phase != "closed",
            discovered_at=now(), document={"summary": "张三泄露", "files": 3, "persons": 40}, **values,
        )
    )  # fmt: skip
    session.flush()


def told(session: Session) -> list[str]:
    """Look once, and say which topics went out since the last look."""
    before = set(session.scalars(select(WebhookDelivery.id)))
    keep_news(session, find_news(session, now(), now() - timedelta(hours=2)), now())
    rows = session.scalars(select(WebhookDelivery).where(WebhookDelivery.id.not_in(before)))
    return sorted(row.topic for row in rows)


def test_what_was_there_before_the_first_look_is_no_news(session: Session) -> None:
    hook(session, "incident.opened", "incident.phase")
    shop(session)
    incident(session, "responding")
    assert told(session) == []
    set_baseline(session, now())
    assert told(session) == []
    incident(session, "cleaning")
    assert told(session) == ["incident.phase"]
    assert told(session) == []


def test_each_topic_is_told_once_and_without_a_word_of_the_store(session: Session) -> None:
    hook(session, "incident.opened", "alert.high", "store.silent", "clock.due", "order.refused", "fault.clone")
    set_baseline(session, now())
    shop(session, open_alerts=2)
    shop(session, "s-2").heard_at = now() - timedelta(hours=3)
    incident(session, "responding", deadline_at=now() + timedelta(hours=3))
    for number, severity in enumerate(("critical", "notice")):
        document = {"kind": "bound", "severity": severity, "text": "张三读取会员.xlsx", "user": "zhangsan"}
        session.add(
            StoredAlert(store_id="s-1", alert_id=f"a-{number}", number=1, at=now(), is_open=True, document=document)
        )
    session.add(
        Order(
            id="o-1", kind="rescan", case_id=None, body="{}", signatures=[], by_id="p-1", made_at=now(),
            expires_at=now(), sent_at=now(), withdrawn_at=None,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        Delivery(
            store_id="s-1", number=1, order_id="o-1", made_at=now(), acknowledged_at=now(), state="refused",
            reason="张三说不", told_at=None, answer=None,
        )
    )  # fmt: skip
    session.add(
        Fault(store_id="s-1", kind="clone", count=2, first_at=now(), last_at=now(), detail="192.0.2.1", settled_at=None)
    )
    session.flush()
    topics = ["alert.high", "clock.due", "fault.clone", "incident.opened", "order.refused", "store.silent"]
    assert told(session) == topics
    assert told(session) == []
    sent = json.dumps([row.document for row in session.scalars(select(WebhookDelivery))], ensure_ascii=False)
    for word in ("张三", "会员", "zhangsan", "192.0.2.1"):
        assert word not in sent
    session.execute(update(StoredIncident).values(deadline_at=now() - timedelta(minutes=1)))
    assert told(session) == ["clock.due"]  # once more when it is over
    session.execute(update(Store).where(Store.id == "s-2").values(heard_at=now() - timedelta(hours=2)))
    assert told(session) == ["store.silent"]  # heard from, and silent again
    forget_old_marks(session, now() + timedelta(days=60))
    assert told(session) == ["order.refused"] or told(session) == []


def test_after_an_absence_of_its_own_head_office_calls_nobody_silent(session: Session) -> None:
    set_baseline(session, now())
    shop(session).heard_at = now() - timedelta(days=1)
    assert [item.kind for item in find_news(session, now(), now() - timedelta(minutes=5))] == []
    assert [item.kind for item in find_news(session, now(), now() - timedelta(hours=2))] == ["silent"]


def test_a_duty_is_one_holders_until_its_time_is_over(session: Session) -> None:
    moment = now()
    assert take_duty(session, "news", "a", moment) is not None
    assert take_duty(session, "news", "b", moment) is None
    assert take_duty(session, "news", "a", moment) is not None
    assert take_duty(session, "news", "b", moment + timedelta(minutes=1)) is not None
    assert take_duty(session, "news", "a", moment + timedelta(minutes=1)) is None


def test_a_delivery_is_claimed_once_put_off_and_given_up_after_three_days(session: Session) -> None:
    hook(session, "incident.opened")
    shop(session)
    set_baseline(session, now())
    incident(session, "reported")
    told(session)
    moment = now()
    tries = claim(session, moment)
    assert len(tries) == 1
    assert claim(session, moment) == []  # another instance finds nothing
    assert len(claim(session, moment + timedelta(seconds=61))) == 1  # the first one died on the way
    pauses = []
    while True:
        settle(session, tries[0], "HTTP 500", moment, taken=False)
        row = session.scalars(select(WebhookDelivery)).one()
        session.refresh(row)
        if row.next_at is None:
            break
        pauses.append(row.next_at - moment)
        moment = row.next_at
        tries = claim(session, moment)
    assert pauses[:4] == [timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1)] or (
        pauses[0] == timedelta(seconds=5)
    )
    assert timedelta(days=2) < moment - row.made_at < timedelta(days=3)
    assert row.outcome == "HTTP 500"


def test_an_address_that_is_gone_pauses_its_webhook(session: Session) -> None:
    row = hook(session, "incident.opened")
    shop(session)
    set_baseline(session, now())
    incident(session, "reported")
    told(session)
    settle(session, claim(session, now())[0], "HTTP 410", now(), taken=False, gone=True)
    assert row.paused_at is not None
    incident(session, "responding")
    assert told(session) == []


def test_signatures_are_those_of_standard_webhooks() -> None:
    # the example of the specification's own libraries
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    with pytest.raises(ValueError, match="secret"):
        sign("whsec_%%%", "msg_1", 1, b"")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https://user:word@example.com/", "https://127.0.0.1/",
        "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://localhost/", "https://a b/",
        "https://100.64.0.1/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://x.internal/",
        "https://example.com:99999/", "https://例子.测试/", "https://example.com/#x", "https://example.com\\@127.0.0.1/",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="url"):
        check_url(url, private=False)


def test_a_name_that_means_a_private_machine_is_not_connected_to() -> None:
    assert check_url("https://example.com/a?b=c", private=False)
    with pytest.raises(AddressError, match="private"):
        asyncio.run(resolve("https://localhost:8443/x", private=False))
    with pytest.raises(AddressError, match="unresolved"):
        asyncio.run(resolve("https://does-not-exist.invalid/", private=False))
    target = asyncio.run(resolve("https://localhost:8443/x?y=1", private=True))
    assert target.host == "localhost"
    assert set(target.urls) <= {"https://127.0.0.1:8443/x?y=1", "https://[::1]:8443/x?y=1"}
    for address in ("8.8.8.8", "2606:4700::1111"):
        assert is_public(__import__("ipaddress").ip_address(address))


def test_a_receiver_that_never_answers_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.hooks.sending.SECONDS", 0.5)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(100):
                writer.write(f"X-{number}: 1\r\n".encode())
                await writer.drain()
                await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def run() -> tuple[str, float]:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        secrets = Secrets(b"k" * 32)
        tried = Try(
            delivery_id="msg_1", webhook_id="h-1", url=f"http://127.0.0.1:{port}/", document={}, made_at=now(), tries=1,
            secret=secrets.encrypt(make_secret().encode(), purpose("h-1")),
        )  # fmt: skip
        begun = time.monotonic()
        ending = await send(tried, secrets, ssl.create_default_context(), private=True)
        server.close()
        return ending.outcome, time.monotonic() - begun

    outcome, seconds = asyncio.run(run())
    assert outcome == "timeout"
    assert seconds < 3


def test_a_webhook_is_made_on_a_page_and_told_of_an_incident_signed(
    office: OfficeProcess, receiver: Receiver, client: httpx.Client, cookies: httpx.Cookies
) -> None:
    client.cookies.update(cookies)
    with database(office) as session:
        session.execute(update(Login).values(second_at=now()))
    token = client.get("/settings/hooks").text.split('name="form_token" value="')[1].split('"')[0]
    refused = client.post("/settings/hooks", data={"form_token": token, "url": "ftp://x/", "topic": "incident.opened"})
    assert refused.status_code == 422
    made = client.post(
        "/settings/hooks", data={"form_token": token, "url": receiver.url, "topic": ["incident.opened", "alert.high"]}
    )
    assert made.status_code == 200, made.text
    secret = html.unescape(made.text.split("<code>")[1].split("</code>")[0])
    assert secret.startswith("whsec_")
    assert secret not in client.get("/settings/hooks").text
    raw = b"".join(file.read_bytes() for file in office.folder.glob("hq.db*"))
    assert secret.encode() not in raw

    receiver.answers[:] = [500, 302]  # a failure and a redirect, which is not followed: both are tried again
    with office.client() as stranger:
        store = SpeakingStore(client=stranger)
        assert store.enrol(office.token("测试一店")).status_code == 200
        document = {
            "id": "i-9", "kind": "insider", "phase": "responding", "discovered_at": now().isoformat(),
            "summary": "店员张三把名单发到群里", "files": 2, "persons": 14,
        }  # fmt: skip
        assert store.report("incident", document).status_code == 200
        store.close()
    deadline = time.monotonic() + 20
    while len(receiver.got) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    with database(office) as session:
        ends = [(row.topic, row.tries, row.outcome) for row in session.scalars(select(WebhookDelivery))]
    assert len(receiver.got) >= 2, ends
    (first, body), (again, same) = receiver.got[:2]
    assert body == same
    assert first["webhook-id"] == again["webhook-id"]
    assert first["host"] == receiver.url.split("/")[2]
    signed = f"{first['webhook-id']}.{first['webhook-timestamp']}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert first["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    said = json.loads(body)
    assert said["type"] == "incident.opened"
    assert (said["data"]["files"], said["data"]["persons"]) == (2, 14)
    assert "张三" not in body.decode()
    page = client.get("/settings/hooks", headers={"Accept-Language": "en"}).text
    assert "HTTP 500" in page or "HTTP 302" in page
    with database(office) as session:
        hook_id = session.scalars(select(Webhook.id)).one()
        assert "hook.made" in session.scalars(select(Act.act)).all()
    assert client.post(f"/settings/hooks/{hook_id}/remove", data={"form_token": token}).status_code == 422
    gone = client.post(f"/settings/hooks/{hook_id}/remove", data={"form_token": token, "confirmed": "yes"})
    assert gone.status_code == 303
    assert receiver.url not in client.get("/settings/hooks").text


def test_the_accounts_key_opens_what_was_stored(office: OfficeProcess) -> None:
    secrets = read_secrets(HeadOfficeHome(folder=office.folder))
    sealed = secrets.encrypt(b"whsec_x", purpose("h-1"))
    assert secrets.decrypt(sealed, purpose("h-1")) == b"whsec_x"
