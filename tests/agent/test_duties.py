"""What is due, in whose name, to which office; reminders once each; clocks that jump; what is handed in."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.incident import duties
from agent.incident.clocks import Circumstances, Demand, clock_of, clocks
from agent.incident.course import Course
from agent.incident.duties import Handed, duties_of, known_clocks
from agent.incident.entities import concerned, load_offices, office_of, province_named
from agent.incident.grading import grade_of
from agent.incident.jumps import judged, observe
from agent.incident.law import FIELDS, load_regimes, parse_regime, standing_about
from agent.incident.law_operations import list_law
from agent.incident.records import Affected, Incident
from agent.incident.reminders import audience, keep_clocks, remind, rings_given
from agent.incident.rings import load_schedule, rings
from agent.incident.standing import keep_standing, record_done, standing_duties
from agent.incident.store import incidents
from agent.incident.workdays import Calendar, after_working_days, is_working, load_calendars
from agent.messages import deliveries
from agent.operation import Caller, Request
from agent.steady import Beat, kernel_beat
from agent.wiring import build_agent
from config.errors import UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import LANGUAGES, load_packs

DAY = datetime  # hypothesis wants bounds without a zone
FOUND = datetime(2026, 11, 23, 3, 58, tzinfo=UTC)
PEOPLE = [
    {"name": "王测试", "roles": ["legal"], "email": "wang@example.com", "substitute": "赵测试"},
    {"name": "赵测试", "roles": ["department_head"], "email": "zhao@example.com"},
    {"name": "李样例", "roles": ["response_lead", "security_lead"], "email": "li@example.com"},
]
STORE = {"name": "测试门店", "legal_entity": "91310000TEXTCARD01", "province": "上海"}


@dataclass
class Clocks:
    """A wall clock and the count beside it, each moved as a test likes."""

    wall: datetime = FOUND
    seconds: float = 1000.0
    boot: str = "a"
    jumped: list = field(default_factory=list)

    def now(self):
        return self.wall

    def beat(self):
        return Beat(boot=self.boot, seconds=self.seconds)

    def sleep(self, **span):
        """Time goes by."""
        self.wall += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()

    def set_wall(self, **span):
        """Somebody sets the clock."""
        self.wall += timedelta(**span)

    def reboot(self, **off):
        self.wall += timedelta(**off)
        self.boot, self.seconds = self.boot + "x", 3.0


@contextmanager
def opened(tmp_path, clock=None, **changes):
    clock = clock or Clocks()
    home = find_home(tmp_path / "home")
    home.create()
    values = {"store": STORE, "people": PEOPLE, "senders": {"mode": "record"}, **changes}
    with build_agent(home, Settings.model_validate(values), now=clock.now, steady=clock.beat) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def reported(agent, **changes):
    """A reported incident as it is stored, without the documents that a report writes."""
    now = agent.now()
    values = {"phase": "reported", "scope": None, "discovered_at": now, "reported_at": now, "declared_at": None,
              "summary": "有人在拷贝会员名单", "files": 0, "persons": 0}  # fmt: skip
    values = {**values, **changes, "summary": agent.mask(changes.get("summary", values["summary"]))}
    incident = incidents(agent).add(an_incident(**values), now)
    Course(agent, incident.id, "王测试").record("report")
    return incidents(agent).get(incident.id)


def an_incident(**changes):
    values = {
        "id": "I20261123-1a2b", "kind": "insider", "phase": "responding", "machine": False, "summary": "x",
        "place": "", "types": (), "by": "王测试", "scope": "named", "discovered_at": FOUND, "occurred_at": None,
        "reported_at": None, "declared_at": FOUND + timedelta(hours=3), "handling_ended_at": None,
        "closed_at": None, "files": 1, "persons": 10,
    }  # fmt: skip
    return Incident(**{**values, **changes})


def clock_named(found, key):
    return next(clock for clock in found if clock.key == key)


# Regimes as data.


def test_every_duty_has_contents_a_channel_and_an_authority_in_both_languages_and_asks_for_known_fields():
    packs = load_packs()
    for regime in load_regimes():
        assert regime.source
        assert regime.date
        for duty in regime.duties:
            assert duty.contents, duty.id
            for language in LANGUAGES:
                assert all((duty.authority[language], duty.channel[language], duty.title[language]))
                assert all(content[language] for content in duty.contents)
            assert {name for content in duty.contents for name in content.fields} <= set(FIELDS)
    for name in FIELDS:
        assert set(packs[f"law.field_{name}"]) == set(LANGUAGES)


def test_the_regimes_of_the_facts_are_all_there_with_their_flags():
    flags = {
        f"{regime.id}/{duty.id}": duty.verified
        for regime in load_regimes()
        for duty in (*regime.duties, *regime.standing)
    }
    verified = {
        "the-plan/report-48h", "cn-pipl/art-57", "cn-pipl/art-57-persons", "cn-pipl/art-55", "cn-network-data/art-11",
        "cn-incident-reporting/province-4h", "cn-incident-reporting/critical-1h", "cn-incident-reporting/summary-30d",
        "cn-incident-reporting/police", "cn-audit/every-2-years", "pci-dss/brands", "pci-dss/unexpected-card-data",
        "pci-dss/plan-test", "eu-gdpr/art-33",
    }  # fmt: skip
    unverified = {
        "cn-audit/after-incident", "cn-csl/logs", "cn-officer/filing", "cn-faces/filing", "cn-video/recordings",
        "cn-data-security/art-29", "eu-gdpr/art-34", "pci-dss/logs", "cn-incident-reporting/vendors-by-contract",
    }  # fmt: skip
    assert all(flags[key] for key in verified)
    assert not any(flags[key] for key in unverified)
    province = next(duty for regime in load_regimes() for duty in regime.duties if duty.id == "province-4h")
    assert [content.first for content in province.contents] == [True, True] + [False] * 6
    assert not province.contents_verified


def test_no_text_below_a_threshold_says_that_no_report_is_needed():
    for key, versions in load_packs().items():
        if key.startswith(("law.", "reports.", "incident.clock")):
            assert not any(word in versions["zh-CN"] for word in ("无需报告", "不用报告", "不需报告")), key
            assert "no report needed" not in versions["en"].lower(), key


def test_a_bound_is_inclusive_and_sensitive_persons_are_counted_apart():
    def state(**changes):
        found = clocks(an_incident(**changes), FOUND)
        return clock_named(found, "cn-audit/after-incident").state

    assert state(persons=100_000, sensitive=99_999) == "below_threshold"
    assert state(persons=100_000, sensitive=100_000) == "waiting"
    assert state(persons=1_000_000, sensitive=0) == "waiting"
    assert state(persons=100_000, sensitive=None) == "waiting", "not counted yet: it may be all of them"


def test_card_data_brings_its_duties_and_nothing_else_does():
    def keys(**changes):
        return {clock.key for clock in clocks(an_incident(**changes), FOUND)}

    assert not any(key.startswith("pci-dss") for key in keys(types=("PHONE_NUMBER",)))
    assert {"pci-dss/brands", "pci-dss/unexpected-card-data"} <= keys(types=("CREDIT_CARD",))


def test_the_lawyer_grades_up_by_hand_or_by_loss_and_never_down():
    grades = next(regime.grades for regime in load_regimes() if regime.grades)
    assert grade_of(grades, an_incident()) is None
    assert grade_of(grades, an_incident(law_by_hand="major")).by == "hand"
    assert grade_of(grades, an_incident(loss_cny=5_000_000)).grade.id == "larger"
    assert not grade_of(grades, an_incident(loss_cny=5_000_000)).verified
    both = grade_of(grades, an_incident(persons=10_000_000, law_by_hand="larger"))
    assert (both.grade.id, both.exact) == ("major", False)
    assert clock_named(clocks(an_incident(law_by_hand="larger"), FOUND), "cn-incident-reporting/province-4h").deadline


def test_the_4_hours_run_from_the_earlier_of_discovery_and_learning():
    later = FOUND + timedelta(hours=1)
    found = clocks(an_incident(reported_at=later, persons=2_000_000), later)
    assert clock_named(found, "cn-incident-reporting/province-4h").deadline == FOUND + timedelta(hours=4)


def test_an_order_of_an_authority_starts_a_clock_and_ends_it_at_the_day_it_names():
    at, due = FOUND + timedelta(days=2), FOUND + timedelta(days=9)
    circumstances = Circumstances(ordered={"cn-audit/after-incident": Demand(at=at, due=due)})
    found = clock_named(clocks(an_incident(), at, circumstances=circumstances), "cn-audit/after-incident")
    assert (found.state, found.start, found.deadline) == ("running", at, due)


def test_two_deadlines_or_one_id_twice_are_refused():
    duty = """
        [[duties]]
        id = "d"
        title = { zh-CN = "a", en = "a" }
        authority = { zh-CN = "a", en = "a" }
        channel = { zh-CN = "a", en = "a" }
        start = "learned_at"
        verified = true
        contents = []
        """
    head = 'name = { zh-CN = "法", en = "Law" }\nsource = "s"\ndate = "2027-01-01"\n'
    assert parse_regime("xx", head + duty)
    with pytest.raises(ValueError, match="exclude"):
        parse_regime("xx", head + duty + "hours = 1\nworking_days = 1\n")
    with pytest.raises(ValueError, match="twice"):
        parse_regime("xx", head + duty + duty)


def test_a_new_regime_with_conditions_and_working_days_needs_no_code():
    regime = parse_regime(
        "xx-new",
        """
        name = { zh-CN = "新法", en = "New law" }
        source = "art. 1"
        date = "2027-01-01"
        zone = "Asia/Shanghai"
        [[duties]]
        id = "tell"
        title = { zh-CN = "报告", en = "Tell" }
        start = "learned_at"
        working_days = 3
        when = { kinds = ["vendor"], sensitive = 5 }
        authority = { zh-CN = "某部门", en = "Somebody" }
        channel = { zh-CN = "信函", en = "Letter" }
        verified = true
        contents = [{ zh-CN = "原因", en = "Cause", fields = ["cause"] }]
        """,
    )
    learned = datetime(2026, 9, 30, 2, 0, tzinfo=UTC)
    incident = an_incident(kind="vendor", sensitive=5, discovered_at=learned, declared_at=learned)
    (found,) = clocks(incident, learned, [regime])
    assert found.deadline == datetime(2026, 10, 10, 16, 0, tzinfo=UTC), (
        "8 and 9 October, and Saturday the 10th is worked"
    )
    assert found.state == "running"
    assert not clocks(an_incident(kind="insider", sensitive=5), learned, [regime])


# Working days.


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


# Zones.


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


# Reminders.


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


# Jumps.


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


# In whose name.


TWO = [
    {"name": "样例品牌管理有限公司", "code": "91310000TEXTCARD02", "province": "广东省", "data": ["/srv/brand"],
     "contact": "王测试 138 0000 0001"},
    {"name": "样例餐饮有限公司", "code": "91310000TEXTCARD03", "province": "浙江"},
]  # fmt: skip


def touching(agent, incident, *paths):
    incidents(agent).set_items(
        incident.id,
        [
            Affected(
                key=f"k{number}", path=path.encode(), name=path, persons=10 * (number + 1), types=("PHONE_NUMBER",)
            )
            for number, path in enumerate(paths)
        ],
    )
    return incidents(agent).get(incident.id)


def test_two_legal_entities_each_report_in_their_own_name_to_their_own_province(tmp_path):
    with opened(tmp_path, entities=TWO) as agent:
        incident = touching(agent, reported(agent), "/srv/brand/会员.csv", "/srv/other/预订.csv", "/srv/brandy/x.csv")
        ones = concerned(agent, incident)
        assert [(one.entity.name, one.files, one.persons) for one in ones] == [
            ("样例餐饮有限公司", 2, 50), ("样例品牌管理有限公司", 1, 10),
        ]  # fmt: skip
        states = [state for state in duties_of(agent, incident, agent.now()) if state.clock.key == "cn-pipl/art-57"]
        assert {(state.one.entity.name, state.office["zh-CN"]) for state in states} == {
            ("样例餐饮有限公司", "浙江省互联网信息办公室"), ("样例品牌管理有限公司", "广东省互联网信息办公室"),
        }  # fmt: skip
        with pytest.raises(UsageError, match="样例品牌"):
            duties.submit(agent, incident.id, "王测试", Handed(duty="art-57", at=FOUND, channel="网站"))
        for name in ("样例餐饮有限公司", "91310000TEXTCARD02"):
            known = clock_named(known_clocks(agent, incident, agent.now()), "cn-pipl/art-57")
            assert known.state == "running"
            duties.submit(agent, incident.id, "王测试", Handed(duty="art-57", at=FOUND, channel="网站", entity=name))
        assert clock_named(known_clocks(agent, incident, agent.now()), "cn-pipl/art-57").state == "submitted"


def test_a_province_is_known_by_its_short_its_full_and_its_english_name_and_nothing_else():
    assert province_named("上海") == province_named("上海市") == province_named("shanghai")
    assert province_named("新疆") is None, "two offices begin so: people say which"
    assert province_named("新疆维吾尔自治区") is not None
    assert province_named("") is province_named("某地") is province_named("河") is None
    assert len(load_offices().provinces) == 32
    assert not load_offices().verified


def test_an_unknown_province_is_told_in_the_words_of_the_law(tmp_path):
    with opened(tmp_path, store={"name": "测试门店"}) as agent:
        incident = reported(agent)
        state = next(state for state in duties_of(agent, incident, FOUND) if state.clock.key == "cn-pipl/art-57")
        assert state.office == state.clock.duty.authority
        assert "统一社会信用代码" in state.missing
        assert office_of(state.clock.duty, state.one.entity) == state.clock.duty.authority


# Handing in.


def test_a_submission_stops_its_clock_stands_on_the_timeline_and_says_if_it_was_late(tmp_path):
    clock = Clocks()
    with opened(tmp_path, clock) as agent:
        incident = reported(agent)
        incidents(agent).change(incident.id, law_by_hand="larger")
        clock.sleep(hours=6)
        at = FOUND + timedelta(hours=5)
        handed = Handed(duty="province-4h", at=at, channel="12387 电话", receipt="AR-0042", to="")
        found = duties.submit(agent, incident.id, "王测试", handed)
        assert found.to == "上海市互联网信息办公室"
        incident = incidents(agent).get(incident.id)
        stopped = clock_named(known_clocks(agent, incident, agent.now()), "cn-incident-reporting/province-4h")
        assert (stopped.state, stopped.elapsed, stopped.was_late) == ("submitted", timedelta(hours=5), True)
        (step,) = [step for step in incident.steps if step.act == "law.submitted"]
        assert (step.details["receipt"], step.details["channel"]) == ("AR-0042", "12387 电话")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"duty": "art-99"}, "art-99"), ({"channel": " "}, "--channel"), ({"at": FOUND - timedelta(hours=1)}, "--at"),
     ({"entity": "别家"}, "--entity"), ({"duty": ""}, "义务")],
)  # fmt: skip
def test_a_submission_that_cannot_be_is_refused_and_nothing_is_kept(tmp_path, change, words):
    with opened(tmp_path) as agent:
        incident = reported(agent)
        with pytest.raises(UsageError, match=words):
            duties.submit(
                agent, incident.id, "王测试", Handed(**{"duty": "art-57", "at": FOUND, "channel": "网站", **change})
            )
        assert not duties.submissions_of(agent, incident.id)


def test_an_order_of_an_authority_is_recorded_and_its_clock_runs(tmp_path):
    with opened(tmp_path) as agent:
        incident = reported(agent)
        due = FOUND + timedelta(days=10)
        duties.demand(agent, incident.id, "王测试", "after-incident", Demand(at=FOUND, due=due), "请外部审计")
        found = clock_named(known_clocks(agent, incident, FOUND), "cn-audit/after-incident")
        assert (found.state, found.deadline) == ("running", due)
        with pytest.raises(UsageError, match="--due"):
            duties.demand(agent, incident.id, "王测试", "after-incident", Demand(at=due, due=FOUND), "")


def test_what_people_fill_in_is_masked_kept_with_its_history_and_can_be_taken_back(tmp_path):
    with opened(tmp_path) as agent:
        incident = reported(agent)
        duties.fill(agent, incident.id, "王测试", "trend", "来电 13800001111 称仍在扩散")
        assert "13800001111" not in duties.facts_of(agent, incident.id)["trend"]
        duties.fill(agent, incident.id, "王测试", "trend", "")
        assert "trend" not in duties.facts_of(agent, incident.id)
        assert [step.act for step in agent.timelines.steps(incident.id)].count("law.filled") == 2
        assert b"13800001111" not in agent.timelines.path(incident.id).read_bytes()
        for field_name in ("nothing", "contact"):
            with pytest.raises(UsageError):
                duties.fill(agent, incident.id, "王测试", field_name, "x")


# Standing duties.


def scanned(agent, persons):
    """A scan that met so many persons."""
    agent.inventory.begin_run([b"/srv"], at=agent.now(), recipe="").finish(at=agent.now(), persons=persons)


def test_logs_are_kept_for_the_longest_time_that_any_regime_asks():
    days = {f"{regime.id}/{duty.id}": duty.days for regime, duty in standing_about("logs")}
    assert days == {"cn-csl/logs": 186, "pci-dss/logs": 372}
    ((_regime, reports),) = standing_about("assessments")
    assert reports.days >= 3 * 365
    ((_regime, video),) = standing_about("video")
    assert video.days == 30


def test_the_reports_are_done_and_the_declared_drill_year_is_no_longer_than_a_year():
    assert {duty.days for _regime, duty in standing_about("drill")} == {365}


def test_a_declared_incident_with_all_of_the_data_and_one_with_none(tmp_path):
    with opened(tmp_path) as agent:
        none = reported(agent, kind="sold_online")
        everything = touching(agent, reported(agent), *(f"/srv/{number}.csv" for number in range(300)))
        for incident in (incidents(agent).get(none.id), everything):
            states = duties_of(agent, incident, agent.now())
            assert all(state.missing for state in states if state.clock.key == "cn-pipl/art-57")
            for state in states:
                json.dumps(state.document(wording(agent)), ensure_ascii=False)


def wording(agent):
    from agent.incident.view import wording_of

    return wording_of(agent)


def test_a_reminder_carries_the_zone_of_the_store_the_flag_and_no_value(tmp_path):
    with opened(tmp_path, store={**STORE, "timezone": "Asia/Tokyo"}) as agent:
        incident = reported(agent, summary="顾客 13800001111 投诉")
        remind(agent, incident, agent.now())
        (text,) = {delivery.text for delivery in deliveries(agent, incident.id) if "时限提醒" in delivery.subject}
        assert "UTC+09:00" in text
        assert "未核实" in text
        assert "13800001111" not in text
        assert "不构成法律意见" in text


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


def test_the_law_is_listed_with_its_flags(tmp_path):
    with opened(tmp_path) as agent:
        request = Request(arguments={}, caller=Caller(uid=0, gid=0, pid=1, user="root", is_owner=True))
        document = list_law(agent, request).document
        assert {regime["id"] for regime in document["regimes"]} == {regime.id for regime in load_regimes()}
        assert all(regime["source"] and regime["date"] for regime in document["regimes"])
        assert {calendar["year"]: calendar["verified"] for calendar in document["calendars"]} == {
            2026: True,
            2027: False,
        }
