"""When the daemon scans, and how hard."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.schedule import LONGEST_PAUSE_SECONDS, RETRY, Breath, Pressure, Schedule, is_trading, measure
from config.schema import Settings

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai


def settings(*hours, interval=24.0):
    return Settings.model_validate({
        "store": {"trading_hours": list(hours), "timezone": "Asia/Shanghai"}, "scan": {"interval_hours": interval},
    })  # fmt: skip


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("hours", "trading"),
    [
        (["10:00-22:00"], True), (["12:00-12:01"], True), (["11:00-12:00"], False), (["13:00-22:00"], False),
        (["22:00-13:00"], True), (["17:00-02:00"], False), (["08:00-09:00", "11:30-14:00"], True), ([], False),
    ],
)  # fmt: skip
def test_trading_hours_are_the_stores_own_and_may_pass_midnight(hours, trading):
    assert is_trading(settings(*hours), NOON) is trading


@given(st.times(), st.times(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  the zone is given beside them
def test_hours_and_their_complement_never_agree(opens, closes, moment):
    first, second = opens.strftime("%H:%M"), closes.strftime("%H:%M")
    if first != second:
        assert is_trading(settings(f"{first}-{second}"), moment) != is_trading(settings(f"{second}-{first}"), moment)


def test_a_scan_is_due_at_first_and_then_after_the_interval():
    schedule = Schedule(settings(), lambda: NOON)
    assert schedule.due(None)
    later = NOON + timedelta(hours=1)
    assert not schedule.due(NOON, later)
    assert not schedule.due(NOON, NOON + timedelta(hours=23, minutes=59))
    assert schedule.due(NOON, NOON + timedelta(hours=24))


def test_no_scan_starts_while_the_store_trades_and_one_does_when_it_closes():
    schedule = Schedule(settings("10:00-22:00"), lambda: NOON)
    assert not schedule.due(None)
    assert schedule.due(None, NOON + timedelta(hours=10))


def test_a_scan_that_fails_is_not_tried_again_at_every_tick():
    schedule = Schedule(settings(), lambda: NOON)
    assert schedule.due(None)
    assert not schedule.due(None, NOON + timedelta(seconds=1))
    assert schedule.due(None, NOON + RETRY)


def test_a_clock_that_was_set_back_does_not_hold_up_the_next_scan():
    schedule = Schedule(settings(), lambda: NOON)
    assert schedule.due(None)
    assert schedule.due(None, NOON - timedelta(days=2))


def test_a_busy_machine_holds_the_scan_until_it_is_quiet():
    clock, answers = Clock(), [True, True, False]
    breath = Breath(lambda: answers.pop(0), clock=clock, sleep=clock.sleep)
    assert breath.take() == 1.0
    assert answers == []


def test_a_machine_that_is_always_busy_is_scanned_all_the_same():
    clock = Clock()
    assert Breath(lambda: True, clock=clock, sleep=clock.sleep).take() == LONGEST_PAUSE_SECONDS


def test_many_small_files_do_not_measure_the_load_each_time():
    clock, looks = Clock(), []
    breath = Breath(lambda: bool(looks.append(1)), clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        breath.take()
    assert len(looks) == 1


def test_pressure_is_high_by_load_or_by_disk():
    assert Pressure(load=0.9, io=0.0).high
    assert Pressure(load=0.1, io=80.0).high
    assert not Pressure(load=0.5, io=10.0).high


def test_our_own_workers_do_not_count_as_load():
    assert measure(10_000).load == 0.0
    assert measure(0).load >= 0.0
    assert 0.0 <= measure(0).io <= 100.0


def test_a_clock_that_was_set_back_by_years_puts_no_scan_off():
    assert Schedule(settings(), lambda: NOON).due(NOON + timedelta(days=900))
