"""A false alarm: files come back bit for bit, nothing stays denied, and whoever was stopped goes on."""

import os
import signal
import subprocess
import sys

import incident_shop
import premises
from incident_shop import GuardStandIn, acts
from shops import NOW, declaration, inventoried, opened, snapshot

from agent.audit import verify
from agent.incident.declare import declare, report
from agent.incident.undo import dismiss
from agent.watch.api import AccessEvent, Crossing
from agent.watch.behaviour import respond
from config.errors import ClocheError
from config.identity import make_identity
from containment.processes import start_time, state

home = premises.home
share = incident_shop.share


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def test_a_declaration_vaults_what_is_named_and_a_false_alarm_brings_it_back_bit_for_bit(home, share):
    before = snapshot(share)
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40})
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert incident.complete, [step for step in incident.steps if not step.ok]
        assert (incident.phase, incident.scope, incident.files) == ("responding", "named", 3)
        assert {item.state for item in incident.items} == {"vault"}
        assert not set(before) & set(os.listdir(share))
        assert agent.inventory.item_at(os.fsencode(share / "会员.csv")).state == "vault"

        undone = dismiss(agent, incident.id, "测试乙", "演练", None)
        last = acts(undone).index("dismiss")
        assert all(step.ok for step in undone.steps[last:]), undone.steps[last:]
        assert undone.phase == "dismissed"
        assert snapshot(share) == before
        assert not watch.denied & set(keys.values())
        assert agent.inventory.item_at(os.fsencode(share / "会员.csv")).state == "plain"
        assert agent.keyring.held(incident.id) is None
        assert {item.state for item in undone.items} == {"released"}
    assert verify(home.audit_log, agent.keyring.public_key).ok


def test_what_the_guard_refuses_is_allowed_again_even_where_the_vault_never_had_it(home, share, monkeypatch):
    def broken(*_arguments, **_more):
        raise ClocheError("the journal cannot be written")

    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = set(inventoried(agent, share).values())
        monkeypatch.setattr(agent.quarantine, "fence", broken)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        assert {step.act for step in incident.steps if not step.ok} == {"vault"}
        assert "stop" in acts(incident)
        assert watch.denied == keys
        dismiss(agent, incident.id, "测试乙", "", None)
        assert watch.denied == set()


def test_a_release_without_a_key_says_so_and_a_second_try_with_the_sheet_finishes_it(home, share):
    before = snapshot(share)
    recovery = make_identity("recovery")
    with opened(home) as agent:
        agent.keyring.adopt(recovery.public)
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
    with opened(home, keys=False) as agent:
        undone = dismiss(agent, incident.id, "测试乙", "", None)
        (released,) = [step for step in undone.steps if step.act == "release"]
        assert released.details["reason_key"] == "incident.no_release_key"
        sheet = home.state / "sheet.txt"
        sheet.write_text(recovery.sheet())
        dismiss(agent, incident.id, "测试乙", "", agent.keyring.unlocker(sheet))
    assert snapshot(share) == before


def test_who_holds_a_file_is_stopped_and_goes_on_after_a_false_alarm(home, share):
    script = "import sys, time; f = open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    thief = subprocess.Popen(
        [sys.executable, "-c", script, str(share / "会员.csv")], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        thief.stdout.readline()
        with opened(home) as agent:
            inventoried(agent, share)
            incident = declare(agent, declaration(paths=(os.fsencode(share),)))
            (stop,) = [step for step in incident.steps if step.act == "stop"]
            assert stop.details["stopped"] == 1
            assert state_of(thief.pid) == "T"
            dismiss(agent, incident.id, "测试乙", "", None)
            assert state_of(thief.pid) != "T"
    finally:
        thief.kill()
        thief.communicate()


def test_a_thief_that_the_guard_froze_goes_on_after_a_false_alarm_even_with_its_files_closed(home, share):
    thief = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        os.kill(thief.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, thief.pid, os.WSTOPPED | os.WNOWAIT)
        with opened(home) as agent:
            keys = inventoried(agent, share)
            event = AccessEvent(
                at=NOW.timestamp(), monotonic_ns=0, key=keys["会员.csv"], path=b"/x", operation="read",
                pid=thief.pid, started=start_time(thief.pid), session="c9", decision="deny",
            )  # fmt: skip
            crossing = Crossing(
                event=event, rule="bound", subject="session", keys=(keys["预订.csv"],), persons=40,
                response="declare", outcome="stopped", stopped_ms=1.5,
            )  # fmt: skip
            agent.events.add(crossing, agent.mask)
            incident = declare(agent, declaration(machine=True, paths=(os.fsencode(share),)))
            assert state_of(thief.pid) == "T"
            dismiss(agent, incident.id, "测试乙", "", None)
            assert state_of(thief.pid) != "T"
    finally:
        thief.kill()
        thief.wait()


def test_a_false_alarm_lets_go_on_whom_the_guard_stopped_after_the_declaration(home, share):
    with opened(home, watch=GuardStandIn()) as agent:
        keys = inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        with subprocess.Popen(["sleep", "60"]) as late:
            os.kill(late.pid, signal.SIGSTOP)
            facts = {
                "at": NOW.timestamp() + 5, "monotonic_ns": 1, "key": keys["会员.csv"], "path": b"x",
                "operation": "open", "session": "audit:7", "decision": "deny",
            }  # fmt: skip
            first = AccessEvent(**facts, pid=4_000_000, started=1)
            agent.events.add(
                Crossing(
                    event=first, rule="bound", subject="session", keys=(), persons=0, response="declare",
                    outcome="stopped",
                ),
                agent.mask,
            )  # fmt: skip
            agent.events.add(AccessEvent(**facts, pid=late.pid, started=start_time(late.pid)), agent.mask)
            dismiss(agent, incident.id, "测试乙", "演练", None)
            stopped = state(late.pid) == "T"
            late.kill()
        assert not stopped


def test_where_nothing_was_declared_a_dismissed_report_lets_the_stopped_go_on(home, share):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share)
        with subprocess.Popen(["sleep", "60"]) as frozen:
            os.kill(frozen.pid, signal.SIGSTOP)
            event = AccessEvent(
                at=NOW.timestamp(), monotonic_ns=1, key=keys["会员.csv"], path=b"x", operation="open",
                pid=frozen.pid, started=start_time(frozen.pid), session="audit:7", decision="deny",
            )  # fmt: skip
            respond(
                agent,
                Crossing(
                    event=event, rule="bound", subject="session", keys=(), persons=0, response="stop",
                    outcome="stopped",
                ),
            )  # fmt: skip
            told = report(agent, declaration(paths=(os.fsencode(share / "会员.csv"),)))
            dismiss(agent, told.id, "测试乙", "盘点", None)
            stopped = state(frozen.pid) == "T"
            frozen.kill()
        assert not stopped
        assert watch.pardoned == ["audit:7"]
        assert not agent.inventory.alerts()
