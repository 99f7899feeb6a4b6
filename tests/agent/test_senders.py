"""Every way out against real servers: success, refusal, time-out, garbage, and a yes that is none."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from email import message_from_bytes, policy
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from agent.link.senders import mail as mail_module
from agent.link.senders import web as web_module
from agent.link.senders.gateway import Crm, Sms, SmsStatus, rendered
from agent.link.senders.mail import Mail, is_mailbox
from agent.link.senders.robots import WECOM_BYTES, Robots, cut, dingtalk_sign, feishu_sign
from agent.link.testing import raw_server, web_server
from config.messaging import SendersSettings

LETTER = {
    "id": "M0123456789ab", "channel": "mail", "to": "wang@example.com", "subject": "指令 1\r\nBcc: thief@example.com",
    "text": "请马上处理。", "purpose": "order", "use": "staff",
    "parameters": {"subject": "指令 1", "text": "请马上处理。" * 20, "code": "12345678", "store": "测试店"},
}  # fmt: skip
SECRET = "s3cr3t-of-the-robot"


class Post:
    """A mailbox on a real SMTP server; `refuse` are the codes it answers RCPT or DATA with."""

    def __init__(self):
        self.mails, self.refuse_rcpt, self.refuse_data, self.logins = [], "", "", []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  aiosmtpd
        if self.refuse_rcpt:
            return self.refuse_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  aiosmtpd
        self.mails.append(envelope)
        return self.refuse_data or "250 OK"


@contextmanager
def smtp_server(post, **options):
    """aiosmtpd on a port of its own, its loop in a thread."""
    loop = asyncio.new_event_loop()

    def session():
        return SMTP(post, hostname="mail.example.com", loop=loop, enable_SMTPUTF8=True, **options)

    server = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def mail_settings(port, **more):
    return SendersSettings.model_validate(
        {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "smtp_from": "cloche@example.com"} | more
    )


def sms_settings(url, **more):
    template = {"id": "SMS_1", "use": "staff", "parameters": ["subject", "text"], "longest": 20}
    return SendersSettings.model_validate({"sms_url": url, "sms_sign": "测试餐饮", "sms_templates": [template]} | more)


def robot_settings(url, kind, secret=""):
    return SendersSettings.model_validate({"robots": [{"name": "应急群", "kind": kind, "url": url, "secret": secret}]})


def to_phone(**more):
    return LETTER | {"channel": "sms", "to": "138 0000 1111"} | more


def to_group(**more):
    return LETTER | {"channel": "robot", "to": "应急群"} | more


def test_a_mail_arrives_whole_and_its_subject_makes_no_second_recipient():
    post = Post()
    with smtp_server(post) as port:
        outcome = Mail(mail_settings(port)).send(LETTER)
    assert outcome.ending == "accepted", outcome
    (envelope,) = post.mails
    assert envelope.rcpt_tos == ["wang@example.com"]
    mail = message_from_bytes(envelope.content, policy=policy.SMTP)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "指令 1 Bcc: thief@example.com"
    assert mail.get_content().strip() == "请马上处理。"
    assert mail["Message-ID"] == "<M0123456789ab@example.com>" == outcome.receipt


@pytest.mark.parametrize(
    ("rcpt", "data", "reason"),
    [
        ("550 no such user", "", "recipient"),
        ("451 try later", "", "busy"),
        ("", "554 spam", "refused"),
        ("", "452 disk full", "busy"),
        ("", "552 too large", "too_large"),
    ],
)
def test_a_mail_server_that_refuses_is_named_by_its_reason(rcpt, data, reason):
    post = Post()
    post.refuse_rcpt, post.refuse_data = rcpt, data
    with smtp_server(post) as port:
        outcome = Mail(mail_settings(port)).send(LETTER)
    assert (outcome.ending, outcome.reason) == ("failed", reason)
    assert outcome.detail == (rcpt or data)[:3]


def test_a_wrong_password_is_a_wrong_password():
    def nobody(*_arguments):
        return AuthResult(success=False, handled=False)

    with smtp_server(Post(), authenticator=nobody, auth_require_tls=False) as port:
        settings = mail_settings(port, smtp_user="cloche", smtp_password=SECRET)
        outcome = Mail(settings).send(LETTER)
    assert outcome.reason == "login"


def test_a_password_never_goes_over_a_connection_in_clear_to_another_machine(monkeypatch):
    said = []

    def talk(connection):
        connection.sendall(b"220 hello\r\n")
        while data := connection.recv(4096):
            said.append(data)
            connection.sendall(b"250-hello\r\n250 AUTH PLAIN\r\n")

    with raw_server(talk) as port:
        starttls = mail_settings(port, smtp_security="starttls", smtp_user="u", smtp_password=SECRET)
        assert Mail(starttls).send(LETTER).reason == "tls"
        monkeypatch.setattr(mail_module, "LOOPBACK", frozenset())
        clear = mail_settings(port, smtp_user="u", smtp_password=SECRET)
        assert Mail(clear).send(LETTER).reason == "bad_answer"
    assert not any(b"AUTH" in data for data in said)


@pytest.mark.parametrize(
    ("words", "reason"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", "bad_answer"), (b"220-\xff\xfe\r\n" * 9000, "bad_answer"), (b"", "bad_answer")],
)
def test_a_mail_server_that_talks_garbage_or_without_end_is_left(words, reason):
    with raw_server(lambda connection: connection.sendall(words)) as port:
        assert Mail(mail_settings(port)).send(LETTER).reason == reason


def test_a_silent_mail_server_times_out_and_a_closed_port_is_unreachable(monkeypatch):
    monkeypatch.setattr(mail_module, "SECONDS", 0.3)
    with raw_server(lambda _connection: time.sleep(1)) as port:
        assert Mail(mail_settings(port)).send(LETTER).reason == "timeout"
    assert Mail(mail_settings(port)).send(LETTER).reason == "unreachable"


@pytest.mark.parametrize("address", ["", "wang", "a@b", "a@b.cn,c@d.cn", "a b@c.cn", "a@b.cn\nBcc: x@y.cn", "<a@b.cn>"])
def test_what_is_no_single_mailbox_is_never_sent_to(address):
    assert not is_mailbox(address)
    assert Mail(mail_settings(9)).send(LETTER | {"to": address}).reason == "recipient"


def test_an_sms_goes_by_its_template_with_parameters_cut_to_what_the_operator_takes():
    with web_server((200, {}, b'{"code": 0, "msgid": "abc-1"}')) as server:
        body = {"mobile": "{phone}", "tpl": "{template}", "p": "{parameters}", "list": "{values}", "who": "{account}"}
        settings = sms_settings(
            server.url, sms_body=body, sms_account="acc", sms_headers={"Authorization": f"Bearer {SECRET}"},
            sms_receipt='"msgid": "([a-z0-9-]{1,40})"',
        )  # fmt: skip
        outcome = Sms(settings).send(to_phone())
    assert (outcome.ending, outcome.receipt) == ("accepted", "abc-1")
    (heard,) = server.heard
    said = json.loads(heard.body)
    assert said["mobile"] == "13800001111"
    assert said["tpl"] == "SMS_1"
    assert said["p"] == {"subject": "指令 1", "text": ("请马上处理。" * 20)[:19] + "…"}
    assert said["list"] == list(said["p"].values())
    assert said["who"] == "acc"
    assert heard.headers["Authorization"] == f"Bearer {SECRET}"


def test_an_sms_goes_as_a_form_or_in_the_address_too():
    with web_server((200, {}, b"ok")) as server:
        Sms(sms_settings(server.url, sms_form="form")).send(to_phone())
        Sms(sms_settings(server.url + "?key=1", sms_method="GET")).send(to_phone())
    form, query = server.heard
    assert parse_qs(form.body.decode())["sign"] == ["测试餐饮"]
    assert parse_qs(urlsplit(query.path).query)["phone"] == ["13800001111"]
    assert parse_qs(urlsplit(query.path).query)["key"] == ["1"]


def test_what_is_filled_into_a_field_is_not_looked_at_for_placeholders():
    assert rendered({"a": "{x}!"}, {"x": "{secret}", "secret": SECRET}) == {"a": "{secret}!"}


@pytest.mark.parametrize(
    ("answer", "success", "ending", "reason"),
    [
        ((200, {}, b'{"code": 0}'), "", "accepted", ""),
        ((200, {}, b""), "", "accepted", ""),
        ((200, {}, b'{"code": 1001, "msg": "13800001111 blocked"}'), "", "failed", "refused"),
        ((200, {}, b'{"success": false}'), "", "failed", "refused"),
        ((200, {}, b'{"Code": "OK"}'), '"Code": "OK"', "accepted", ""),
        ((200, {}, b'{"Code": "isv.LIMIT"}'), '"Code": "OK"', "failed", "refused"),
        ((200, {}, b"<html>wifi login</html>"), "", "failed", "bad_answer"),
        ((200, {}, b"\xff\xfe\x00garbage"), '"Code": "OK"', "failed", "bad_answer"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), "", "failed", "bad_answer"),
        ((200, {}, b"[" * 40_000), "", "failed", "bad_answer"),
        ((302, {"Location": "http://127.0.0.1:1/steal"}, b""), "", "failed", "redirected"),
        ((401, {}, b""), "", "failed", "login"),
        ((413, {}, b""), "", "failed", "too_large"),
        ((429, {}, b""), "", "failed", "busy"),
        ((500, {}, b""), "", "failed", "refused"),
        ((503, {}, b""), "", "failed", "busy"),
    ],
)
def test_the_gateways_answer_is_judged_by_what_it_says(answer, success, ending, reason):
    with web_server(answer) as server:
        outcome = Sms(sms_settings(server.url, sms_success=success)).send(to_phone())
    assert (outcome.ending, outcome.reason) == (ending, reason)
    assert "13800001111" not in outcome.detail
    assert len(server.heard) == 1


def test_a_gateway_that_is_silent_or_away_or_drowns_us_is_left(monkeypatch):
    monkeypatch.setattr(web_module, "SECONDS", 0.3)
    with web_server(0.8) as server:
        assert Sms(sms_settings(server.url)).send(to_phone()).reason == "timeout"
    assert Sms(sms_settings(server.url)).send(to_phone()).reason == "unreachable"

    def flood(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with raw_server(flood) as port:
        assert Sms(sms_settings(f"http://127.0.0.1:{port}/")).send(to_phone()).reason == "bad_answer"


@pytest.mark.parametrize("phone", ["", "1", "abc", "13800001111,13900001111", "+" + "1" * 20])
def test_what_is_no_number_is_never_sent_to(phone):
    with web_server() as server:
        assert Sms(sms_settings(server.url)).send(to_phone(to=phone)).reason == "recipient"
    assert server.heard == []


def test_what_became_of_an_sms_is_asked_after_and_no_clear_answer_is_no_news():
    patterns = {"sms_delivered": "DELIVRD", "sms_failed": "UNDELIV"}
    answers = [(200, {}, b"DELIVRD"), (200, {}, b'{"status": "UNDELIV"}'), (200, {}, b"?"), (500, {}, b"")]
    with web_server(*answers) as server:
        settings = sms_settings(server.url, sms_status_url=server.url + "?id={receipt}", **patterns)
        endings = [SmsStatus(settings).send({"id": "M1", "receipt": "a/b"}).ending for _ in answers]
    assert endings == ["delivered", "failed", "pending", "pending"]
    assert server.heard[0].path.endswith("?id=a%2Fb")


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu"])
def test_a_robot_that_says_200_with_an_error_inside_has_failed(kind):
    name = "code" if kind == "feishu" else "errcode"
    answers = [{name: 0}, {name: 93000, "errmsg": "invalid"}, {name: True}, {}, {name: {"$numberLong": "0"}}]
    with web_server(*[(200, {}, json.dumps(answer).encode()) for answer in answers]) as server:
        robots = Robots(robot_settings(server.url, kind))
        outcomes = [robots.send(to_group()) for _ in answers]
    assert [outcome.reason for outcome in outcomes] == ["", "refused", "bad_answer", "bad_answer", "bad_answer"]
    assert outcomes[1].detail == "93000"


def test_a_wecom_text_is_cut_at_a_character_within_2048_bytes_and_says_where_the_rest_is():
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        Robots(robot_settings(server.url, "wecom")).send(to_group(text="顾客信息" * 1000))
    content = json.loads(server.heard[0].body)["text"]["content"]
    assert WECOM_BYTES - 3 < len(content.encode()) <= WECOM_BYTES
    assert content.endswith("…（全文：cloche message show M0123456789ab）")
    for size in range(60, 80):
        assert len(cut("a顾𠮷" * 40, size, "…").encode()) <= size
    assert cut("短", 100, "…") == "短"


def test_dingtalk_and_feishu_are_signed_as_they_ask():
    # by their published recipe: `printf '%s\n%s' TIME SECRET | openssl dgst -sha256 -hmac …`
    assert dingtalk_sign("SEC1", 1577262236757) == "ITVtMhBxlMWAso4YOWiyBDr7oDB8KSVHGqHA5hI1Ros%3D"
    assert feishu_sign("demo", 1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
    with web_server((200, {}, b'{"errcode": 0, "code": 0}')) as server:
        Robots(robot_settings(server.url + "?access_token=x", "dingtalk", SECRET)).send(to_group())
        Robots(robot_settings(server.url, "feishu", SECRET)).send(to_group())
    query = parse_qs(urlsplit(server.heard[0].path).query)
    assert set(query) == {"access_token", "timestamp", "sign"}
    body = json.loads(server.heard[1].body)
    assert body["sign"] == feishu_sign(SECRET, int(body["timestamp"]))


def test_a_redirect_gets_neither_the_robots_secret_nor_the_words():
    with web_server() as thief, web_server((307, {"Location": thief.url}, b"")) as server:
        assert Robots(robot_settings(server.url, "webhook")).send(to_group()).reason == "redirected"
        assert thief.heard == []


def test_a_notice_goes_to_the_crm():
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        settings = SendersSettings.model_validate({"crm_url": server.url, "crm_headers": {"X-Key": SECRET}})
        outcome = Crm(settings).send({"id": "B1-7", "to": "openid-7", "subject": "通知", "text": "请改密码"})
    assert outcome.ending == "accepted"
    assert json.loads(server.heard[0].body) == {
        "to": "openid-7", "subject": "通知", "text": "请改密码", "id": "B1-7",
    }  # fmt: skip


def test_tls_to_a_certificate_that_nobody_vouches_for_is_refused():
    def talk(connection):
        connection.recv(4096)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")

    with raw_server(talk) as port:
        assert Sms(sms_settings(f"https://127.0.0.1:{port}/")).send(to_phone()).reason == "tls"
