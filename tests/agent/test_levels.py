"""Levels by counts and by hand, and incidents that are merged and split."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import premises
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shops import declaration, inventoried, opened, snapshot

from agent.incident import duties
from agent.incident.declare import declare, report
from agent.incident.grading import graded_regime, law_grade, level_of, load_levels
from agent.incident.levels import grade_by_hand, regrade
from agent.incident.merging import merge, split
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.undo import dismiss
from config.errors import UsageError

BLANK = Incident(
    id="I20261126-0000", kind="other", phase="responding", machine=False, summary="x", place="", types=(), by="x",
    scope=None, discovered_at=datetime(2026, 11, 26, tzinfo=UTC), occurred_at=None, reported_at=None,
    declared_at=None, handling_ended_at=None, closed_at=None, files=0, persons=0,
)  # fmt: skip

home = premises.home


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    for name, count in (("会员.csv", 300), ("预订.csv", 40)):
        (folder / name).write_text("姓名,电话\n" + "测试甲,13800001111\n" * count, encoding="utf-8")
    return folder


def graded(persons, sensitive=0, **by_hand):
    """Level and grade of an incident of so many persons."""
    incident = replace(BLANK, persons=persons, sensitive=sensitive, **by_hand)
    by_law = law_grade(incident)
    return level_of(incident).id, by_law.grade.id if by_law else ""


@pytest.mark.parametrize(
    ("persons", "sensitive", "level", "law"),
    [
        (0, 0, "general", ""),
        (999, 99, "general", ""),
        (1_000, 0, "larger", ""),
        (100, 100, "larger", ""),
        (999_999, 0, "major", ""),
        (1_000_000, 0, "extraordinary", "larger"),
        (9_999_999, 0, "extraordinary", "larger"),
        (10_000_000, 0, "extraordinary", "major"),
        (100_000_000, 0, "extraordinary", "extraordinary"),
        (5_000, 100_000, "extraordinary", ""),
    ],
)
def test_bounds_are_inclusive_and_sensitive_persons_count_apart(persons, sensitive, level, law):
    assert graded(persons, sensitive) == (level, law)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_persons_never_lower_a_level_and_a_hand_never_does(persons, more, sensitive):
    levels = [level.id for level in load_levels()]
    grades = ["", *(grade.id for grade in graded_regime().grades)]

    def ranks(found):
        return levels.index(found[0]), grades.index(found[1])

    few, many = ranks(graded(persons, sensitive)), ranks(graded(persons + more, sensitive))
    assert few[0] <= many[0]
    assert few[1] <= many[1]
    by_hand = ranks(graded(persons, sensitive, level_by_hand="major", law_by_hand="larger"))
    assert by_hand >= (levels.index("major"), grades.index("larger"))


def test_a_loss_grades_by_law_as_well():
    assert graded(5, loss_cny=5_000_000)[1] == "larger"
    assert graded(5, loss_cny=4_999_999)[1] == ""


def test_an_incident_is_graded_anew_as_counts_change_and_the_lawyers_word_stays(home):
    with opened(home) as agent:
        incident = report(agent, declaration())
        assert incident.level == "general"
        store = incidents(agent)
        store.change(incident.id, persons=1_200_000, sensitive=40)
        found = regrade(agent, incident.id, "cloche")
        assert (found.level, found.law_grade) == ("extraordinary", "larger")
        grade_by_hand(agent, incident.id, "测试法务", "媒体已报道", law="major", loss_cny=6_000_000)
        store.change(incident.id, persons=12, sensitive=0)
        found = regrade(agent, incident.id, "cloche")
        assert (found.level, found.law_grade, found.loss_cny) == ("general", "major", 6_000_000)
        grades = [step.details for step in found.steps if step.act == "grade"]
        assert [step["level"] for step in grades][-3:] == ["extraordinary", "extraordinary", "general"]
        with pytest.raises(UsageError, match="理由"):
            grade_by_hand(agent, incident.id, "测试法务", "", level="major")
        with pytest.raises(UsageError, match="none of"):
            grade_by_hand(agent, incident.id, "测试法务", "x", level="huge")


def test_merged_incidents_keep_the_earliest_clock_and_give_everything_back_when_it_was_a_false_alarm(home, share):
    before = snapshot(share)
    with opened(home) as agent:
        inventoried(agent, share)
        late = declare(agent, declaration(paths=(os.fsencode(share / "会员.csv"),)))
        early = declare(
            agent,
            declaration(paths=(os.fsencode(share / "预订.csv"),), discovered_at=late.discovered_at.replace(year=2025)),
        )
        merged = merge(agent, late.id, early.id, "测试乙", "同一伙人")
        assert merged.discovered_at == early.discovered_at
        assert {os.path.basename(item.path) for item in merged.items} == {"会员.csv".encode(), "预订.csv".encode()}
        ended = incidents(agent).get(early.id)
        assert (ended.phase, ended.merged_into) == ("closed", late.id)
        (step,) = [step for step in merged.steps if step.act == "merge"]
        assert step.details["head"] in agent.timelines.hashes(early.id)
        for wrong in ((late.id, late.id), (late.id, early.id)):
            with pytest.raises(UsageError):
                merge(agent, *wrong, "测试乙", "x")
        undone = dismiss(agent, late.id, "测试乙", "误报", None)
        assert undone.complete
    assert snapshot(share) == before


def test_a_split_incident_goes_its_own_way_and_a_false_alarm_gives_back_only_its_own(home, share):
    before = snapshot(share)
    with opened(home) as agent:
        inventoried(agent, share)
        whole = declare(agent, declaration(paths=(os.fsencode(share),)))
        path = os.fsencode(share / "会员.csv")
        with pytest.raises(UsageError, match="不属于"):
            split(agent, whole.id, (b"/nowhere",), "测试乙", "两回事")
        fresh = split(agent, whole.id, (path,), "测试乙", "两回事")
        assert [item.path for item in fresh.items] == [path]
        assert path not in [item.path for item in incidents(agent).get(whole.id).items]
        assert (fresh.phase, fresh.discovered_at) == ("responding", whole.discovered_at)
        assert dismiss(agent, fresh.id, "测试乙", "误报", None).complete
        assert (share / "会员.csv").exists()
        assert not (share / "预订.csv").exists()
        assert dismiss(agent, whole.id, "测试乙", "误报", None).complete, "keys are still at hand"
    assert snapshot(share) == before


def test_what_was_handed_in_for_one_counts_for_the_incident_that_took_it_over(home):
    with opened(home) as agent:
        one, other = report(agent, declaration()), report(agent, declaration())
        duties.fill(agent, other.id, "测试法务", "trend", "已控制")
        handed = duties.Handed(duty="cn-pipl/art-57", at=agent.now(), channel="电话", receipt="TEST-1")
        duties.submit(agent, other.id, "测试法务", handed)
        assert list(duties.submissions_of(agent, one.id)) == []
        merge(agent, one.id, other.id, "测试乙", "同一事件")
        assert [entry.receipt for entry in duties.submissions_of(agent, one.id)] == ["TEST-1"]
        assert duties.facts_of(agent, one.id) == {"trend": "已控制"}
