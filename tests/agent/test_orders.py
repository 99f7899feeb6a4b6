"""Orders: given by kind, answered, repeated, handed to the substitute and to the leaders, each once and none missed."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import Clock
from sqlalchemy import delete

from agent.incident.declare import Declaration, declare, report
from agent.incident.life import carry_on
from agent.incident.order_models import OrderRow
from agent.incident.orders import (
    Wanted,
    acknowledge,
    end_order,
    give_missing,
    give_order,
    issue_for_phase,
    load_templates,
    orders_of,
    remind,
    stages_of,
)
from agent.incident.records import KINDS
from agent.incident.store import incidents
from agent.incident.undo import dismiss
from agent.wiring import build_agent
from config.errors import UsageError
from config.home import find_home
from config.schema import Settings

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
PEOPLE = [
    {"name": "王测试", "roles": ["security_lead", "response_lead"], "email": "lead@example.com"},
    {"name": "李样例", "roles": ["tech_support"], "email": "tech@example.com", "substitute": "周演示"},
    {"name": "周演示", "roles": ["security_member"], "email": "substitute@example.com"},
    {"name": "赵虚构", "roles": ["store_manager"], "email": "manager@example.com"},
]


@contextmanager
def opened(folder, people=PEOPLE):
    home = find_home(folder / "home")
    home.create()
    clock = Clock(START)
    with build_agent(home, Settings.model_validate({"people": people}), now=clock) as agent:
        yield agent, clock


@pytest.fixture
def office(tmp_path):
    with opened(tmp_path) as both:
        yield both


def reported(agent, kind="insider"):
    return report(agent, Declaration(kind=kind, summary="测试", discovered_at=agent.now(), by="赵虚构")).id


def reminders(agent, incident_id):
    return [
        (step.details["order"].rpartition("/")[2], step.details["stage"], step.details["late"])
        for step in incidents(agent).get(incident_id).steps
        if step.act == "orders.reminded"
    ]


def test_every_kind_has_orders_of_its_own_for_every_phase_that_people_work_in():
    for kind in KINDS:
        mine = [order for order in load_templates() if not order.kinds or kind in order.kinds]
        assert {order.phase for order in mine} == {"responding", "cleaning", "reviewing"}
        roles = {order.role for order in mine}
        assert {"store_manager", "response_lead", "tech_support", "legal", "customer_service", "logistics"} <= roles
    assert len({order.id for order in load_templates()}) == len(load_templates())
    assert {kind for order in load_templates() for kind in order.kinds} == set(KINDS) - {"other"}


def test_a_declaration_gives_the_orders_of_its_kind_to_who_holds_the_role(office):
    agent, _clock = office
    incident = declare(
        agent, Declaration(kind="staff_mistake", summary="发错群", discovered_at=agent.now(), by="王测试")
    )
    assert incident.phase == "responding"
    phases = [(step.details["before"], step.details["phase"]) for step in incident.steps if step.act == "phase"]
    assert phases == [("directed", "responding")]
    given = {order.template: order for order in orders_of(agent, incident.id)}
    assert given["mistake-recall"].owner == "赵虚构"
    assert given["mistake-recall"].due_at == START + timedelta(minutes=15)
    assert "ransom-backup" not in given
    assert given["notice"].owner == "", "nobody serves customers here, and the order says so"
    assert incident.id in given["investigate"].command


def test_orders_of_a_phase_are_given_once(office):
    agent, _clock = office
    found = reported(agent)
    first = issue_for_phase(agent, found, "cleaning", "王测试")
    assert [order.template for order in first] == ["decide-items", "originals", "security-check", "risk"]
    assert issue_for_phase(agent, found, "cleaning", "王测试") == []


def test_an_order_that_nobody_answers_is_repeated_then_goes_to_the_substitute_then_to_the_leaders(office):
    agent, clock = office
    found = reported(agent)
    order = give_order(agent, found, "王测试", Wanted(role="tech_support", what="检查", minutes=120))
    for _ in range(10):
        clock.turn(15)
        remind(agent, clock.now)
    assert reminders(agent, found) == [
        ("1", "repeat", False), ("1", "substitute", False), ("1", "leader", False), ("1", "late", False),
    ]  # fmt: skip
    steps = incidents(agent).get(found).steps
    told = [step.details["people"] for step in steps if step.act == "orders.reminded"]
    assert told[:3] == [["李样例"], ["周演示"], ["李样例", "王测试"]]
    assert order.id == f"{found}/1"


def test_an_answered_order_is_left_alone_until_it_is_late(office):
    agent, clock = office
    found = reported(agent)
    order = give_order(agent, found, "王测试", Wanted(role="tech_support", what="检查", minutes=60))
    clock.turn(5)
    assert acknowledge(agent, order.id, "李样例", "phone").acknowledged_how == "phone"
    clock.turn(50)
    remind(agent, clock.now)
    assert reminders(agent, found) == []
    clock.turn(6)
    remind(agent, clock.now)
    assert reminders(agent, found) == [("1", "late", False)]
    end_order(agent, order.id, "李样例", "done", "完成")
    clock.turn(600)
    remind(agent, clock.now)
    assert len(reminders(agent, found)) == 1


def test_after_a_night_without_power_what_was_missed_is_done_late_and_says_so(office):
    agent, clock = office
    found = reported(agent)
    give_order(agent, found, "王测试", Wanted(role="tech_support", what="检查", minutes=60))
    clock.turn(600)
    remind(agent, clock.now)
    assert reminders(agent, found) == [("1", stage, True) for stage in ("repeat", "substitute", "leader", "late")]
    remind(agent, clock.now)
    assert len(reminders(agent, found)) == 4


@settings(max_examples=8, deadline=None)
@given(
    pauses=st.lists(st.integers(min_value=-90, max_value=240), min_size=1, max_size=12),
    answered=st.integers(min_value=0, max_value=12),
)
def test_whatever_the_clock_does_each_stage_comes_once_and_in_order(tmp_path_factory, pauses, answered):
    with opened(tmp_path_factory.mktemp("shop")) as (agent, clock):
        found = reported(agent)
        order = give_order(agent, found, "王测试", Wanted(role="tech_support", what="检查", minutes=50))
        latest, is_answered = clock.now, None
        for number, pause in enumerate(pauses):
            if number == answered:
                is_answered = clock.now
                acknowledge(agent, order.id, "李样例", "account")
            clock.turn(pause)
            latest = max(latest, clock.now)
            remind(agent, clock.now)
        due = [stage for at, stage in stages_of(order, 15) if at <= latest]
        sent = [stage for _number, stage, _late in reminders(agent, found)]
        assert len(sent) == len(set(sent))
        assert sent == [stage for stage in due if stage in sent]
        assert is_answered is not None or sent == due
        assert ("late" in sent) == ("late" in due)


def test_an_order_needs_words_a_person_who_exists_and_an_incident_that_goes_on(office):
    agent, _clock = office
    found = reported(agent)
    with pytest.raises(UsageError, match="没有写"):
        give_order(agent, found, "王测试", Wanted(role="legal", what=" ", minutes=5))
    with pytest.raises(UsageError, match="没有 孙无人"):
        give_order(agent, found, "王测试", Wanted(role="legal", what="查", minutes=5, owner="孙无人"))
    order = give_order(agent, found, "王测试", Wanted(role="legal", what="致电13800001111", minutes=5))
    assert "13800001111" not in order.what
    with pytest.raises(UsageError, match="理由"):
        end_order(agent, order.id, "王测试", "cancelled", "")
    end_order(agent, order.id, "王测试", "cancelled", "不需要")
    with pytest.raises(UsageError, match="已经结束"):
        acknowledge(agent, order.id, "王测试", "account")
    with pytest.raises(UsageError, match="没有指令"):
        acknowledge(agent, f"{found}/99", "王测试", "account")


def test_a_false_alarm_cancels_what_was_ordered(office):
    agent, clock = office
    incident = declare(agent, Declaration(kind="other", summary="测试", discovered_at=agent.now(), by="王测试"))
    assert any(order.is_open for order in orders_of(agent, incident.id))
    dismiss(agent, incident.id, "王测试", "误报", None)
    assert not any(order.is_open for order in orders_of(agent, incident.id))
    clock.turn(600)
    before = len(reminders(agent, incident.id))
    remind(agent, clock.now)
    assert len(reminders(agent, incident.id)) == before
    with pytest.raises(UsageError, match="已经结束"):
        give_order(agent, incident.id, "王测试", Wanted(role="legal", what="查", minutes=5))


def test_a_declaration_that_was_cut_off_before_its_orders_is_brought_on_and_what_is_missing_is_given_once(
    office, monkeypatch
):
    agent, clock = office
    with monkeypatch.context() as broken:
        broken.setattr("agent.incident.life.enter", lambda *_given, **_more: 1 / 0)
        incident = declare(agent, Declaration(kind="other", summary="测试", discovered_at=agent.now(), by="王测试"))
    assert (incident.phase, orders_of(agent, incident.id)) == ("directed", [])
    carry_on(agent, clock.now)
    assert incidents(agent).get(incident.id).phase == "directed", "a declaration under way is left alone"
    clock.turn(3)
    carry_on(agent, clock.now)
    given = [order.template for order in orders_of(agent, incident.id)]
    assert incidents(agent).get(incident.id).phase == "responding"
    with agent.inventory.sessions.begin() as session:
        session.execute(delete(OrderRow).where(OrderRow.template == given[-1]))
    for _ in range(2):
        give_missing(agent, clock.now)
    assert sorted(order.template for order in orders_of(agent, incident.id)) == sorted(given)
