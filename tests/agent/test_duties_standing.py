"""Standing duties: filings above a bound, what is repeated, and what is on record as done."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from duty_shop import Clocks, opened

from agent.incident.standing import keep_standing, record_done, standing_duties
from agent.messages import deliveries
from config.errors import UsageError


def scanned(agent, persons):
    """A scan that met so many persons."""
    agent.inventory.begin_run([b"/srv"], at=agent.now(), recipe="").finish(at=agent.now(), persons=persons)


def test_standing_duties_of_a_small_store_are_never_called_unneeded(tmp_path):
    with opened(tmp_path) as agent:
        found = {f"{state.regime.id}/{state.duty.id}": state for state in standing_duties(agent, agent.now())}
        assert found["cn-officer/filing"].reached is False
        assert found["cn-faces/filing"].reached is None
        assert "pci-dss/logs" not in found


def test_a_filing_is_due_30_working_days_after_the_bound_was_seen_and_rings_until_it_is_on_record(tmp_path):
    clock = Clocks(wall=datetime(2026, 9, 28, 2, 0, tzinfo=UTC))
    with opened(tmp_path, clock) as agent:
        key = "cn-officer/filing"

        def state():
            return next(state for state in standing_duties(agent, agent.now()) if state.key == key)

        def told():
            return [delivery for delivery in deliveries(agent, None) if "个人信息保护负责人" in delivery.text]

        scanned(agent, 1_000_000)
        assert state().due.astimezone(ZoneInfo("Asia/Shanghai")).date() == date(2026, 11, 13)
        assert not state().verified
        keep_standing(agent, agent.now())
        before = len(told())
        clock.sleep(days=40)
        for _ in range(3):
            keep_standing(agent, agent.now())
            clock.sleep(hours=2)
        assert len(told()) > before
        once = len(told())
        record_done(agent, key, "王测试", agent.now(), "AR-1")
        clock.sleep(days=30)
        keep_standing(agent, agent.now())
        assert len(told()) == once
        with pytest.raises(UsageError, match="cn-officer"):
            record_done(agent, "cn-officer/nothing", "王测试", agent.now(), "")


def test_what_is_repeated_is_due_so_long_after_it_was_last_done(tmp_path):
    with opened(tmp_path) as agent:
        record_done(agent, "the-plan/drill", "王测试", agent.now(), "")
        found = {state.key: state for state in standing_duties(agent, agent.now())}
        assert found["the-plan/drill"].due == agent.now() + timedelta(days=365)
        assert found["cn-gbt-35273/training"].due is None
