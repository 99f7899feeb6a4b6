"""Reports and declarations over real files: what they do, the phases they pass, and what a failing part leaves."""

import os
import stat
from datetime import timedelta

import incident_shop
import premises
import pytest
from incident_shop import GuardStandIn, acts
from premises import PLANTED
from shops import NOW, declaration, inventoried, opened, snapshot

from agent.incident.declare import declare, report
from agent.incident.life import Move, advance
from agent.incident.store import IncidentStore, incidents
from agent.incident.undo import dismiss
from agent.inventory.records import Alert
from config.errors import ClocheError, UsageError

home = premises.home
share = incident_shop.share


def test_a_report_contains_nothing_and_fills_in_what_is_known(home, share):
    before = snapshot(share)
    with opened(home) as agent:
        inventoried(agent, share, {"会员.csv": 300})
        incident = report(agent, declaration(paths=(os.fsencode(share / "会员.csv"),)))
        assert (incident.phase, incident.types, incident.persons) == ("reported", ("PHONE_NUMBER",), 300)
        assert acts(incident) == ["report", "documents", "outbox"]
        assert incident.declared_at is None
    assert snapshot(share) == before


def test_a_hurried_report_of_something_that_is_not_there_is_not_turned_away(home, tmp_path):
    with opened(home) as agent:
        assert report(agent, declaration(paths=(os.fsencode(tmp_path / "nowhere"),))).phase == "reported"


def test_a_reported_incident_is_declared_under_its_own_number_and_only_once(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        first = report(agent, declaration())
        incident = declare(agent, declaration(paths=(os.fsencode(share),)), first.id)
        assert (incident.id, incident.phase) == (first.id, "responding")
        with pytest.raises(UsageError, match=f"{first.id} .*疑似上报"):
            declare(agent, declaration(paths=(os.fsencode(share),)), first.id)


def test_without_keys_files_are_fenced_and_the_lack_is_named(home, share):
    before = snapshot(share)
    with opened(home, keys=False) as agent:
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        (vault,) = [step for step in incident.steps if step.act == "vault"]
        assert not vault.ok
        assert vault.details["reason_key"] == "incident.no_keys"
        assert {item.state for item in incident.items} == {"fenced"}
        assert stat.S_IMODE((share / "会员.csv").stat().st_mode) == 0
        undone = dismiss(agent, incident.id, "测试乙", "", None)
        since = [step.act for step in undone.steps].index("dismiss")
        assert all(step.ok for step in undone.steps[since:])
    assert snapshot(share) == before


def test_a_part_that_fails_is_named_and_the_rest_goes_on(home, share, monkeypatch):
    def broken(*_arguments, **_more):
        raise ClocheError(f"no space for {PLANTED}")

    with opened(home) as agent:
        inventoried(agent, share)
        monkeypatch.setattr("agent.incident.evidence.write_bundle", broken)
        monkeypatch.setattr(agent.watch, "deny", broken, raising=False)
        monkeypatch.setattr(agent.outbox, "put", broken)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        failed = {step.act: step.details["reason"] for step in incident.steps if not step.ok}
        assert set(failed) == {"deny", "evidence", "outbox"}
        assert not any(PLANTED in reason for reason in failed.values())
        assert {item.state for item in incident.items} == {"vault"}
        assert "documents" in acts(incident)


def test_stopping_is_left_out_where_the_settings_say_so(home, share):
    with opened(home, settings={"respond": {"stop_holders": False}}) as agent:
        inventoried(agent, share)
        assert "stop_off" in acts(declare(agent, declaration(paths=(os.fsencode(share),))))


def test_nothing_is_contained_where_the_settings_say_so(home, share):
    before = snapshot(share)
    with opened(home, settings={"respond": {"contain": False}}) as agent:
        inventoried(agent, share)
        assert "vault_off" in acts(declare(agent, declaration(paths=(os.fsencode(share),))))
    assert snapshot(share) == before


def test_the_end_of_handling_starts_the_48_hours_and_an_incident_cannot_skip_a_phase(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert incident.phase == "responding"
        with pytest.raises(UsageError, match=f"{incident.id} .*应急响应.*事后报告"):
            advance(agent, incident.id, "测试乙", Move(to="reviewing"))
        advance(agent, incident.id, "测试乙", Move(override="测试"))
        ended = advance(agent, incident.id, "测试乙", Move(override="测试", reason="处理完毕"))
        assert ended.phase == "reviewing"
        assert agent.now() - ended.handling_ended_at < timedelta(minutes=1)
        overridden = [step for step in ended.steps if step.act == "override"]
        assert [step.details["to"] for step in overridden] == ["cleaning", "reviewing"]
        assert "no_check" in overridden[1].details["unmet"]
    assert "会员.csv" not in os.listdir(share)


def test_an_id_may_be_shortened_while_it_is_plain(home):
    with opened(home) as agent:
        one, two = (report(agent, declaration()) for _ in range(2))
        store = incidents(agent)
        assert store.get(one.id).id == one.id
        with pytest.raises(UsageError, match="2 incidents"):
            store.get("I2")
        with pytest.raises(UsageError, match="no incident"):
            store.get("")
        assert [entry.id for entry in store.all()] == [two.id, one.id]
        assert store.get("latest").id == two.id
        dismiss(agent, "latest", "测试乙", "误报", None)
        assert store.get("latest").id == one.id, "what goes on comes before what is ended"


def test_a_second_crossing_of_the_same_attack_extends_the_incident_that_is_under_way(home, share):
    before = snapshot(share)
    with opened(home) as agent:
        keys = inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40})
        agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["会员.csv"],), session="c1")
        )
        first = declare(agent, declaration(machine=True, scope="alerts"))
        agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["预订.csv"],), session="c2")
        )
        second = declare(agent, declaration(machine=True, scope="alerts"))
        assert (second.id, second.files, second.persons) == (first.id, 2, 340)
        assert "extend" in acts(second)
        assert {item.state for item in second.items} == {"vault"}
        other = declare(agent, declaration(machine=True, scope="alerts", kind="intrusion"))
        assert other.id != first.id
        by_hand = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert by_hand.id not in (first.id, other.id)
        for incident in (first, by_hand):
            dismiss(agent, incident.id, "测试乙", "", None)
    assert snapshot(share) == before


def test_a_full_disk_keeps_nothing_from_being_denied(home, share, monkeypatch):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share)

        def full(*_arguments):
            raise ClocheError("inventory.db: database or disk is full")

        monkeypatch.setattr(IncidentStore, "add", full)
        with pytest.raises(ClocheError, match="full"):
            declare(agent, declaration(paths=(os.fsencode(share),)))
        assert watch.denied == set(keys.values())


def test_an_incident_that_cannot_be_declared_denies_nothing(home, share):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        inventoried(agent, share)
        told = report(agent, declaration())
        close_as_false = dismiss(agent, told.id, "测试乙", "没有事", None)
        with pytest.raises(UsageError):
            declare(agent, declaration(paths=(os.fsencode(share),)), close_as_false.id)
        assert not watch.denied
