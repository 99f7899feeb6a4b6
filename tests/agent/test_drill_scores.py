"""Points of a drill, and what it is compared with."""

from __future__ import annotations

from datetime import UTC, timedelta

import drill_shop
import pytest
from drill_shop import NOON, call, opened, result_of
from shops import Clock

from agent.drill import due_on, overdue
from agent.drill.records import Drill
from agent.drill.scenarios import find_scenario, load_plan
from agent.drill.scoring import compared, judge
from agent.drill.store import DrillStore

place = drill_shop.place
home = drill_shop.home
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time


def test_points_fall_with_distance_from_the_target_and_a_missing_measure_has_none():
    scenario, plan = find_scenario("wrong_group"), load_plan()

    def score(**measured):
        values = {"contain": 60.0, "report_draft": 60.0, "notify_draft": 300.0, "restored": 1.0, "recorded": 1.0}
        return judge(scenario, plan, {**values, **measured}, asked=0)[1]

    assert score() == 100.0
    assert score(contain=61.0) == score(contain=180.0) < 100
    assert score(contain=181.0) == score(contain=None) < score(contain=61.0)
    assert score(restored=0.5) == pytest.approx((score() + score(restored=0.0)) / 2, abs=0.1)
    measures, _score = judge(scenario, plan, {"restored": 1.0}, asked=2)
    assert sum(measure.worth for measure in measures) == pytest.approx(100)
    assert {measure.name for measure in measures if measure.met} == {"restored"}


def test_a_drill_is_compared_with_the_last_of_its_scenario(home):
    clock = Clock(NOON)
    with opened(home, clock=clock) as agent:
        for scenario, contain in (("wrong_group", 9.0), ("lost_laptop", 1.0), ("wrong_group", 5.0)):
            begun = call(agent, "drill.begin", scenario=scenario).document
            shown = call(agent, "drill.finish", id=begun["id"], result=result_of(contain=contain)).document
            clock.now += timedelta(days=30)
        changes = {measure["name"]: measure["change"] for measure in shown["measures"]}
        assert (changes["contain"], changes["restored"]) == (-4.0, 0.0)
        first, _laptop, last = reversed(DrillStore(agent).all())
        assert compared(last.measures, first.measures)["contain"] == -4.0
        assert shown["before"]["id"] == first.id
        assert due_on(agent).isoformat() == plus_a_year(last)
        assert not overdue(agent, last.at + timedelta(days=364))
        assert overdue(agent, last.at + timedelta(days=367))
        listed = call(agent, "drill.list").document
        assert {row["id"]: row["last_score"] for row in listed["scenarios"]}["lost_laptop"] == 100.0


def plus_a_year(drill: Drill) -> str:
    day = drill.at.astimezone(UTC).date()
    return day.replace(year=day.year + 1).isoformat()
