"""Whom a drill asks, what counts as an answer, and who is reminded of the next."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import drill_shop
import pytest
from drill_shop import LEADER, NOON, OWNER, PEOPLE, STRANGER, call, opened, result_of, settings_for
from shops import Clock

from agent.drill.reminders import remind
from agent.drill.store import DrillStore
from agent.messages.queue import deliveries
from config.errors import RefusedError, UsageError
from config.schema import Settings

place = drill_shop.place
home = drill_shop.home
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time


def test_in_an_announced_drill_people_acknowledge_and_who_is_late_does_not_count(home):
    clock = Clock(NOON)
    with opened(home, clock=clock) as agent:
        begun = call(agent, "drill.begin", scenario="wrong_group", announced=True).document
        assert set(begun["asked"]) == {"李样例", "王测试", "陈模拟", "张演示"}
        assert begun["told"] == 0
        assert deliveries(agent) == ()
        clock.now += timedelta(minutes=2)
        assert call(agent, "drill.ack", LEADER).document["in_time"] is True
        assert call(agent, "drill.ack", LEADER).document["new"] is False
        assert call(agent, "drill.ack", OWNER, person="王测试").document["how"] == "phone"
        with pytest.raises(RefusedError):
            call(agent, "drill.ack", STRANGER, person="张演示")
        with pytest.raises(UsageError):
            call(agent, "drill.ack", STRANGER)
        with pytest.raises(UsageError):
            call(agent, "drill.ack", OWNER, person="路人")
        finished = call(agent, "drill.finish", id=begun["id"], result=result_of()).document
        shares = {measure["name"]: measure["value"] for measure in finished["measures"]}
        assert shares["acknowledged"] == 0.5
        clock.now += timedelta(minutes=2)
        call(agent, "drill.ack", OWNER, person="张演示")
        clock.now += timedelta(minutes=20)
        assert call(agent, "drill.ack", OWNER, person="陈模拟").document["in_time"] is False
        shown = call(agent, "drill.show").document
        assert next(m for m in shown["measures"] if m["name"] == "acknowledged")["value"] == 0.75
        assert finished["score"] < shown["score"] < 100
        paths = call(agent, "drill.certificate").document["paths"]
        page = next(path for path in paths if path.endswith("02.zh-CN.html"))
        assert "陈模拟" in Path(page).read_text(encoding="utf-8")


def test_a_live_drill_asks_staff_only_each_marked_as_a_drill_and_takes_their_code(home):
    settings = settings_for(senders={"mode": "record", "smtp_host": "127.0.0.1", "smtp_from": "a@example.com"})
    with opened(home, settings) as agent:
        begun = call(agent, "drill.begin", scenario="insider", live=True).document
        sent = deliveries(agent)
        assert {message.person for message in sent} == set(begun["asked"]) <= {person["name"] for person in PEOPLE}
        assert begun["told"] == len(begun["asked"]) == 4
        assert all("应急演练" in message.subject and "应急演练" in message.text for message in sent)
        with pytest.raises(RefusedError):
            call(agent, "drill.ack", STRANGER, person="李样例", code="000000")
        from agent.messages.inbox import dispatch
        from agent.messages.records import Answer as Word

        dispatch(
            agent,
            Word(purpose="ack", about=f"drill:{begun['id']}", person="李样例", how="link", at=agent.now()),
        )
        (given,) = DrillStore(agent).get(begun["id"]).acknowledged
        assert (given.person, given.how) == ("李样例", "link")


def test_nobody_to_ask_is_said_before_anything_begins(home):
    with opened(home, Settings()) as agent:
        with pytest.raises(UsageError, match="people"):
            call(agent, "drill.begin", scenario="insider", live=True)
        assert DrillStore(agent).all() == []


def test_whoever_leads_is_reminded_once_a_stage_by_day_and_nobody_before_a_first_drill(home):
    clock = Clock(NOON)
    settings = settings_for(senders={"mode": "record", "smtp_host": "127.0.0.1", "smtp_from": "a@example.com"})
    with opened(home, settings, clock) as agent:
        remind(agent, clock.now)
        begun = call(agent, "drill.begin", scenario="wrong_group").document
        call(agent, "drill.finish", id=begun["id"], result=result_of())
        for days, hours, count in (
            (0, 0, 0),
            (334, 12, 0),
            (336, 0, 1),
            (336, 1, 1),
            (366, 0, 2),
            (400, 0, 3),
            (401, 0, 3),
        ):
            clock.now = NOON + timedelta(days=days, hours=hours)
            remind(agent, clock.now)
            assert len(deliveries(agent)) == count, (days, hours)
        assert {message.person for message in deliveries(agent)} == {"王测试"}
