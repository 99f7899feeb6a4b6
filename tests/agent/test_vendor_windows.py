"""A vendor is let in for minutes, on whose word, and goes by itself."""

from datetime import timedelta

import pytest
from vendor_shop import START, ask, opened, register

from agent.inventory.records import Alert
from agent.vendors import operations, windows
from agent.vendors.duties import look_after
from agent.vendors.windows import allowed_now
from config.errors import RefusedError, UsageError


def test_a_vendor_is_let_in_for_minutes_and_goes_by_itself(tmp_path):
    with opened(tmp_path) as (agent, clock):
        register(agent)
        asked = {"vendor": "测试快印", "minutes": 30, "who": "赵虚构", "tool": "ToDesk", "reason": "打印机故障"}
        with pytest.raises(RefusedError, match="王测试"):
            ask(agent, windows.let_in, asked, user="tech")
        assert allowed_now(agent) == ()
        opened_ = ask(agent, windows.let_in, asked).document
        assert opened_["approved_by"] == "王测试"
        assert [window.vendor for window in allowed_now(agent, tool="todesk")] == ["V001"]
        assert allowed_now(agent, tool="frpc") == ()
        assert allowed_now(agent, tool="desk") == ()
        with pytest.raises(RefusedError, match="已经在系统里"):
            ask(agent, windows.let_in, asked)
        clock.turn(minutes=10)
        agent.inventory.add_alert(Alert(at=clock.now, kind="bound", severity="high", text="大量读取"))
        clock.turn(minutes=20)
        assert allowed_now(agent) == ()
        clock.turn(minutes=3)
        look_after(agent, clock.now)
        look_after(agent, clock.now)
        (window,) = ask(agent, operations.show, {"vendor": "V001"}).document["windows"]
        assert window["ended_at"] == (START + timedelta(minutes=30)).isoformat()
        assert [alert["kind"] for alert in window["alerts"]] == ["bound"]
        assert agent.home.audit_log.read_text().count('"vendor.let_out"') == 1


def test_the_security_check_lets_a_tool_run_while_its_vendor_is_in(tmp_path):
    from agent.security_check.checking import look
    from agent.security_check.machine import Machine

    program = tmp_path / "machine/opt/todesk"
    program.mkdir(parents=True)
    with opened(tmp_path) as (agent, clock):
        register(agent)

        def verdict():
            found, _unseen, _baseline = look(agent, Machine(root=tmp_path / "machine"), "manager")
            return [(finding.what, finding.severity) for finding in found if finding.values.get("id") == "todesk"]

        assert verdict() == [("present", "warning")]
        asked = {"vendor": "V001", "minutes": 10, "who": "赵虚构", "tool": "ToDesk 4.7", "reason": "打印机故障"}
        ask(agent, windows.let_in, asked)
        assert verdict() == [("allowed", "notice")]
        clock.turn(minutes=11)
        assert verdict() == [("present", "warning")]


def test_a_vendor_can_be_let_out_before_its_time(tmp_path):
    with opened(tmp_path) as (agent, clock):
        register(agent)
        asked = {"vendor": "V001", "who": "赵虚构", "tool": "现场", "reason": "换路由器"}
        ask(agent, windows.let_in, asked)
        clock.turn(minutes=5)
        ended = ask(agent, windows.let_out, {"vendor": "V001"}).document
        assert ended["ended_by"] == "manager"
        assert allowed_now(agent) == ()
        with pytest.raises(UsageError):
            ask(agent, windows.let_out, {"vendor": "V001"})
        with pytest.raises(UsageError, match="minutes"):
            ask(agent, windows.let_in, {**asked, "minutes": 100_000})
