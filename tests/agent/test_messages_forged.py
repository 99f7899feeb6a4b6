"""What a hijacked link makes up: refused, counted, and nothing changes."""

from __future__ import annotations

import os

import message_shop
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_shop import PLANTED, gateway, to_group, write_news

from agent.incident.store import incidents
from agent.link.letters import INBOX, KEY, make_key, seal, strict, unseal
from agent.link.testing import desk_at
from agent.messages import deliveries
from agent.messages.delivering import tick
from agent.messages.queue import get

clock = message_shop.clock
handlers = message_shop.handlers
opened = message_shop.opened

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
    clock.turn(11)
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


def test_the_key_that_a_link_shows_is_no_key_unless_it_has_the_size_of_one(opened):
    agent = opened()
    for content in (b"", b"x" * 100, b"x" * 100_000):
        write_news(agent, KEY, content)
        assert agent.post.link_key() is None
