"""Codes and links in messages: each works once, for one person and one matter."""

from __future__ import annotations

import json
import re

import message_shop
import pytest
from message_shop import answers, gateway, on_disk, states, write_news

from agent.link.testing import desk_at, one_round, web_server
from agent.messages import redeem, tell_with_code
from agent.messages.delivering import tick
from agent.messages.queue import get
from config.errors import RefusedError

clock = message_shop.clock
handlers = message_shop.handlers
opened = message_shop.opened


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
    clock.turn(60 + 1)
    assert redeem(agent, "李样例", "a:1", code).person == "李样例"
    tell_with_code(agent, person, "二", "请批准", purpose="approval", about="a:2")
    clock.turn(49 * 60)
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
