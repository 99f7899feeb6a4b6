"""The queue, codes, and the way to the link and back, with the real database, folders and seals."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import wording_of
from agent.link.letters import INBOX, KEY, POST, make_key, seal, strict, unseal
from agent.link.postman import Postman
from agent.link.testing import desk_at, one_round, raw_server, web_server
from agent.messages import Message, Row, deliveries, health, redeem, send, send_batch, tell, tell_with_code
from agent.messages.batches import PART
from agent.messages.delivering import tick
from agent.messages.health import page_health, senders_health
from agent.messages.inbox import HANDLERS, REASONS
from agent.messages.queue import failed, get, last_test
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.wiring import build_agent
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.schema import Settings
from config.text import load_packs

BEGIN = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
PLANTED = "13800001111"
ROBOT = "https-secret-of-the-group"
PEOPLE = [
    {
        "name": "王测试", "roles": ["security_lead", "store_manager"], "email": "wang@example.com",
        "phone": "13800000001",
    },
    {"name": "李样例", "roles": ["legal"], "email": "li@example.com", "substitute": "王测试"},
    {"name": "赵没有", "roles": ["logistics"]},
]  # fmt: skip
answers = []


def take(_agent, answer):
    answers.append(answer)


class Clock:
    def __init__(self):
        self.time = BEGIN

    def __call__(self):
        return self.time

    def pass_(self, **span):
        self.time += timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    answers.clear()
    for purpose in ("ack", "approval", "receipts"):
        monkeypatch.setitem(HANDLERS, purpose, f"{__name__}:take")
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(take=take))


@pytest.fixture
def opened(tmp_path, clock):
    """Opens the agent with settings; closed at the end."""
    home = find_home(tmp_path / "home")
    home.create()
    with ExitStack() as stack:

        def open_(**senders):
            page = senders.pop("page", {})
            values = {"people": PEOPLE, "senders": senders, "page": page, "store": {"name": "测试一店"}}
            return stack.enter_context(build_agent(home, Settings.model_validate(values), now=clock))

        yield open_


def gateway(url, **more):
    return {
        "robots": [{"name": "应急群", "kind": "wecom", "url": url}],
        "sms_url": url, "sms_templates": [{"id": "T1", "use": "notice", "parameters": ["text"]}], **more,
    }  # fmt: skip


def states(agent):
    return [(one.person, one.channel, one.state, one.reason) for one in reversed(deliveries(agent))]


def to_group(agent, **more):
    values = {"person": "应急群", "channel": "robot", "subject": "指令", "text": "请看", "purpose": "order"}
    return send(agent, Message(**{**values, **more}))


def an_incident(agent):
    """Kept without its documents: only its timeline matters here."""
    nothing = dict.fromkeys(("occurred_at", "declared_at", "handling_ended_at", "closed_at", "scope"))
    incident = Incident(
        id="", kind="other", phase="reported", machine=False, summary="试", place="", types=(), by="测试",
        discovered_at=BEGIN, reported_at=BEGIN, files=0, persons=0, **nothing,
    )  # fmt: skip
    return incidents(agent).add(incident, BEGIN)


def on_disk(agent):
    """Everything under the home, the database and its journal included."""
    return {str(path): path.read_bytes() for path in agent.home.state.rglob("*") if path.is_file()}


def test_who_cannot_be_reached_is_a_message_that_says_so(opened):
    agent = opened()
    assert len(tell(agent, ("security_lead", "area_manager"), "主题", "内容", purpose="order")) == 2
    assert states(agent) == [("王测试", "none", "queued", "no_channel"), ("area_manager", "none", "queued", "nobody")]


def test_each_person_is_told_once_however_many_roles_they_hold(opened):
    agent = opened(mode="record")
    tell(agent, ("security_lead", "store_manager", "王测试", "legal"), "主题", "内容", purpose="order")
    assert [(one.person, one.channel, one.to) for one in agent.post.recorded] == [
        ("王测试", "mail", "wang@example.com"), ("李样例", "mail", "li@example.com"),
    ]  # fmt: skip
    tell(agent, ("legal", "security_lead"), "主题", "内容", purpose="escalation", urgent=True)
    assert [one.channel for one in agent.post.recorded[2:]] == ["mail", "mail", "sms"]


def test_a_customers_value_is_masked_and_an_owners_name_is_not(opened):
    agent = opened()
    tell(agent, ("legal",), f"{PLANTED} 泄露", f"负责人：王测试，顾客 张小花 {PLANTED}", purpose="order")
    (one,) = deliveries(agent)
    assert one.subject == "138****1111 泄露"
    assert "王测试" in one.text
    assert PLANTED not in one.text
    assert not any(PLANTED.encode() in content for content in on_disk(agent).values())


def test_an_address_that_comes_later_lets_the_message_go(opened):
    first = opened()
    tell(first, ("legal",), "主题", "内容", purpose="order")
    second = opened(mode="record", smtp_host="127.0.0.1", smtp_from="c@example.com")
    second.now.pass_(minutes=2)
    tick(second, second.now())
    assert states(second) == [("李样例", "mail", "sent", "")]


def test_a_letter_goes_sealed_and_comes_back_as_a_receipt(opened):
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox) as desk:
            to_group(agent)
            assert states(agent) == [("应急群", "robot", "queued", "")]
            assert not any(
                "请看".encode() in content or server.url.encode() in content
                for path, content in on_disk(agent).items()
                if POST in path
            )
            one_round(desk)
            tick(agent, agent.now())
            assert states(agent) == [("应急群", "robot", "sent", "")]
            assert desk.letters() == []
            one_round(desk)
    assert len(server.heard) == 1


def test_without_a_link_it_waits_and_a_link_that_comes_sends_it(opened, clock):
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        found = an_incident(agent)
        message = to_group(agent, incident=found.id)
        assert get(agent, message).reason == "no_link"
        for _ in range(3):
            clock.pass_(minutes=2)
            tick(agent, clock())
        acts = [step.act for step in incidents(agent).get(found.id).steps if step.details.get("message") == message]
        assert acts == ["messages.waiting"], "whoever looks at the incident sees it, once"
        said = wording_of(agent).step(incidents(agent).get(found.id).steps[-1])
        assert "群机器人" in said
        assert "cloche-link" in said
        with desk_at(agent.home.outbox) as desk:
            clock.pass_(minutes=2)
            tick(agent, clock())
            one_round(desk)
            tick(agent, clock())
    assert get(agent, message).state == "sent"


def test_what_a_link_had_not_sent_when_it_died_is_sealed_anew_and_goes_once(opened, clock):
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox) as dead:
            to_group(agent)
            (old,) = dead.letters()
        with desk_at(agent.home.outbox) as desk:
            assert desk.open(old) is None
            one_round(desk)
            assert server.heard == []
            tick(agent, clock())
            (new,) = desk.letters()
            assert new != old
            one_round(desk)
            tick(agent, clock())
    assert len(server.heard) == 1
    assert states(agent) == [("应急群", "robot", "sent", "")]


def test_a_gateway_that_is_down_and_comes_back_delivers_once(opened, clock):
    with web_server((503, {}, b"")) as server:
        port = int(re.search(r":(\d+)/", server.url)[1])
        agent = opened(**gateway(server.url))
    with desk_at(agent.home.outbox) as desk:
        message = to_group(agent)
        pauses = []
        for _ in range(6):
            one_round(desk)
            tick(agent, clock())
            one = get(agent, message)
            assert (one.state, one.reason) == ("failed", "unreachable")
            pauses.append((one.next_at - clock()).total_seconds())
            clock.time = one.next_at
            tick(agent, clock())
        assert all(15 * 2**n <= pause <= 30 * 2**n for n, pause in enumerate(pauses))
        with web_server((200, {}, b'{"errcode": 0}'), port=port) as back:
            one_round(desk)
            tick(agent, clock())
            clock.pass_(hours=2)
            tick(agent, clock())
            one_round(desk)
    assert len(back.heard) == 1
    assert (get(agent, message).state, get(agent, message).attempts) == ("sent", 6)


def test_what_is_refused_for_too_long_is_given_up_and_said_on_the_incidents_timeline(opened, clock):
    with web_server((200, {}, b'{"errcode": 93000}')) as server:
        agent = opened(**gateway(server.url), give_up_hours=1.0)
        found = an_incident(agent)
        with desk_at(agent.home.outbox) as desk:
            message = to_group(agent, incident=found.id)
            for _ in range(10):
                one_round(desk)
                clock.pass_(minutes=9)
                tick(agent, clock())
    one = get(agent, message)
    assert (one.state, one.reason, one.detail) == ("given_up", "refused", "93000")
    acts = [step.act for step in incidents(agent).get(found.id).steps if step.details.get("message") == message]
    assert acts[0] == "messages.failed"
    assert acts[-1] == "messages.given_up"
    assert acts.count("messages.failed") == 1, "one line for all tries"


def test_an_unknown_recipient_is_given_up_at_once(opened):
    agent = opened()
    message = tell(agent, ("legal",), "主题", "内容", purpose="order")[0]
    failed(agent, message, "recipient", "550", for_good=True)
    assert get(agent, message).state == "given_up"


def test_a_gateway_that_accepts_and_fails_later_is_asked_and_the_message_tried_again(opened, clock):
    said = [b'{"code": 0, "id": "r-1"}', b"WAIT", b"UNDELIV", b'{"code": 0}']
    with web_server(*[(200, {}, words) for words in said]) as server:
        more = {
            "sms_receipt": '"id": "([a-z0-9-]{1,9})"', "sms_status_url": server.url + "?{receipt}",
            "sms_failed": "UNDELIV", "sms_delivered": "DELIVRD",
            "sms_templates": [{"id": "T1", "use": "staff", "parameters": ["text"]}],
        }  # fmt: skip
        agent = opened(**gateway(server.url) | more)
        with desk_at(agent.home.outbox) as desk:
            message = to_group(agent, person="王测试", channel="sms")
            seen = []
            for _ in range(4):
                one_round(desk)
                tick(agent, clock())
                seen.append((get(agent, message).state, get(agent, message).reason))
                clock.pass_(minutes=3)
                tick(agent, clock())
    assert seen == [("sent", ""), ("sent", ""), ("failed", "not_delivered"), ("sent", "")]


def test_a_code_is_in_the_message_alone_and_works_once(opened, clock):
    agent = opened(mode="record", page={"listen": "127.0.0.1:8099", "url": "http://10.0.0.9:8099"})
    person = agent.people.named("李样例")
    first = tell_with_code(agent, person, "批准通知", "请批准", purpose="approval", about="notice:I1@abc")
    assert tell_with_code(agent, person, "批准通知", "请批准", purpose="approval", about="notice:I1@abc") == first
    (sent,) = agent.post.recorded
    digits = sent.code.replace(" ", "")
    token = re.search(r"http://10\.0\.0\.9:8099/ok/([\w-]{22})", sent.text)[1]
    for path, content in on_disk(agent).items():
        assert digits.encode() not in content, path
        assert token.encode() not in content, path
    assert digits not in repr(sent)
    with pytest.raises(RefusedError):
        redeem(agent, "王测试", "notice:I1@abc", digits)
    with pytest.raises(RefusedError):
        redeem(agent, "李样例", "notice:I1@abcd", digits)
    answer = redeem(agent, "李样例", "notice:I1@abc", f" {digits[:4]}-{digits[4:]} ")
    assert (answer.purpose, answer.about, answer.person, answer.how) == ("approval", "notice:I1@abc", "李样例", "code")
    with pytest.raises(RefusedError):
        redeem(agent, "李样例", "notice:I1@abc", digits)
    assert get(agent, first).state == "delivered"
    assert tell_with_code(agent, person, "批准通知", "请批准", purpose="approval", about="notice:I1@abc") != first


def test_a_code_runs_out_and_guessing_ends_after_five(opened, clock):
    agent = opened(mode="record")
    person = agent.people.named("李样例")
    tell_with_code(agent, person, "一", "请批准", purpose="approval", about="a:1")
    code = agent.post.recorded[-1].code
    for _ in range(5):
        with pytest.raises(RefusedError):
            redeem(agent, "李样例", "a:1", "00000000")
    with pytest.raises(RefusedError, match="5"):
        redeem(agent, "李样例", "a:1", code)
    clock.pass_(hours=1, minutes=1)
    assert redeem(agent, "李样例", "a:1", code).person == "李样例"
    tell_with_code(agent, person, "二", "请批准", purpose="approval", about="a:2")
    clock.pass_(hours=49)
    with pytest.raises(RefusedError):
        redeem(agent, "李样例", "a:2", agent.post.recorded[-1].code)


def test_codes_never_go_to_a_group(opened):
    with web_server() as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox) as desk:
            tell_with_code(agent, agent.people.named("赵没有"), "批准", "请批准", purpose="approval", about="a:3")
            one_round(desk)
    assert server.heard == []
    assert states(agent) == [("赵没有", "none", "queued", "no_channel")]


def write_news(agent, name, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    (agent.home.outbox / INBOX / name).write_bytes(body)


def test_a_word_by_a_link_reaches_its_room_once(opened):
    page = {"listen": "127.0.0.1:8099", "url": "http://10.0.0.9:8099"}
    agent = opened(smtp_host="127.0.0.1", smtp_from="c@example.com", page=page)
    with desk_at(agent.home.outbox) as desk:
        person = agent.people.named("李样例")
        message = tell_with_code(agent, person, "指令", "请看", purpose="order", about="O-1")
        token = re.search(r"/a/([\w-]{22})", desk.open(desk.letters()[0])["text"])[1]
        (entry,) = desk.tokens()
        assert entry["subject"] == "指令"
        assert token not in json.dumps(entry)
        for number in range(2):
            write_news(agent, f"R0000000{number}.json", {"schema": "cloche.word/1", "token": token, "at": ""})
            tick(agent, agent.now())
        assert desk.tokens() == []
    assert [(one.purpose, one.about, one.person, one.how) for one in answers] == [("ack", "O-1", "李样例", "link")]
    assert get(agent, message).state == "delivered"
    assert agent.post.refused == 0, "a link that was used twice is no forgery"


HOSTILE = {
    "R00000000.json": b"\xff\xfe",
    "R00000001.json": b"[" * 30_000,
    "R00000002.json": b'{"schema": "cloche.word/1", "token": 1e999, "at": ""}',
    "R00000003.json": {"schema": "cloche.word/1", "token": "x" * 22, "at": "", "more": 1},
    "R00000004.json": b"x" * 40_000,
    "M0123456789ab.1.json": {
        "schema": "cloche.receipt/1", "id": "M0123456789ab", "outcome": "accepted", "reason": "", "detail": "",
        "receipt": "",
    },
    "B0123456789ab.1.json": {"schema": "cloche.progress/1", "id": "B0123456789ab", "outcomes": [], "ended": True},
    "B0123456789ac.1.json": {"schema": "cloche.progress/1", "id": "B0123456789ac", "outcomes": [["1"]], "ended": True},
    "../../x.json": None,
    "anything": b"x",
}  # fmt: skip


def test_what_the_link_makes_up_is_refused_and_counted_and_removed(opened):
    agent = opened()
    names = [name for name in HOSTILE if HOSTILE[name] is not None]
    for name in names:
        write_news(agent, name, HOSTILE[name])
    inbox = agent.home.outbox / INBOX
    (inbox / "folder").mkdir()
    (inbox / "folder" / "deep").write_bytes(b"")
    (inbox / "R00000009.json").symlink_to(agent.home.audit_log)
    os.mkfifo(inbox / "R0000000A.json")
    tick(agent, agent.now())
    assert list(inbox.iterdir()) == []
    assert agent.post.refused == len(names) + 3
    assert agent.home.audit_log.exists()
    assert deliveries(agent) == ()


@given(st.binary(max_size=200) | st.text().map(str.encode))
@settings(max_examples=200, deadline=None)
def test_only_an_object_with_exactly_the_fields_is_read(content):
    found = strict(content, {"schema": str})
    assert found is None or (found.keys() == {"schema"} and isinstance(found["schema"], str))


@pytest.mark.parametrize(
    "content", [b'{"a": true}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "1"}', b'{"a": 1, "b": 1}']
)
def test_what_is_no_whole_number_is_none(content):
    assert strict(content, {"a": int}) is None
    assert strict(b'{"a": 7}', {"a": int}) == {"a": 7}


def test_a_receipt_that_nobody_waits_for_changes_nothing_and_one_that_shouts_is_no_success(opened):
    agent = opened(**gateway("https://group.example.com/"))
    facts = {"outcome": "accepted", "reason": "x", "detail": PLANTED, "receipt": ""}
    with desk_at(agent.home.outbox) as desk:
        message = to_group(agent)
        (letter,) = desk.letters()
        lie = {"schema": "cloche.receipt/1", "id": message, **facts}
        write_news(agent, f"{message}.7.json", lie)
        write_news(agent, f"{letter}.json", lie | {"outcome": "shouted"})
        tick(agent, agent.now())
        assert get(agent, message).state == "queued"
        for _ in range(3):
            write_news(agent, f"{letter}.json", lie | {"outcome": "failed"})
            tick(agent, agent.now())
    one = get(agent, message)
    assert (one.state, one.reason, one.attempts) == ("failed", "bad_answer", 1)
    assert PLANTED not in one.detail
    assert agent.post.refused == 4


def test_a_hijacked_link_that_makes_up_forms_and_files_fills_nothing(opened, clock):
    agent = opened(page={"per_hour": 1})
    form = {"schema": "cloche.form/1", "at": "", "kind": "other", "when": "", "place": "", "what": "x", "name": "",
            "contact": ""}  # fmt: skip
    for number in range(20):
        receipt = f"R{number:08d}"
        write_news(agent, f"{receipt}.json", form | {"receipt": receipt})
        write_news(agent, f"junk{number}", b"x")
        tick(agent, agent.now())
    assert len(incidents(agent).all()) == 1
    record = agent.home.audit_log.read_text()
    assert record.count("messages.refused") == 1
    clock.pass_(minutes=11)
    write_news(agent, "junk", b"x")
    tick(agent, agent.now())
    assert agent.home.audit_log.read_text().count("messages.refused") == 2
    assert agent.post.refused == 40


def test_a_letter_opens_for_its_link_under_its_own_name_only():
    key = make_key()
    sealed = seal(key.public, "M0123456789ab.1", {"a": "值"})
    assert unseal(key, "M0123456789ab.1", sealed) == {"a": "值"}
    assert unseal(key, "M0123456789ab.2", sealed) is None
    assert unseal(make_key(), "M0123456789ab.1", sealed) is None
    assert unseal(key, "M0123456789ab.1", sealed[:-1]) is None


def test_a_notice_leaves_no_contact_behind_and_each_row_has_its_outcome(opened):
    with web_server((200, {}, b'{"code": 0}'), (200, {}, b'{"code": 7}'), (200, {}, b'{"code": 0}')) as server:
        agent = opened(**gateway(server.url, notice_per_minute=6000))
        with desk_at(agent.home.outbox) as desk:
            rows = [Row(number=n, to=f"1380000200{n}", parameters={"text": "请改密码"}) for n in range(3)]
            (part,) = send_batch(agent, "N1", "sms", rows)
            assert not any(b"1380000200" in content for content in on_disk(agent).values())
            assert "1380000200" not in repr(rows)
            postman, stop = Postman(desk), threading.Event()
            for _ in range(60):
                postman.round(stop)
                stop.wait(0.011)
                tick(agent, agent.now())
            assert desk.batches() == []
    outcomes = {}
    for answer in answers:
        assert (answer.purpose, answer.about, answer.receipt) == ("receipts", "N1", part)
        for row in answer.fields["rows"].split(","):
            assert row not in outcomes, "told twice"
            outcomes[row] = answer.fields["outcome"]
    assert outcomes == {"0": "sent", "1": "failed", "2": "sent"}
    assert not any(b"1380000200" in content for content in on_disk(agent).values())


def test_a_link_that_dies_in_a_notice_leaves_one_row_unknown_and_the_rest_to_be_made_anew(opened):
    with web_server((200, {}, b'{"code": 0}')) as server:
        agent = opened(**gateway(server.url, notice_per_minute=1))
        with desk_at(agent.home.outbox) as desk:
            rows = [Row(number=n, to=f"1380000200{n}") for n in range(4)]
            (part,) = send_batch(agent, "N1", "sms", rows)
            one_round(desk)
            done = [[0, "sent", ""], [1, "unknown", ""]]
            write_news(
                agent, f"{part}.2.json",
                {"schema": "cloche.progress/1", "id": part, "outcomes": done, "ended": False},
            )  # fmt: skip
        with desk_at(agent.home.outbox) as desk:
            tick(agent, agent.now())
            assert desk.batches() == []
            one_round(desk)
    outcomes = {row: one.fields["outcome"] for one in answers for row in one.fields["rows"].split(",")}
    assert outcomes == {"0": "sent", "1": "unknown", "2": "lost", "3": "lost"}
    assert len(server.heard) == 1


@pytest.mark.parametrize("words", ["点 https://x.example/a", "上 WWW.x.top 看", "abc.cn看", "t-1.com"])
def test_no_sms_to_a_customer_has_a_link_in_it(opened, words):
    agent = opened(**gateway("https://sms.example.org/"))
    with desk_at(agent.home.outbox) as desk:
        with pytest.raises(RefusedError, match="网址"):
            send_batch(agent, "N1", "sms", [Row(number=1, to="13800002001", parameters={"text": words})])
        send_batch(agent, "N1", "sms", [Row(number=1, to="13800002001", parameters={"text": "请致电 400-000-0000。"})])
        assert len(desk.batches()) == 1


def test_a_notice_is_refused_where_no_link_runs_or_the_channel_is_not_there(opened):
    agent = opened(**gateway("https://sms.example.com/"))
    with pytest.raises(RefusedError, match="cloche-link"):
        send_batch(agent, "N1", "sms", [Row(number=1, to="13800002001")])
    with pytest.raises(RefusedError, match="mail"):
        send_batch(agent, "N1", "mail", [Row(number=1, to="a@example.com")])
    recording = opened(mode="record")
    parts = send_batch(recording, "N2", "mail", [Row(number=n, to="a@example.com") for n in range(PART + 1)])
    assert len(parts) == 2
    assert sum(len(one.fields["rows"].split(",")) for one in answers) == PART + 1


def test_a_test_message_and_the_list_say_what_happened(opened):
    agent = opened(mode="record")

    def ask(name, caller=OWNER, **arguments):
        return find_operation(name).load()(agent, Request(arguments=arguments, caller=caller))

    sent = ask("message.test", to="王测试").document["messages"]
    assert [(one["channel"], one["state"]) for one in sent] == [("mail", "sent"), ("sms", "sent")]
    assert last_test(agent).state == "sent"
    listed = ask("message.list", person="王测试").document["messages"]
    assert "text" not in listed[0]
    assert ask("message.show", id=listed[0]["id"][:8]).document["text"]
    assert "example.com" not in json.dumps(listed)
    with pytest.raises(UsageError):
        ask("message.test", to="没有这人")
    with pytest.raises(UsageError):
        ask("message.list", state="lost")
    stranger = Caller(uid=1000, gid=1000, pid=1, user="waiter")
    for name in ("message.list", "message.show", "message.test", "page.link"):
        with pytest.raises(RefusedError):
            ask(name, caller=stranger, to="王测试", id="M")


def test_the_key_that_a_link_shows_is_no_key_unless_it_has_the_size_of_one(opened):
    agent = opened()
    for content in (b"", b"x" * 100, b"x" * 100_000):
        write_news(agent, KEY, content)
        assert agent.post.link_key() is None


def test_every_reason_that_a_message_may_have_is_said_in_words():
    for reason in (*REASONS, "no_channel", "nobody", "no_link", "no_answer", "no_address", "too_late"):
        assert f"messages.reason_{reason}" in load_packs()


def test_a_clock_that_was_set_back_holds_no_message_up(opened, clock):
    with web_server((503, {}, b""), (200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox) as desk:
            message = to_group(agent)
            one_round(desk)
            tick(agent, clock())
            assert get(agent, message).state == "failed"
            clock.pass_(days=-400)
            tick(agent, clock())
            one_round(desk)
            tick(agent, clock())
    assert get(agent, message).state == "sent"


def test_a_server_that_hangs_keeps_no_other_waiting(opened):
    with web_server(3) as hanging, web_server((200, {}, b'{"errcode": 0}')) as group:
        robots = [
            {"name": f"群{n}", "kind": "wecom", "url": (hanging if n < 2 else group).url} for n in range(3)
        ]  # fmt: skip
        agent = opened(robots=robots)
        with desk_at(agent.home.outbox) as desk:
            for person in ("群0", "群0", "群0", "群2"):
                to_group(agent, person=person)
            postman, began = Postman(desk, seconds=0.4), time.monotonic()
            postman.round(threading.Event())
            assert time.monotonic() - began < 2
            tick(agent, agent.now())
            assert [state for _person, _channel, state, _reason in states(agent)] == [
                "failed", "queued", "queued", "sent",
            ]  # fmt: skip
            time.sleep(3)  # the try that hangs ends by itself


def test_a_receipt_that_the_disk_refused_is_written_later_and_nothing_is_sent_again(opened, monkeypatch):
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox) as desk:
            message, postman = to_group(agent), Postman(desk)
            with monkeypatch.context() as full:
                full.setattr(desk, "write", refuse)
                postman.round(threading.Event())
            assert get(agent, message).state == "queued"
            postman.round(threading.Event())
            tick(agent, agent.now())
    assert get(agent, message).state == "sent"
    assert len(server.heard) == 1


def refuse(_name, _document):
    raise OSError(28, "No space left on device")


def test_a_letter_that_a_crash_left_behind_is_taken_back_at_the_next_start(opened):
    agent = opened(**gateway("https://group.example.com/"))
    with desk_at(agent.home.outbox) as desk:
        to_group(agent)
        (letter,) = desk.letters()
        folder = agent.home.outbox / POST
        (folder / "M0123456789ab.1").write_bytes((folder / letter).read_bytes())
        (folder / ".x.part").write_bytes(b"torn")
        again = opened(**gateway("https://group.example.com/"))
        tick(again, again.now())
        assert desk.letters() == [letter]
        assert not (folder / ".x.part").exists()


def test_a_link_that_was_killed_is_noticed_and_said_once(opened, clock):
    with web_server((200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox):
            message = to_group(agent)
        for _ in range(4):
            clock.pass_(minutes=2)
            tick(agent, clock())
        one = get(agent, message)
        assert (one.state, one.reason) == ("queued", "no_answer")
        assert agent.home.audit_log.read_text().count("messages.waiting") == 1
        with desk_at(agent.home.outbox) as desk:
            tick(agent, clock())
            one_round(desk)
            tick(agent, clock())
    assert (get(agent, message).state, get(agent, message).reason) == ("sent", "")


def test_doctor_says_whether_messages_get_out_and_the_page_is_open(opened, clock, monkeypatch):
    monkeypatch.setattr(health, "LATELY", timedelta(days=36500))
    with web_server((200, {}, b'{"errcode": 0}'), (200, {}, b'{"errcode": 7}')) as server:
        agent = opened(**gateway(server.url))
        home, senders = agent.home, agent.settings.senders

        def found():
            return senders_health(home, senders, "Asia/Shanghai")[:2]

        assert senders_health(home, Settings().senders, "Asia/Shanghai")[:2] == ("reduced", "senders_none")
        assert found() == ("missing", "senders_no_link")
        with desk_at(home.outbox) as desk:
            assert found() == ("reduced", "senders_untried")
            for state in (("ok", "senders_sent"), ("missing", "senders_failing")):
                to_group(agent)
                one_round(desk)
                tick(agent, clock())
                assert found() == state
            values = senders_health(home, senders, "Asia/Shanghai")[2]
    assert dict(values) == {"ways": "SMS, wecom: 应急群", "count": "1"}
    assert server.url not in str(values)
    assert page_health(Settings().page)[:2] == ("reduced", "page_none")
    with raw_server(lambda _connection: None) as port:
        page = Settings.model_validate({"page": {"listen": f"0.0.0.0:{port}", "url": "http://10.0.0.9"}}).page
        assert page_health(page)[:2] == ("ok", "page_open")
    assert page_health(page)[:2] == ("missing", "page_shut")
