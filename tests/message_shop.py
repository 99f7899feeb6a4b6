"""A store with people, gateways and a clock that a test turns: what the tests of messages share.

A test file takes what it needs by its name: `opened = message_shop.opened`, `handlers` in any case.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from shops import Clock

from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.link.letters import INBOX
from agent.messages import Message, deliveries, send
from agent.messages.inbox import HANDLERS
from agent.wiring import build_agent
from config.home import find_home
from config.schema import Settings

BEGIN = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
PLANTED = "13800001111"
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


@pytest.fixture
def clock():
    return Clock(BEGIN)


@pytest.fixture(autouse=True)
def handlers(monkeypatch):
    """What comes back from people and links is in `answers`."""
    answers.clear()
    for purpose in ("ack", "approval", "receipts"):
        monkeypatch.setitem(HANDLERS, purpose, f"{__name__}:take")


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


def write_news(agent, name, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    (agent.home.outbox / INBOX / name).write_bytes(body)
