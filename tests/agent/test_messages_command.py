"""What people ask of the queue: a test message, the list, and what doctor says of it."""

from __future__ import annotations

import json
from datetime import timedelta

import message_shop
import pytest
from message_shop import gateway, to_group

from agent.link.testing import desk_at, one_round, raw_server, web_server
from agent.messages import health
from agent.messages.delivering import tick
from agent.messages.health import page_health, senders_health
from agent.messages.queue import last_test
from agent.operation import Caller, Request
from agent.operations import find_operation
from config.errors import RefusedError, UsageError
from config.schema import Settings

clock = message_shop.clock
handlers = message_shop.handlers
opened = message_shop.opened

OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)


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
