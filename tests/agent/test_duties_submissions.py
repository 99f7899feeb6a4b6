"""In whose name and to which office a duty is met, and what is handed in."""

import json
from datetime import timedelta

import pytest
from duty_shop import FOUND, Clocks, clock_named, opened, reported, touching

from agent.incident import duties
from agent.incident.clocks import Demand
from agent.incident.duties import Handed, duties_of, known_clocks
from agent.incident.entities import concerned, load_offices, office_of, province_named
from agent.incident.store import incidents
from config.errors import UsageError

TWO = [
    {"name": "样例品牌管理有限公司", "code": "91310000TEXTCARD02", "province": "广东省", "data": ["/srv/brand"],
     "contact": "王测试 138 0000 0001"},
    {"name": "样例餐饮有限公司", "code": "91310000TEXTCARD03", "province": "浙江"},
]  # fmt: skip


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
