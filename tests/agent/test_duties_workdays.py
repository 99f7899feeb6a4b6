"""Working days as the state counts them, and durations in every zone through every change of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from duty_shop import DAY, an_incident
from hypothesis import given
from hypothesis import strategies as st

from agent.incident.clocks import clock_of
from agent.incident.law import load_regimes
from agent.incident.workdays import Calendar, after_working_days, is_working, load_calendars


def test_the_national_days_of_2026_are_off_and_two_weekend_days_are_worked():
    calendar = next(calendar for calendar in load_calendars() if calendar.year == 2026)
    assert calendar.verified
    assert not is_working(date(2026, 10, 1), calendar)
    assert is_working(date(2026, 10, 10), calendar)
    assert not is_working(date(2026, 10, 11), calendar)
    assert len(calendar.off) == 3 + 9 + 3 + 5 + 3 + 3 + 7


def test_days_counted_in_a_year_that_was_not_checked_are_unverified():
    shanghai = ZoneInfo("Asia/Shanghai")
    inside = after_working_days(datetime(2026, 11, 2, tzinfo=UTC), 5, "CN", shanghai)
    across = after_working_days(datetime(2026, 12, 30, tzinfo=UTC), 5, "CN", shanghai)
    unknown = after_working_days(datetime(2031, 1, 6, tzinfo=UTC), 5, "CN", shanghai)
    assert (inside.verified, across.verified, unknown.verified) == (True, False, False)
    assert not next(calendar for calendar in load_calendars() if calendar.year == 2027).verified


@given(
    start=st.datetimes(min_value=DAY(2025, 1, 1), max_value=DAY(2029, 1, 1), timezones=st.just(UTC)),
    days=st.integers(min_value=1, max_value=60),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_working_days_end_at_midnight_there_and_grow_with_their_number(start, days, zone):
    there = ZoneInfo(zone)
    due, next_due = (after_working_days(start, count, "CN", there).at for count in (days, days + 1))
    assert due.astimezone(there).strftime("%H:%M") == "00:00"
    assert due.astimezone(UTC) > start
    assert next_due.astimezone(UTC) > due.astimezone(UTC)


def test_a_calendar_that_says_more_than_it_may_is_refused():
    with pytest.raises(ValueError, match="extra"):
        Calendar.model_validate({**load_calendars()[0].model_dump(), "half": []})


ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]


@given(
    local=st.datetimes(min_value=DAY(2020, 1, 1), max_value=DAY(2032, 12, 31)),
    zone=st.sampled_from(ZONES), now_zone=st.sampled_from(ZONES), fold=st.integers(0, 1),
    elapsed=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=40)),
)  # fmt: skip
def test_durations_are_the_same_in_every_zone_and_through_every_change_of_the_clocks(
    local, zone, now_zone, fold, elapsed
):
    start = local.replace(tzinfo=ZoneInfo(zone), fold=fold)
    now = (start.astimezone(UTC) + elapsed).astimezone(ZoneInfo(now_zone))
    incident = an_incident(discovered_at=start, declared_at=start, persons=2_000_000)
    regime = next(regime for regime in load_regimes() if regime.id == "cn-incident-reporting")
    found = clock_of(incident, now, regime, next(duty for duty in regime.duties if duty.id == "province-4h"))
    assert found.elapsed == elapsed
    assert found.deadline - start.astimezone(UTC) == timedelta(hours=4)
    assert (found.state == "overdue") == (elapsed > timedelta(hours=4))
