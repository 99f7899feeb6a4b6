"""Notices to customers in batches: no contact stays behind, and each row has its outcome."""

from __future__ import annotations

import threading

import message_shop
import pytest
from message_shop import answers, gateway, on_disk, write_news

from agent.link.postman import Postman
from agent.link.testing import desk_at, one_round, web_server
from agent.messages import Row, send_batch
from agent.messages.batches import PART
from agent.messages.delivering import tick
from config.errors import RefusedError

clock = message_shop.clock
handlers = message_shop.handlers
opened = message_shop.opened


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
