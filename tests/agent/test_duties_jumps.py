"""Clocks that jump: no deadline moves, and the jump stands on the timeline."""

import json
from datetime import timedelta

from duty_shop import FOUND, Clocks, clock_named, opened, reported

from agent.incident.duties import known_clocks
from agent.incident.jumps import judged, observe
from agent.incident.store import incidents
from agent.steady import kernel_beat


def test_a_clock_set_back_moves_no_deadline_and_stands_on_the_timeline(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        incident = reported(agent)
        agent.inventory  # noqa: B018
        incidents(agent).change(incident.id, law_by_hand="larger")
        observe(agent, agent.now())
        clock.sleep(hours=3)
        clock.set_wall(hours=-3)
        observe(agent, agent.now())
        clock.sleep(hours=2)
        found = known_clocks(agent, incidents(agent).get(incident.id), agent.now())
        province = clock_named(found, "cn-incident-reporting/province-4h")
        assert province.deadline == FOUND + timedelta(hours=4), "the deadline itself stays"
        assert (province.state, province.elapsed) == ("overdue", timedelta(hours=5))
        (step,) = [step for step in agent.timelines.steps(incident.id) if step.act == "law.clock_back"]
        assert step.details["seconds"] == -3 * 3600


def test_a_jump_forward_that_is_corrected_leaves_the_right_time(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        incident = reported(agent)
        observe(agent, agent.now())
        clock.set_wall(days=3650)
        observe(agent, agent.now())
        assert known_clocks(agent, incident, agent.now())[0].elapsed >= timedelta(days=3650)
        clock.set_wall(days=-3650)
        clock.sleep(minutes=1)
        observe(agent, agent.now())
        assert {entry.elapsed for entry in known_clocks(agent, incident, agent.now()) if entry.state == "running"} == {
            timedelta(minutes=1)
        }
        acts = [step.act for step in agent.timelines.steps(incident.id)]
        assert [act for act in acts if act.startswith("law.clock")] == ["law.clock_forward", "law.clock_back"]


def test_a_slow_correction_of_the_time_and_a_reboot_are_no_jumps(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        incident = reported(agent)
        for _ in range(5):
            clock.sleep(hours=10)
            clock.set_wall(seconds=18)
            assert observe(agent, agent.now()).jump is None
        clock.reboot(hours=9)
        assert observe(agent, agent.now()).jump is None
        assert judged(agent, incident, agent.now())["discovered_at"] <= agent.now()


def test_a_clock_that_is_behind_after_a_reboot_is_a_jump(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        reported(agent)
        observe(agent, agent.now())
        clock.reboot(days=-30)
        assert observe(agent, agent.now()).jump == timedelta(days=-30)


def test_without_an_incident_a_jump_is_in_the_record_of_every_act(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        observe(agent, agent.now())
        clock.set_wall(hours=1)
        observe(agent, agent.now())
        acts = [json.loads(line)["act"] for line in agent.home.audit_log.read_bytes().splitlines()]
        assert "law.clock_jumped" in acts


def test_the_kernels_count_goes_on_and_names_its_boot():
    one, two = kernel_beat(), kernel_beat()
    assert two.seconds >= one.seconds
    assert one.boot == two.boot
