"""Who is told, by which way, and what a message to them may say."""

from __future__ import annotations

import message_shop
from message_shop import PLANTED, on_disk, states

from agent.messages import deliveries, tell
from agent.messages.delivering import tick
from agent.messages.inbox import REASONS
from config.text import load_packs

clock = message_shop.clock
handlers = message_shop.handlers
opened = message_shop.opened


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
    second.now.turn(2)
    tick(second, second.now())
    assert states(second) == [("李样例", "mail", "sent", "")]


def test_every_reason_that_a_message_may_have_is_said_in_words():
    for reason in (*REASONS, "no_channel", "nobody", "no_link", "no_answer", "no_address", "too_late"):
        assert f"messages.reason_{reason}" in load_packs()
