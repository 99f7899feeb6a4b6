"""Simulated incidents: random people do random things while clocks jump and machines are off.

What must hold whatever happens: no phase is entered by a way that the plan does not have, each reminder of an order
comes once and none is missed, nothing unmet is passed without somebody's reason, the timeline verifies and tells the
phases as they were. `CLOCHE_SIMULATED` says how many incidents (the suite takes a few, `make simulate` a thousand).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.documents import write
from agent.incident import declare as declaring
from agent.incident import life
from agent.incident.declare import Declaration, declare, report
from agent.incident.levels import grade_by_hand, regrade
from agent.incident.merging import merge
from agent.incident.orders import Wanted, acknowledge, end_order, give_order, orders_of, stages_of
from agent.incident.records import KINDS, Incident
from agent.incident.store import incidents
from agent.incident.undo import dismiss
from agent.keeper import tick
from agent.steady import Beat
from agent.wiring import Agent, build_agent
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings

COUNT = int(os.environ.get("CLOCHE_SIMULATED", "4"))
PER_WORLD = 8
START = datetime(2026, 2, 16, 3, 0, tzinfo=UTC)
WAYS = {
    None: {"reported", "directed"},
    "reported": {"directed", "dismissed", "closed"},
    "directed": {"responding", "dismissed", "closed"},
    "responding": {"cleaning", "dismissed", "closed"},
    "cleaning": {"reviewing", "responding", "dismissed", "closed"},
    "reviewing": {"closed", "cleaning", "responding", "dismissed"},
    "closed": set(),
    "dismissed": {"dismissed"},
}
"""From plan.md; `closed` from any is an incident that another one took over."""
PEOPLE = [
    {"name": "王测试", "roles": ["security_lead", "response_lead"], "email": "a@example.com", "substitute": "李样例"},
    {"name": "李样例", "roles": ["legal", "security_deputy"], "email": "law@example.com"},
    {"name": "周演示", "roles": ["tech_support", "security_member"], "email": "it@example.com", "substitute": "李样例"},
    {"name": "赵虚构", "roles": ["store_manager", "customer_service"], "email": "shop@example.com"},
]  # fmt: skip


class Clocks:
    """A wall clock that people set, and the kernel's count that they cannot; a reboot begins a new count."""

    def __init__(self) -> None:
        self.wall, self.count, self.boot = START, 1000.0, 1
        self.total = 0.0  # seconds in which the machine was on

    def now(self) -> datetime:
        return self.wall

    def steady(self) -> Beat:
        return Beat(boot=str(self.boot), seconds=self.count)

    def pass_by(self, minutes: float) -> None:
        self.wall += timedelta(minutes=minutes)
        self.count += minutes * 60
        self.total += minutes * 60


class World:
    """One store with several incidents at once, and an oracle that looks after each act."""

    def __init__(self, agent: Agent, clocks: Clocks, chance: random.Random, folder: Path) -> None:
        self.agent, self.clocks, self.chance, self.folder = agent, clocks, chance, folder
        self.phases: dict[str, str] = {}
        self.born: dict[str, float] = {}
        self.made = 0

    def any_incident(self) -> Incident | None:
        found = incidents(self.agent).all()
        return self.chance.choice(found) if found else None

    def begin(self) -> None:
        if self.made >= PER_WORLD:
            return
        self.made += 1
        declaration = Declaration(
            kind=self.chance.choice(KINDS), summary=f"测试{self.made}",
            discovered_at=self.agent.now() - timedelta(minutes=self.chance.randrange(200)), by="赵虚构",
            paths=self.paths() if self.chance.random() < 0.4 else (),
            scope="alerts" if self.chance.random() < 0.5 else None,
        )  # fmt: skip
        act = report if self.chance.random() < 0.5 else declare
        act(self.agent, declaration)

    def paths(self) -> tuple[bytes, ...]:
        path = self.folder / f"导出{self.made}-{self.chance.randrange(3)}.csv"
        path.write_text("姓名,电话\n测试甲,13800001111\n", encoding="utf-8")
        return (os.fsencode(path),)

    def act(self) -> None:
        """One random act; a refusal is an answer, anything else that is raised is a defect."""
        incident = self.any_incident()
        if incident is None or self.chance.random() < 0.12:
            self.begin()
            return
        with suppress(UsageError, RefusedError):
            self.chance.choice(
                [self.tick, self.tick, self.wait, self.wait, self.off, self.set_clock, self.advance, self.advance,
                 self.back, self.order, self.answer, self.answer, self.finish_orders, self.count, self.by_hand,
                 self.declare_it, self.false_alarm, self.take_over]
            )(incident)  # fmt: skip

    def tick(self, _incident: Incident) -> None:
        tick(self.agent, self.agent.now())

    def wait(self, incident: Incident) -> None:
        self.clocks.pass_by(self.chance.choice([1, 7, 16, 45, 240, 1500]))
        self.tick(incident)

    def off(self, incident: Incident) -> None:
        self.clocks.wall += timedelta(hours=self.chance.choice([2, 30, 200]))
        self.clocks.boot, self.clocks.count = self.clocks.boot + 1, 20.0
        self.tick(incident)

    def set_clock(self, incident: Incident) -> None:
        self.clocks.wall += timedelta(minutes=self.chance.choice([-600, -90, -5, 5, 90, 1440]))
        self.tick(incident)

    def advance(self, incident: Incident) -> None:
        incident = incidents(self.agent).get(incident.id)
        following = life.next_phase(incident)
        override = self.chance.choice(["", "演练中，先继续"])
        unmet = life.unmet_for(self.agent, incident, following) if following else ()
        try:
            after = life.advance(self.agent, incident.id, "王测试", life.Move(override=override))
        except life.UnmetError as error:
            assert unmet, "refused although nothing was unmet"
            assert not override
            assert {item.key for item in error.unmet} == {item.key for item in unmet}  # noqa: PT017  raised on below
            assert incidents(self.agent).get(incident.id).phase == incident.phase
            raise
        assert after.phase == following
        assert bool(unmet) == any(step.act == "override" for step in after.steps[len(incident.steps) :])

    def back(self, incident: Incident) -> None:
        life.advance(self.agent, incident.id, "王测试", life.Move(to=self.chance.choice(["responding", "cleaning"])))

    def order(self, incident: Incident) -> None:
        role: Any = self.chance.choice(["legal", "tech_support", "logistics", "store_manager"])
        give_order(
            self.agent, incident.id, "王测试",
            Wanted(role=role, what="核对", minutes=self.chance.choice([5, 60, 600])),
        )  # fmt: skip

    def answer(self, incident: Incident) -> None:
        orders = orders_of(self.agent, incident.id)
        if orders:
            acknowledge(self.agent, self.chance.choice(orders).id, "周演示", "phone")

    def finish_orders(self, incident: Incident) -> None:
        for order in orders_of(self.agent, incident.id):
            if order.is_open:
                end_order(self.agent, order.id, "周演示", "done", "完成")

    def count(self, incident: Incident) -> None:
        incidents(self.agent).change(
            incident.id,
            persons=self.chance.choice([0, 5, 999, 1000, 10**6, 10**7]),
            sensitive=self.chance.choice([0, 90, 10**5]),
        )
        regrade(self.agent, incident.id, "cloche")

    def by_hand(self, incident: Incident) -> None:
        grade_by_hand(self.agent, incident.id, "李样例", "舆情", law=self.chance.choice(["", "larger", "major"]))

    def declare_it(self, incident: Incident) -> None:
        declare(
            self.agent,
            Declaration(
                kind=incident.kind, summary="属实", discovered_at=incident.discovered_at, by="王测试", scope="alerts"
            ),
            incident.id,
        )  # fmt: skip

    def false_alarm(self, incident: Incident) -> None:
        if self.chance.random() < 0.3:
            dismiss(self.agent, incident.id, "王测试", "误报", None)

    def take_over(self, incident: Incident) -> None:
        other = self.any_incident()
        if other is not None and self.chance.random() < 0.2:
            merge(self.agent, incident.id, other.id, "王测试", "同一事件")

    # the oracle

    def look(self) -> None:
        """After each act: every phase was reached by a way that there is."""
        for incident in incidents(self.agent).all():
            before = self.phases.get(incident.id)
            if incident.phase != before:
                steps = self.agent.timelines.steps(incident.id)
                seen = [step.details[name] for step in steps if step.act == "phase" for name in ("before", "phase")]
                hops = {before, *seen}
                assert any(incident.phase in WAYS[hop] for hop in hops), (incident.id, before, incident.phase)
                self.phases[incident.id] = incident.phase
            for order in orders_of(self.agent, incident.id):
                self.born.setdefault(order.id, self.clocks.total)

    def judge(self) -> int:
        """At the end, after one more tick: what was promised; how many reminders there were."""
        self.clocks.pass_by(1)
        tick(self.agent, self.agent.now())
        reminders = 0
        for short in incidents(self.agent).all():
            incident = incidents(self.agent).get(short.id)
            assert self.agent.timelines.verify(incident.id, self.agent.keyring.public_key).ok
            self.judge_phases(incident)
            reminders += self.judge_orders(incident)
            assert incident.level
            if incident.declared_at is not None and not incident.merged_into:
                assert any(step.act == "declare" for step in incident.steps) or incident.phase == "reported"
        return reminders

    def judge_phases(self, incident: Incident) -> None:
        at = None
        for step in incident.steps:
            if step.act == "phase":
                assert step.details["phase"] in WAYS[step.details["before"]], (incident.id, step)
                assert at in (None, step.details["before"])
                at = step.details["phase"]

    def judge_orders(self, incident: Incident) -> int:
        sent: dict[str, list[str]] = {}
        for step in incident.steps:
            if step.act == "orders.reminded":
                sent.setdefault(step.details["order"], []).append(step.details["stage"])
        alive = incident.phase not in ("closed", "dismissed")
        for order in orders_of(self.agent, incident.id):
            mine = sent.get(order.id, [])
            assert len(mine) == len(set(mine)), "a reminder came twice"
            names = [name for _at, name in stages_of(order, self.agent.settings.respond.answer_minutes)]
            assert mine == [name for name in names if name in mine], "out of order"
            if alive and order.is_open:
                age = timedelta(seconds=self.clocks.total - self.born[order.id])
                due = [name for at, name in stages_of(order, 15) if at <= max(self.agent.now(), order.issued_at + age)]
                if order.acknowledged_at is None:
                    assert set(due) <= set(mine), "a reminder was missed"
                else:
                    assert ("late" in due) <= ("late" in mine), "an overdue order was missed"
        return sum(map(len, sent.values()))


@contextmanager
def world(folder: Path, seed: int) -> Iterator[World]:
    home = find_home(folder / "home")
    home.create()
    share = folder / "share"
    share.mkdir()
    clocks = Clocks()
    settings = Settings.model_validate({"people": PEOPLE, "scan": {"roots": [str(share)]}})
    with build_agent(home, settings, now=clocks.now, steady=clocks.steady) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield World(agent, clocks, random.Random(seed), share)


@pytest.mark.timeout(120 + 6 * COUNT)
def test_whatever_people_and_clocks_do_the_plan_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # rendering has tests of its own, and is most of the time
    monkeypatch.setattr(declaring, "write_documents", lambda _agent, _incident: 0)
    monkeypatch.setattr(write, "render", lambda *_arguments: b"x")
    total = reminders = 0
    ended: set[str] = set()
    for seed in range((COUNT + PER_WORLD - 1) // PER_WORLD):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with world(folder, seed) as play:
            while play.made < PER_WORLD:
                play.begin()
                play.look()
                for _ in range(play.chance.randrange(4, 14)):
                    play.act()
                    play.look()
            for _ in range(60):
                play.act()
                play.look()
            reminders += play.judge()
            total += play.made
            ended |= {incident.phase for incident in incidents(play.agent).all()}
    assert total >= COUNT
    assert reminders > COUNT, "the world was too quiet to say anything"
    assert {"responding", "dismissed"} <= ended
