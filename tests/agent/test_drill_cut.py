"""Drills that are killed, fail or meet another: nothing stays, and what happened is on record."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import drill_shop
import pytest
from drill_shop import FULL_TIER, LEADER, PLANTED, call, opened, write_settings

from agent.drill import last_drill
from agent.drill.carrying import Order, carry_out
from agent.drill.lock import only_one
from agent.drill.remains import sweep
from agent.drill.store import DrillStore
from config.errors import ClocheError, ExitCode, RefusedError, UsageError

place = drill_shop.place
home = drill_shop.home
shop = drill_shop.shop
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time


def processes_of(folder):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if os.fsencode(folder) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


@pytest.mark.needs(*FULL_TIER)
def test_a_drill_that_is_killed_leaves_nothing_running_and_the_next_one_clears_up(home, shop):
    write_settings(home, shop)
    program = os.path.join(os.path.dirname(sys.executable), "cloche")
    with subprocess.Popen(
        [program, "drill", "run", "--size", "0.01"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "CLOCHE_HOME": str(home.state)},
    ) as running:  # fmt: skip
        drills = home.state / "drills"
        wait_for(lambda: any(drills.glob("D*/loot/*")), 200)  # the thief is at work
        assert processes_of(drills)
        running.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes_of(drills), 10)
    assert str(drills) not in Path("/proc/mounts").read_text()
    (cut,) = [path.name for path in drills.glob("D*")]
    stuck = drills / cut / "store" / "stuck"
    stuck.write_text("x")
    subprocess.run(["chattr", "+i", str(stuck)], check=False, capture_output=True)
    with opened(home) as agent:
        assert call(agent, "drill.begin", scenario="wrong_group").document["cleared"] == [cut]
        found = [(drill.id == cut, drill.state) for drill in DrillStore(agent).all()]
        assert found == [(False, "running"), (True, "cut")]
    assert sorted(os.listdir(drills)) == ["lock"]
    assert f'"drill":"{cut}"' in home.audit_log.read_text()
    assert '"act":"drill.cut"' in home.audit_log.read_text()


def wait_for(what, seconds):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_drill_whose_process_fails_is_told_kept_as_failed_and_cleared(home):
    with opened(home) as agent:
        begun = call(agent, "drill.begin", scenario="wrong_group").document
        with pytest.raises(ClocheError, match=r"without a result|Error"):
            carry_out(
                Order(folder=home.state / "no" / "such", scenario="wrong_group", facts=begun["facts"], real=[]),
                lambda _key: None,
            )
        answer = call(agent, "drill.finish", id=begun["id"], failed=f"no space for {PLANTED}")
        assert (answer.exit_code, answer.document["state"]) == (ExitCode.FAILED, "failed")
        assert PLANTED not in json.dumps(answer.document)
        assert last_drill(agent) is None
        with pytest.raises(UsageError):
            call(agent, "drill.finish", id=begun["id"], failed="again")
        with pytest.raises(UsageError):
            call(agent, "drill.certificate", id=begun["id"])


def test_only_one_drill_is_played_at_a_time(home):
    with opened(home) as agent, only_one(home, agent.text):
        for name in ("drill.begin", "drill.run"):
            with pytest.raises(RefusedError):
                call(agent, name, scenario="wrong_group")
        assert DrillStore(agent).all() == []
        with pytest.raises(RefusedError):  # who is not the owner cannot claim to hold the lock
            call(agent, "drill.begin", LEADER, scenario="wrong_group", held=True)


def test_what_stays_is_removed_and_a_link_leads_nowhere(home, shop):
    with opened(home) as agent:
        drills = home.state / "drills"
        drills.mkdir(exist_ok=True)
        (drills / "D9").symlink_to(shop)
        (drills / "D8" / "store").mkdir(parents=True)
        assert sweep(agent) == ["D8", "D9"]
        assert os.listdir(shop)
        assert not any(drills.glob("D*"))
