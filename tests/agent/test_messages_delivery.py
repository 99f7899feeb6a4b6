"""The way to the link and back: what waits, is tried again, given up, and goes once whatever dies."""

from __future__ import annotations

import re
import threading
import time

import message_shop
from message_shop import an_incident, gateway, on_disk, states, to_group

from agent.incident.store import incidents
from agent.incident.view import wording_of
from agent.link.letters import POST
from agent.link.postman import Postman
from agent.link.testing import desk_at, one_round, web_server
from agent.messages import tell
from agent.messages.delivering import tick
from agent.messages.queue import failed, get

clock = message_shop.clock
handlers = message_shop.handlers
opened = message_shop.opened


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
            clock.turn(2)
            tick(agent, clock())
        acts = [step.act for step in incidents(agent).get(found.id).steps if step.details.get("message") == message]
        assert acts == ["messages.waiting"], "whoever looks at the incident sees it, once"
        said = wording_of(agent).step(incidents(agent).get(found.id).steps[-1])
        assert "群机器人" in said
        assert "cloche-link" in said
        with desk_at(agent.home.outbox) as desk:
            clock.turn(2)
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
            clock.now = one.next_at
            tick(agent, clock())
        assert all(15 * 2**n <= pause <= 30 * 2**n for n, pause in enumerate(pauses))
        with web_server((200, {}, b'{"errcode": 0}'), port=port) as back:
            one_round(desk)
            tick(agent, clock())
            clock.turn(2 * 60)
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
                clock.turn(9)
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
                clock.turn(3)
                tick(agent, clock())
    assert seen == [("sent", ""), ("sent", ""), ("failed", "not_delivered"), ("sent", "")]


def test_a_clock_that_was_set_back_holds_no_message_up(opened, clock):
    with web_server((503, {}, b""), (200, {}, b'{"errcode": 0}')) as server:
        agent = opened(**gateway(server.url))
        with desk_at(agent.home.outbox) as desk:
            message = to_group(agent)
            one_round(desk)
            tick(agent, clock())
            assert get(agent, message).state == "failed"
            clock.turn(-400 * 24 * 60)
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
            clock.turn(2)
            tick(agent, clock())
        one = get(agent, message)
        assert (one.state, one.reason) == ("queued", "no_answer")
        assert agent.home.audit_log.read_text().count("messages.waiting") == 1
        with desk_at(agent.home.outbox) as desk:
            tick(agent, clock())
            one_round(desk)
            tick(agent, clock())
    assert (get(agent, message).state, get(agent, message).reason) == ("sent", "")
