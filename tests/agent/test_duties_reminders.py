"""Reminders: in order, once each, late where nothing ran, to whom it concerns and further up."""

from datetime import UTC, timedelta

from duty_shop import DAY, FOUND, STORE, Clocks, opened, reported
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.incident import duties
from agent.incident.duties import Handed, known_clocks
from agent.incident.reminders import audience, keep_clocks, remind, rings_given
from agent.incident.rings import load_schedule, rings
from agent.incident.store import incidents
from agent.messages import deliveries


@given(hours=st.floats(min_value=0.5, max_value=2000), started=st.datetimes(timezones=st.just(UTC),
       min_value=DAY(2024, 2, 28), max_value=DAY(2028, 3, 1)))  # fmt: skip
def test_reminders_come_in_order_each_under_its_own_name_and_one_at_the_deadline(hours, started):
    deadline = started + timedelta(hours=hours)
    found = rings(started, deadline, load_schedule())
    assert [ring.at for ring in found] == sorted(ring.at for ring in found)
    assert len({ring.id for ring in found}) == len(found)
    assert all(ring.at >= started for ring in found)
    assert any(ring.at == deadline and ring.level == 1 for ring in found)
    assert any(started < ring.at < deadline for ring in found)
    assert {ring.level for ring in found if ring.at < deadline} == {0}


def test_a_clock_that_counts_up_goes_up_the_line():
    found = rings(FOUND, None, load_schedule())
    assert [(ring.id, ring.level) for ring in found[:4]] == [("start", 0), ("up-1h", 0), ("up-2h", 0), ("up-4h", 1)]
    assert found[-1].level == 2


def wanted_by(agent, incident, reading):
    """Every reminder that must have been given by then, from the clocks alone."""
    return {
        (clock.key, ring.id)
        for clock in known_clocks(agent, incident, reading)
        if clock.state in ("running", "overdue")
        for ring in rings(clock.start, clock.deadline, load_schedule())
        if ring.at <= clock.start + clock.elapsed
    }


def given_steps(agent, incident):
    steps = agent.timelines.steps(incident.id)
    return [name for step in steps if step.act.startswith("law.reminded") for name in step.details["rings"]]


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("sleep"), st.integers(1, 3000)),
        st.tuples(st.just("set"), st.integers(-3000, 3000)),
        st.tuples(st.just("reboot"), st.integers(0, 3000)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_no_reminder_is_missed_or_given_twice_whatever_the_clock_does_and_however_long_nothing_ran(
    tmp_path_factory, moves
):
    folder = tmp_path_factory.mktemp("moves")
    clock = Clocks()
    with opened(folder, clock) as agent:
        incident = reported(agent)
        keep_clocks(agent, agent.now())
        longest = clock.seconds
        for move, minutes in moves:
            if move == "sleep":
                clock.sleep(minutes=minutes)
            elif move == "set":
                clock.set_wall(minutes=minutes)
            elif move == "reboot":
                clock.reboot(minutes=minutes)
            keep_clocks(agent, agent.now())
        names = given_steps(agent, incident)
        assert len(names) == len(set(names)), "given twice"
        must = wanted_by(agent, incidents(agent).get(incident.id), agent.now())
        assert must <= rings_given(agent, incident.id), "missed"
        assert {tuple(name.split(":")) for name in names} == rings_given(agent, incident.id)
        assert longest <= clock.seconds or clock.boot != "a"


def test_after_hours_without_anything_running_what_was_missed_is_given_late_in_one_message_and_says_so(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        incident = reported(agent)
        keep_clocks(agent, agent.now())
        before = {delivery.id for delivery in deliveries(agent, incident.id)}
        clock.sleep(hours=5)
        keep_clocks(agent, agent.now())
        late = [step for step in agent.timelines.steps(incident.id) if step.act == "law.reminded_late"]
        assert [step.details["rung"] for step in late] == [1]
        sent = [delivery for delivery in deliveries(agent, incident.id) if delivery.id not in before]
        texts = [delivery.text for delivery in sent if delivery.person == "王测试"]
        assert len(texts) == len({delivery.channel for delivery in sent if delivery.person == "王测试"})
        assert all("迟发" in text for text in texts)
        again = len(deliveries(agent, incident.id))
        keep_clocks(agent, agent.now())
        assert len(deliveries(agent, incident.id)) == again


def test_a_reminder_on_time_is_not_called_late(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        incident = reported(agent, discovered_at=FOUND - timedelta(hours=6))
        for _ in range(3):
            keep_clocks(agent, agent.now())
            clock.sleep(seconds=30)
        assert not [step for step in agent.timelines.steps(incident.id) if step.act == "law.reminded_late"]


def test_an_escalation_reaches_substitutes_then_the_leader(tmp_path):
    with opened(tmp_path) as agent:
        incident = reported(agent)
        due = [clock for clock in known_clocks(agent, incident, FOUND) if clock.key == "cn-pipl/art-57"]
        assert audience(agent, due, 0) == ["王测试"]
        assert audience(agent, due, 1) == ["王测试", "赵测试", "李样例"]
    with opened(tmp_path / "two", people=[{"name": "店长样例", "roles": ["store_manager"]}]) as agent:
        incident = reported(agent)
        due = known_clocks(agent, incident, FOUND)
        assert "legal" in audience(agent, due, 2), (
            "nobody holds a role: the role itself is told, and shows as unreached"
        )


def test_what_is_done_and_what_was_a_false_alarm_rings_no_more(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        one, two = reported(agent), reported(agent)
        keep_clocks(agent, agent.now())
        duties.submit(agent, one.id, "王测试", Handed(duty="cn-pipl/art-57", at=FOUND, channel="12387 电话"))
        incidents(agent).change(two.id, phase="dismissed", closed_at=agent.now())
        clock.sleep(hours=30)
        keep_clocks(agent, agent.now())
        assert {ring for key, ring in rings_given(agent, one.id) if key == "cn-pipl/art-57"} == {"start"}
        assert {ring for _key, ring in rings_given(agent, two.id)} == {"start"}


def test_one_incident_that_cannot_be_reminded_keeps_no_other_from_it(tmp_path):
    with opened(tmp_path) as agent:
        broken, whole = reported(agent), reported(agent)
        agent.timelines.path(broken.id).write_bytes(b"no step\n")
        keep_clocks(agent, agent.now())
        assert rings_given(agent, whole.id)
        assert not rings_given(agent, broken.id)


def test_a_reminder_carries_the_zone_of_the_store_the_flag_and_no_value(tmp_path):
    with opened(tmp_path, store={**STORE, "timezone": "Asia/Tokyo"}) as agent:
        incident = reported(agent, summary="顾客 13800001111 投诉")
        remind(agent, incident, agent.now())
        (text,) = {delivery.text for delivery in deliveries(agent, incident.id) if "时限提醒" in delivery.subject}
        assert "UTC+09:00" in text
        assert "未核实" in text
        assert "13800001111" not in text
        assert "不构成法律意见" in text
