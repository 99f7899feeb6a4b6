"""Who may begin, see and end a drill, and what its command says."""

from __future__ import annotations

import json

import drill_shop
import pytest
from drill_shop import LEADER, STRANGER, call, cloche, opened, result_of, write_settings

from agent.operation import Caller
from config.errors import RefusedError, UsageError

place = drill_shop.place
home = drill_shop.home
shop = drill_shop.shop

LAWYER = Caller(uid=9, gid=9, pid=1, user="law", roles=frozenset({"legal"}))
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time


def test_roles_are_asked_for_and_only_the_owner_hands_in_a_result(home):
    with opened(home) as agent:
        for name in ("begin", "run", "list", "show", "certificate"):
            with pytest.raises(RefusedError):
                call(agent, f"drill.{name}", STRANGER)
        for name in ("begin", "run"):
            with pytest.raises(RefusedError):
                call(agent, f"drill.{name}", LAWYER)
        begun = call(agent, "drill.begin", LEADER, scenario="wrong_group").document
        assert "facts" not in begun
        with pytest.raises(RefusedError):
            call(agent, "drill.finish", LEADER, id=begun["id"], result=result_of())
        with pytest.raises(UsageError):
            call(agent, "drill.begin", scenario="earthquake")
        with pytest.raises(UsageError):
            call(agent, "drill.show", id="D1999")


def test_the_command_line_lists_scenarios_and_refuses_real_messages_without_a_yes(home, shop):
    write_settings(home, shop)
    listed = cloche(home, "drill", "run", "--list", CLOCHE_STORE__LANGUAGE="en")
    assert "Ransomware" in listed.stdout
    assert "No drill was ever held" in listed.stdout
    refused = cloche(home, "drill", "run", "--live")
    assert (refused.returncode, "--yes" in refused.stderr) == (4, True)
    wrong = json.loads(cloche(home, "drill", "run", "--scenario", "x", "--json").stdout)
    assert wrong["exit_code"] == 2
