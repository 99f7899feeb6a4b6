"""Clocks: from the right moment, in the right direction, as data, with the verified flag."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incident.clocks import as_hours, clocks
from agent.incident.law import load_plan, load_regimes, parse_regime
from agent.incident.records import Incident
from config.text import LANGUAGES

FOUND = datetime(2026, 11, 23, 3, 58, tzinfo=UTC)


def incident(**changes):
    values = {
        "id": "I20261123-1a2b", "kind": "insider", "phase": "responding", "machine": False, "summary": "x",
        "place": "", "types": (), "by": "测试甲", "scope": "named", "discovered_at": FOUND, "occurred_at": None,
        "reported_at": None, "declared_at": FOUND + timedelta(hours=3), "handling_ended_at": None,
        "closed_at": None, "files": 1, "persons": 10,
    }  # fmt: skip
    return Incident(**{**values, **changes})


def clock(key, now, listed=(), **changes):
    (found,) = [entry for entry in clocks(incident(**changes), now, listed=listed) if entry.key == key]
    return found


def test_pipl_counts_up_from_discovery_and_has_no_deadline():
    found = clock("cn-pipl/art-57", FOUND + timedelta(hours=2, minutes=13, seconds=59))
    assert (found.state, found.deadline, as_hours(found.elapsed)) == ("running", None, "02:13")
    assert found.document("zh-CN", UTC)["counts_up"] is True


@pytest.mark.parametrize("persons", [0, 1, 10_000_000])
def test_pipl_has_no_head_count_threshold(persons):
    assert clock("cn-pipl/art-57", FOUND, persons=persons).state == "running"


def test_four_hours_count_from_discovery_and_never_from_the_declaration():
    found = clock("cn-incident-reporting/province-4h", FOUND + timedelta(hours=3), persons=1_000_000)
    assert found.deadline == FOUND + timedelta(hours=4)
    assert found.remaining == timedelta(hours=1)


@pytest.mark.parametrize(("persons", "state"), [(999_999, "below_threshold"), (1_000_000, "running")])
def test_the_grade_bound_is_inclusive(persons, state):
    assert clock("cn-incident-reporting/province-4h", FOUND, persons=persons).state == state


def test_the_grades_are_the_guides():
    (regime,) = [regime for regime in load_regimes() if regime.id == "cn-incident-reporting"]
    assert [(grade.id, grade.persons) for grade in regime.grades] == [
        ("larger", 1_000_000), ("major", 10_000_000), ("extraordinary", 100_000_000),
    ]  # fmt: skip


def test_the_plans_48_hours_and_the_30_days_count_from_the_end_of_handling():
    ended = FOUND + timedelta(days=3)
    assert clock("the-plan/report-48h", ended).state == "waiting"
    found = clock("the-plan/report-48h", ended + timedelta(hours=1), handling_ended_at=ended)
    assert found.deadline == ended + timedelta(hours=48)
    summary = clock("cn-incident-reporting/summary-30d", ended, handling_ended_at=ended, persons=2_000_000)
    assert summary.deadline == ended + timedelta(days=30)


def test_a_deadline_is_overdue_only_after_it():
    ended = FOUND
    at = clock("the-plan/report-48h", ended + timedelta(hours=48), handling_ended_at=ended)
    after = clock("the-plan/report-48h", ended + timedelta(hours=48, seconds=1), handling_ended_at=ended)
    assert (at.state, after.state) == ("running", "overdue")


def test_gdpr_and_critical_infrastructure_apply_only_where_listed():
    keys = {entry.key for entry in clocks(incident(), FOUND)}
    assert "eu-gdpr/art-33" not in keys
    assert "cn-incident-reporting/critical-1h" not in keys
    assert clock("eu-gdpr/art-33", FOUND, listed=("eu-gdpr",)).deadline == FOUND + timedelta(hours=72)
    assert clock("cn-incident-reporting/critical-1h", FOUND, listed=("cn-incident-reporting/critical-1h",))


def test_a_false_alarm_stops_every_clock():
    assert {entry.state for entry in clocks(incident(phase="dismissed"), FOUND)} == {"stopped"}


def test_a_clock_that_is_set_back_shows_no_negative_time():
    assert clock("cn-pipl/art-57", FOUND - timedelta(days=1)).elapsed == timedelta()


def test_what_is_unverified_is_shown_as_such():
    assert not clock("cn-data-security/art-29", FOUND).document("en", UTC)["verified"]
    assert not clock("cn-incident-reporting/province-4h", FOUND).verified
    assert clock("cn-pipl/art-57", FOUND).verified


def test_a_new_regime_needs_no_code():
    regime = parse_regime(
        "xx-new",
        """
        name = { zh-CN = "新法", en = "New law" }
        source = "art. 1"
        date = "2027-01-01"
        [[duties]]
        id = "tell"
        title = { zh-CN = "报告", en = "Tell" }
        start = "discovered_at"
        hours = 12
        authority = { zh-CN = "某部门", en = "Somebody" }
        channel = { zh-CN = "信函", en = "Letter" }
        verified = false
        contents = []
        """,
    )
    (found,) = clocks(incident(), FOUND, [regime])
    assert (found.key, found.deadline, found.verified) == ("xx-new/tell", FOUND + timedelta(hours=12), False)


@pytest.mark.parametrize("fault", ["hour = 4", 'from_grade = "none"', 'start = "declared_at"'])
def test_a_misspelt_regime_is_refused(fault):
    text = """
    name = { zh-CN = "法", en = "Law" }
    source = "s"
    date = "2027-01-01"
    [[duties]]
    id = "d"
    title = { zh-CN = "a", en = "a" }
    authority = { zh-CN = "a", en = "a" }
    channel = { zh-CN = "a", en = "a" }
    verified = true
    contents = []
    """
    start = "" if "start" in fault else 'start = "discovered_at"\n'
    with pytest.raises(ValueError, match=r"(?s)hour|grade|start"):
        parse_regime("xx", text + start + fault + "\n")


def test_every_pack_speaks_both_languages():
    for regime in load_regimes():
        words = [regime.name, *(grade.name for grade in regime.grades)]
        for duty in regime.duties:
            words += [duty.title, duty.authority, duty.channel, *filter(None, (duty.note, duty.form))]
            assert all(content[language] for content in duty.contents for language in LANGUAGES), duty.id
        for duty in regime.standing:
            words += [duty.title, duty.authority, *([duty.note] if duty.note else [])]
        assert all(set(entry) == set(LANGUAGES) for entry in words), regime.id
    assert {duty.phase for duty in load_plan()} >= {"reported", "responding", "reviewing"}


MOMENTS = st.timedeltas(min_value=timedelta(days=-2000), max_value=timedelta(days=4000)).map(FOUND.__add__)


@given(now=MOMENTS, persons=st.integers(min_value=0, max_value=10**9), ended=st.none() | MOMENTS)
def test_clocks_never_contradict_themselves(now, persons, ended):
    for entry in clocks(incident(persons=persons, handling_ended_at=ended), now, listed=("eu-gdpr",)):
        assert entry.elapsed >= timedelta()
        assert (entry.deadline is None) == (entry.duty.hours is None or entry.start is None)
        if entry.state == "overdue":
            assert entry.deadline is not None
            assert now > entry.deadline
