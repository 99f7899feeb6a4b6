"""Regimes as data: the duties they bring, their flags and bounds, and what they ask of the records that are kept."""

from datetime import UTC, datetime, timedelta

import pytest
from duty_shop import FOUND, an_incident, clock_named, opened

from agent.incident.clocks import Circumstances, Demand, clocks
from agent.incident.grading import grade_of
from agent.incident.law import load_regimes, parse_regime, standing_about
from agent.incident.law_operations import list_law
from agent.operation import Caller, Request
from config.forms import FIELDS
from config.text import LANGUAGES, load_packs


def test_every_duty_has_contents_a_channel_and_an_authority_in_both_languages_and_asks_for_known_fields():
    packs = load_packs()
    for regime in load_regimes():
        assert regime.source
        assert regime.date
        for duty in regime.duties:
            assert duty.contents, duty.id
            for language in LANGUAGES:
                assert all((duty.authority[language], duty.channel[language], duty.title[language]))
                assert all(content[language] for content in duty.contents)
            assert {name for content in duty.contents for name in content.fields} <= set(FIELDS)
    for name in FIELDS:
        assert set(packs[f"law.field_{name}"]) == set(LANGUAGES)


def test_the_regimes_of_the_facts_are_all_there_with_their_flags():
    flags = {
        f"{regime.id}/{duty.id}": duty.verified
        for regime in load_regimes()
        for duty in (*regime.duties, *regime.standing)
    }
    verified = {
        "the-plan/report-48h", "cn-pipl/art-57", "cn-pipl/art-57-persons", "cn-pipl/art-55", "cn-network-data/art-11",
        "cn-incident-reporting/province-4h", "cn-incident-reporting/critical-1h", "cn-incident-reporting/summary-30d",
        "cn-incident-reporting/police", "cn-audit/every-2-years", "pci-dss/brands", "pci-dss/unexpected-card-data",
        "pci-dss/plan-test", "eu-gdpr/art-33",
    }  # fmt: skip
    unverified = {
        "cn-audit/after-incident", "cn-csl/logs", "cn-officer/filing", "cn-faces/filing", "cn-video/recordings",
        "cn-data-security/art-29", "eu-gdpr/art-34", "pci-dss/logs", "cn-incident-reporting/vendors-by-contract",
    }  # fmt: skip
    assert all(flags[key] for key in verified)
    assert not any(flags[key] for key in unverified)
    province = next(duty for regime in load_regimes() for duty in regime.duties if duty.id == "province-4h")
    assert [content.first for content in province.contents] == [True, True] + [False] * 6
    assert not province.contents_verified


def test_no_text_below_a_threshold_says_that_no_report_is_needed():
    for key, versions in load_packs().items():
        if key.startswith(("law.", "reports.", "incident.clock")):
            assert not any(word in versions["zh-CN"] for word in ("无需报告", "不用报告", "不需报告")), key
            assert "no report needed" not in versions["en"].lower(), key


def test_a_bound_is_inclusive_and_sensitive_persons_are_counted_apart():
    def state(**changes):
        found = clocks(an_incident(**changes), FOUND)
        return clock_named(found, "cn-audit/after-incident").state

    assert state(persons=100_000, sensitive=99_999) == "below_threshold"
    assert state(persons=100_000, sensitive=100_000) == "waiting"
    assert state(persons=1_000_000, sensitive=0) == "waiting"
    assert state(persons=100_000, sensitive=None) == "waiting", "not counted yet: it may be all of them"


def test_card_data_brings_its_duties_and_nothing_else_does():
    def keys(**changes):
        return {clock.key for clock in clocks(an_incident(**changes), FOUND)}

    assert not any(key.startswith("pci-dss") for key in keys(types=("PHONE_NUMBER",)))
    assert {"pci-dss/brands", "pci-dss/unexpected-card-data"} <= keys(types=("CREDIT_CARD",))


def test_the_lawyer_grades_up_by_hand_or_by_loss_and_never_down():
    grades = next(regime.grades for regime in load_regimes() if regime.grades)
    assert grade_of(grades, an_incident()) is None
    assert grade_of(grades, an_incident(law_by_hand="major")).by == "hand"
    assert grade_of(grades, an_incident(loss_cny=5_000_000)).grade.id == "larger"
    assert not grade_of(grades, an_incident(loss_cny=5_000_000)).verified
    both = grade_of(grades, an_incident(persons=10_000_000, law_by_hand="larger"))
    assert (both.grade.id, both.exact) == ("major", False)
    assert clock_named(clocks(an_incident(law_by_hand="larger"), FOUND), "cn-incident-reporting/province-4h").deadline


def test_the_4_hours_run_from_the_earlier_of_discovery_and_learning():
    later = FOUND + timedelta(hours=1)
    found = clocks(an_incident(reported_at=later, persons=2_000_000), later)
    assert clock_named(found, "cn-incident-reporting/province-4h").deadline == FOUND + timedelta(hours=4)


def test_an_order_of_an_authority_starts_a_clock_and_ends_it_at_the_day_it_names():
    at, due = FOUND + timedelta(days=2), FOUND + timedelta(days=9)
    circumstances = Circumstances(ordered={"cn-audit/after-incident": Demand(at=at, due=due)})
    found = clock_named(clocks(an_incident(), at, circumstances=circumstances), "cn-audit/after-incident")
    assert (found.state, found.start, found.deadline) == ("running", at, due)


def test_two_deadlines_or_one_id_twice_are_refused():
    duty = """
        [[duties]]
        id = "d"
        title = { zh-CN = "a", en = "a" }
        authority = { zh-CN = "a", en = "a" }
        channel = { zh-CN = "a", en = "a" }
        start = "learned_at"
        verified = true
        contents = []
        """
    head = 'name = { zh-CN = "法", en = "Law" }\nsource = "s"\ndate = "2027-01-01"\n'
    assert parse_regime("xx", head + duty)
    with pytest.raises(ValueError, match="exclude"):
        parse_regime("xx", head + duty + "hours = 1\nworking_days = 1\n")
    with pytest.raises(ValueError, match="twice"):
        parse_regime("xx", head + duty + duty)


def test_a_new_regime_with_conditions_and_working_days_needs_no_code():
    regime = parse_regime(
        "xx-new",
        """
        name = { zh-CN = "新法", en = "New law" }
        source = "art. 1"
        date = "2027-01-01"
        zone = "Asia/Shanghai"
        [[duties]]
        id = "tell"
        title = { zh-CN = "报告", en = "Tell" }
        start = "learned_at"
        working_days = 3
        when = { kinds = ["vendor"], sensitive = 5 }
        authority = { zh-CN = "某部门", en = "Somebody" }
        channel = { zh-CN = "信函", en = "Letter" }
        verified = true
        contents = [{ zh-CN = "原因", en = "Cause", fields = ["cause"] }]
        """,
    )
    learned = datetime(2026, 9, 30, 2, 0, tzinfo=UTC)
    incident = an_incident(kind="vendor", sensitive=5, discovered_at=learned, declared_at=learned)
    (found,) = clocks(incident, learned, [regime])
    assert found.deadline == datetime(2026, 10, 10, 16, 0, tzinfo=UTC), (
        "8 and 9 October, and Saturday the 10th is worked"
    )
    assert found.state == "running"
    assert not clocks(an_incident(kind="insider", sensitive=5), learned, [regime])


def test_logs_are_kept_for_the_longest_time_that_any_regime_asks():
    days = {f"{regime.id}/{duty.id}": duty.days for regime, duty in standing_about("logs")}
    assert days == {"cn-csl/logs": 186, "pci-dss/logs": 372}
    ((_regime, reports),) = standing_about("assessments")
    assert reports.days >= 3 * 365
    ((_regime, video),) = standing_about("video")
    assert video.days == 30


def test_the_reports_are_done_and_the_declared_drill_year_is_no_longer_than_a_year():
    assert {duty.days for _regime, duty in standing_about("drill")} == {365}


def test_the_law_is_listed_with_its_flags(tmp_path):
    with opened(tmp_path) as agent:
        request = Request(arguments={}, caller=Caller(uid=0, gid=0, pid=1, user="root", is_owner=True))
        document = list_law(agent, request).document
        assert {regime["id"] for regime in document["regimes"]} == {regime.id for regime in load_regimes()}
        assert all(regime["source"] and regime["date"] for regime in document["regimes"])
        assert {calendar["year"]: calendar["verified"] for calendar in document["calendars"]} == {
            2026: True,
            2027: False,
        }
