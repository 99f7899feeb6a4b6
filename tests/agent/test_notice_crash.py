"""Cut off anywhere while customers are told: nobody is told twice, and nobody who was not told is forgotten."""

import os
import random
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.messages.records import Answer
from agent.notice import sending, told
from agent.notice.campaign import campaign_of, draft
from agent.wiring import build_agent
from config.errors import RefusedError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from containment.keys import Unlocker

NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
CUSTOMERS = 24
SETTINGS = {
    "scan": {"names": False},
    "people": [
        {"name": "组长测试", "roles": ["security_lead"], "user": "lead"},
        {"name": "法务样例", "roles": ["legal"], "user": "lawyer"},
    ],
    "notice": {"hotline": "400 000 0000", "batch": 6},
    "senders": {"mode": "record", "notice_per_minute": 6000},
}


class PowerCutError(BaseException):
    """The program ends here; nothing after it runs."""


class Chaos:
    """Cuts the program off before or after any step, or in the middle of a batch, by a seed."""

    def __init__(self, seed, monkeypatch):
        self.random = random.Random(seed)
        self.armed = False
        self.cuts = 0
        self.out = Counter()  # what really reached a customer
        self.answers = []  # receipts that the link still has to bring
        for owner, name in ((told.ToldMemory, "hand"), (told.ToldMemory, "move"), (sending, "change")):
            monkeypatch.setattr(owner, name, self.around(getattr(owner, name)))
        monkeypatch.setattr("agent.messages.send_batch", self.send_batch)

    def maybe(self):
        if self.armed and self.random.random() < 0.12:
            self.cuts += 1
            raise PowerCutError

    def around(self, step):
        def wrapped(*given, **named):
            self.maybe()
            result = step(*given, **named)
            self.maybe()
            return result

        return wrapped

    def send_batch(self, _agent, _campaign, _channel, rows):
        """The link: takes the part or is not there; a row goes out, and its receipt comes later, or never."""
        self.maybe()
        if self.armed and self.random.random() < 0.1:
            raise RefusedError("no link")
        for row in rows:
            fate = self.random.random()
            if fate < 0.8:
                self.out[row.to] += 1
                if fate < 0.7:
                    self.answers.append((row.number, "sent", ""))
                else:
                    self.answers.append((row.number, "failed", "timeout"))  # it went out, and nobody can know
            elif fate < 0.9:
                self.answers.append((row.number, "failed", "busy"))
            else:
                self.answers.append((row.number, "lost", ""))
            self.maybe()
        self.maybe()
        return ("B1",)


@contextmanager
def running(home, identity, clock):
    with build_agent(home, Settings.model_validate(SETTINGS), now=clock) as agent:
        if not agent.keyring.ready:
            agent.keyring.adopt(identity.public)
        yield agent


def bring_receipts(agent, chaos, campaign):
    """Each at most once: one that is cut off while it is taken is lost."""
    while chaos.answers:
        number, outcome, reason = chaos.answers.pop()
        fields = {"outcome": outcome, "channel": "sms", "rows": str(number), "reasons": reason}
        answer = Answer(purpose="receipts", about=campaign.name, person="", how="page", at=agent.now(), fields=fields)
        sending.take_receipts(agent, answer)


@pytest.mark.parametrize("seed", range(2))
def test_nobody_is_told_twice_and_nobody_is_forgotten_however_often_it_is_cut_off(seed, tmp_path, monkeypatch):
    home, identity = find_home(tmp_path / "home"), make_identity("recovery")
    home.create()
    members = tmp_path / "会员.csv"
    lines = [f"138{n:08d}" for n in range(CUSTOMERS)]
    members.write_text("\n".join(["手机号", *lines]) + "\n", encoding="utf-8")
    monkeypatch.setattr("agent.notice.campaign.write_documents", lambda *_given: None)
    steps = iter(range(1, 1_000_000))

    def clock():
        return NOON + timedelta(minutes=5) * next(steps)

    chaos = Chaos(seed, monkeypatch)
    monkeypatch.setattr(sending, "is_quiet", lambda *_given: False)
    unlocker = Unlocker([identity])
    with running(home, identity, clock) as agent:
        incident = incidents(agent).add(
            Incident(
                id="", kind="insider", phase="responding", machine=False, summary="", place="", types=(), by="测试甲",
                scope="named", discovered_at=NOON, occurred_at=None, reported_at=None, declared_at=NOON,
                handling_ended_at=None, closed_at=None, files=1, persons=0,
            ),
            NOON,
        )  # fmt: skip
        item = Affected(key="", path=os.fsencode(members), name="会员.csv", persons=10)
        incidents(agent).set_items(incident.id, [item])
        draft(agent, incident.id, None, "lead")
        made = campaign_of(agent, incident.id)
        for user in ("lead", "lawyer"):
            try:
                sending.start(agent, made, None, user)
            except RefusedError:
                continue
    chaos.armed = True
    for _ in range(400):
        try:
            with running(home, identity, clock) as agent:
                sending.start(agent, campaign_of(agent, incident.id), unlocker, "lead")
                for _ in range(200):
                    done = sending.round_of(agent, campaign_of(agent, incident.id), agent.now())
                    bring_receipts(agent, chaos, made)
                    if done.ended:
                        break
            break
        except PowerCutError:
            continue
    chaos.armed = False
    with running(home, identity, clock) as agent:
        memory = told.ToldMemory(agent)
        assert campaign_of(agent, incident.id).state == "sent"
        uncertain = memory.people(made.name, ("uncertain",))
        sent = memory.people(made.name, ("sent",))
        failed = memory.people(made.name, ("failed",))
        prints = {line: memory.print_of("PHONE_NUMBER", line) for line in lines}
        known = memory.known(list(prints.values()))
        reached = {line: known[print_].state for line, print_ in prints.items()}
    assert chaos.cuts > 3
    assert max(chaos.out.values()) == 1, chaos.out.most_common(3)
    told_or_open = len(sent) + len(uncertain) + len(failed)
    assert told_or_open == CUSTOMERS
    assert len(reached) == CUSTOMERS
    for number, state in reached.items():
        assert state in (("sent", "uncertain") if chaos.out[number] else ("failed", "uncertain")), number
