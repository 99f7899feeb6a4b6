"""Two lines a week: what they say, to whom, once; by a real mail server with TLS, and a robot."""

from __future__ import annotations

import email
import email.policy
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import select

from central.api.settings import DigestSettings
from central.digest.letters import Letter, claim_letter, make_week, settle_letter, week_of
from central.digest.posting import post_letter
from central.digest.weekly import send_due
from central.digest.words import Digest, Figures, write_digest
from central.home import HeadOfficeHome
from central.models import Act, Grant, NewsMark, Person, Store
from central.moments import now
from central.office import HeadOffice, open_office
from central.stores.authority import make_authority
from central.testing import call_office

SHANGHAI = ZoneInfo("Asia/Shanghai")
PASSWORD = "test-password"


class Mailbox:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def mail_home(tmp_path: Path) -> HeadOfficeHome:
    home = HeadOfficeHome(folder=tmp_path / "mail")
    home.create()
    make_authority(home, "mail", ["localhost", "127.0.0.1"])
    return home


@pytest.fixture
def mailbox(mail_home: HeadOfficeHome) -> Iterator[tuple[Mailbox, int]]:
    """A mail server that wants STARTTLS and a login."""
    box = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(mail_home.server_chain), str(mail_home.server_key))

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=False)

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=check,
        auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


@pytest.fixture
def office(tmp_path: Path, mail_home: HeadOfficeHome, mailbox: tuple[Mailbox, int]) -> Iterator[HeadOffice]:
    folder = tmp_path / "hq"
    call_office(folder, "init", "--name", "测试总部")
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n", encoding="utf-8")
    secret.chmod(0o600)
    (folder / "hq.toml").write_text(
        f'[digest]\nday = "monday"\nhour = 0\nsmtp_host = "localhost"\nsmtp_port = {mailbox[1]}\nsmtp_user = "hq"\n'
        f'smtp_from = "hq@example.com"\nsmtp_password_file = "{secret}"\n'
        f'smtp_ca_file = "{mail_home.authority_certificate}"\n',
        encoding="utf-8",
    )
    opened = open_office(HeadOfficeHome(folder=folder))
    try:
        opened.writer.submit(_fill).result()
        yield opened
    finally:
        opened.close()


def _fill(session: Any) -> None:
    for number in range(4):
        session.add(
            Store(
                id=f"s-{number}", name=f"测试{number}店", made_at=now(), heard_at=now() - timedelta(hours=number),
                persons=10, places=4, sealed=3, exposed=number % 2, public_key=bytes([number]), scanned_at=now(),
            )
        )  # fmt: skip
    session.flush()
    for name, role, scope, language in (
        ("lead", "security_lead", "", "zh-CN"), ("area", "store_manager", "s-0", "zh-CN"),
        ("boss", "franchisee", "s-1", "en"), ("left", "legal", "", "zh-CN"),
    ):  # fmt: skip
        session.add(
            Person(
                id=f"p-{name}", name=name, mail=f"{name}@example.com", language=language, made_at=now(),
                left_at=now() if name == "left" else None,
            )
        )  # fmt: skip
        session.flush()
        kind = "store" if scope else "all"
        session.add(Grant(person_id=f"p-{name}", role=role, scope=kind, scope_id=scope, since=now()))


def test_whoever_answers_for_it_gets_two_lines_once_however_many_instances_try(
    office: HeadOffice, mailbox: tuple[Mailbox, int]
) -> None:
    ends: list[dict[str, str]] = []
    instances = [threading.Thread(target=lambda: ends.append(send_due(office, now()))) for _ in range(4)]
    for instance in instances:
        instance.start()
    for instance in instances:
        instance.join()
    assert send_due(office, now()) == {}
    mails = {mail["To"]: mail for mail in mailbox[0].mails}
    assert sorted(mail["To"] for mail in mailbox[0].mails) == ["boss@example.com", "lead@example.com"]
    chinese = mails["lead@example.com"].get_content().strip().splitlines()
    assert chinese == [
        "4 家门店，1 家联系正常；40 位顾客的信息，所在处 75% 已加密保护。",
        "需要您处理：2 家门店有未加密的顾客信息、3 家门店超过一小时没有联系、4 人超过 31 天没有确认联系方式。",
    ]
    english = mails["boss@example.com"].get_content().strip().splitlines()
    assert english[0].startswith("1 stores, 0 in contact")
    assert len(english) == 2
    assert "测试总部" in mails["lead@example.com"]["Subject"]
    assert mails["boss@example.com"]["Auto-Submitted"] == "auto-generated"
    with office.sessions() as session:
        acts = session.scalars(select(Act.detail).where(Act.act == "digest.sent")).all()
    assert len(acts) == 2


def test_the_command_shows_what_would_go_and_sends_nothing(office: HeadOffice, mailbox: tuple[Mailbox, int]) -> None:
    folder = office.trusted.home.folder
    document = call_office(folder, "digest", "--dry-run")
    assert sorted(letter["to"] for letter in document["letters"]) == ["boss@example.com", "lead@example.com"]
    assert mailbox[0].mails == []
    sent = call_office(folder, "digest")
    assert sorted(sent["ends"].values()) == ["sent", "sent"]
    assert call_office(folder, "digest")["ends"] == {}
    assert len(mailbox[0].mails) == 2


def test_a_mail_server_that_is_not_whom_we_trust_gets_no_password(
    office: HeadOffice, mailbox: tuple[Mailbox, int]
) -> None:
    letter = Letter(subject="2026-W48/p-1", to="lead@example.com", digest=Digest(subject="s", how="a", needs="b"))
    settings = office.settings.digest
    assert post_letter(letter, settings.model_copy(update={"smtp_ca_file": ""})) == "tls"
    wrong = Path(settings.smtp_password_file).with_name("wrong")
    wrong.write_text("no\n", encoding="utf-8")
    assert post_letter(letter, settings.model_copy(update={"smtp_password_file": str(wrong)})) == "settings"  # readable
    wrong.chmod(0o600)
    assert post_letter(letter, settings.model_copy(update={"smtp_password_file": str(wrong)})) == "login"
    assert post_letter(replace(letter, to="a@b.example\nBcc: c@d.example"), settings) == "recipient"
    assert post_letter(letter, settings.model_copy(update={"smtp_port": 1})) == "unreachable"
    assert mailbox[0].mails == []
    assert post_letter(letter, settings) == ""
    assert post_letter(letter, settings) == ""
    first, second = mailbox[0].mails
    assert first["Message-ID"] == second["Message-ID"]


def test_a_letter_that_failed_waits_and_one_that_stuck_is_taken_up(office: HeadOffice) -> None:
    moment = now()

    def check(session: Any) -> None:
        make_week(session, "2026-W48", office.settings.digest, moment)
        make_week(session, "2026-W48", office.settings.digest, moment)
        marks = session.scalars(select(NewsMark).where(NewsMark.topic == "digest")).all()
        assert len(marks) == 2
        first, second = claim_letter(session, "2026-W48", moment), claim_letter(session, "2026-W48", moment)
        assert first is not None
        assert second is not None
        assert first[0] != second[0]
        assert claim_letter(session, "2026-W48", moment) is None
        assert settle_letter(session, first[0], 1, "timeout", moment) == "waiting 1"
        assert claim_letter(session, "2026-W48", moment) is None
        assert claim_letter(session, "2026-W48", moment + timedelta(minutes=3)) == (first[0], 2)
        assert claim_letter(session, "2026-W48", moment + timedelta(minutes=11)) == (second[0], 2)
        assert settle_letter(session, first[0], 6, "login", moment) == "failed login"

    office.writer.submit(check).result()


def test_a_week_is_due_from_its_day_and_hour_on() -> None:
    settings = DigestSettings(day="wednesday", hour=9)
    assert week_of(datetime(2026, 11, 25, 0, 59, tzinfo=UTC), settings, SHANGHAI) == ""
    assert week_of(datetime(2026, 11, 25, 1, 0, tzinfo=UTC), settings, SHANGHAI) == "2026-W48"
    assert week_of(datetime(2026, 11, 29, 15, 0, tzinfo=UTC), settings, SHANGHAI) == "2026-W48"
    assert week_of(datetime(2026, 11, 29, 16, 0, tzinfo=UTC), settings, SHANGHAI) == ""


def test_a_quiet_week_says_so() -> None:
    figures = Figures(
        stores=3, heard=3, persons=0, places=0, sealed=0, exposed=0, incidents=0, alerts=0, faults=0, unscanned=0,
        deadline=None,
    )  # fmt: skip
    assert write_digest(figures, "总部", "zh-CN", SHANGHAI, "2026-W48").needs == "没有需要您处理的事。"
    loud = replace(figures, incidents=2, deadline=datetime(2026, 12, 1, tzinfo=UTC))
    assert "2026-12-01 08:00" in write_digest(loud, "HQ", "en", SHANGHAI, "2026-W48").needs


def test_a_groups_robot_is_told_and_its_own_error_is_a_failure(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []
    answers = [b'{"errcode": 0}', b'{"errcode": 93000}', b'{"code": 0}', b"[]", b"{}"]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[len(got) - 1])

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        file = tmp_path / "robot"
        file.write_text(f"http://127.0.0.1:{server.server_address[1]}/robot?key=test\nSECtest\n", encoding="utf-8")
        os.chmod(file, 0o600)
        letter = Letter(subject="2026-W48/robot", to="", digest=Digest(subject="s", how="一", needs="二"))

        def post(kind: str) -> str:
            return post_letter(letter, DigestSettings(robot_kind=kind, robot_url_file=str(file)))  # type: ignore[arg-type]

        assert [post("wecom"), post("dingtalk"), post("feishu"), post("wecom"), post("webhook")] == [
            "", "refused 93000", "", "bad_answer", "",
        ]  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert got[0]["text"]["content"] == "s\n一\n二"
    assert "sign=" in got[1]["path"]
    assert got[2]["sign"]
    assert got[4]["lines"] == ["一", "二"]
