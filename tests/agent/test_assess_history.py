"""Assessments are kept and compared, made once a week, and told in a report and a picture."""

from __future__ import annotations

import json
from datetime import timedelta

from assess_shop import PLANTED, Guarding, a_bare_machine, a_home, a_share, call, inventoried, opened  # noqa: F401
from shops import NOW

from agent.assess.picture import as_svg
from agent.assess.records import RISKS
from agent.assess.report import AssessmentReport
from agent.assess.store import AssessmentStore
from agent.incident.wording import Wording
from config.text import LANGUAGES, Text


def test_an_assessment_is_kept_on_record_and_compared_with_the_last(home, bare_machine):
    with opened(home) as agent:
        first = call(agent, "assess.run")
        assert (first["previous"], first["number"]) == (None, 1)
        assert len(first["next"]) == 5
        call(agent, "assess.attest", subject="restore", by="王测试")
        second = call(agent, "assess.run")
        assert second["previous"]["measures"]["restore_test"]["points"] == 0
        assert next(one for one in second["measures"] if one["id"] == "restore_test")["points"] == 4
        assert second["score"] > first["score"]
        rows = call(agent, "assess.history")["assessments"]
        assert [row["number"] for row in rows] == [2, 1]
        recorded = [json.loads(line) for line in home.audit_log.read_bytes().splitlines()]
        digests = [entry["details"]["sha256"] for entry in recorded if entry["act"] == "assess.run"]
        assert digests == [first["sha256"], second["sha256"]]
        assert call(agent, "assess.run", dry_run=True)["number"] is None
        assert len(AssessmentStore(agent.inventory.sessions).assessments()) == 2


def test_the_report_says_everything_in_both_languages_and_no_value_gets_into_it(home, share, bare_machine):
    (share / f"{PLANTED}.csv").write_text("x", encoding="utf-8")
    with opened(home) as agent:
        inventoried(agent, share, {f"{PLANTED}.csv": 999})
        answer = call(agent, "assess.run")
    assert PLANTED not in json.dumps(answer, ensure_ascii=False)
    from agent.incident.moments import zone_of

    for language in LANGUAGES:
        document = AssessmentReport(answer, None).build(Wording(Text(language), zone_of("Asia/Shanghai")))
        told = repr(document)
        for one in answer["measures"]:
            assert Text(language)(f"assess.measure_{one['id']}") in told
        for step in answer["next"]:
            assert step["command"] in told or repr(step["command"])[1:-1] in told
        assert PLANTED not in told


def test_the_picture_shows_each_risk_and_how_it_went():
    history = [
        {"at": (NOW - timedelta(days=30 * number)).isoformat(), "score": 50.0 - number} for number in range(3, -1, -1)
    ]
    svg = as_svg(Text("zh-CN"), 50.0, dict.fromkeys(RISKS, 40.0) | {"vendor": None}, history).decode()
    assert svg.count("<circle") == 4
    assert "第三方服务商" in svg
    assert 'width="280.0"' in svg  # half of a bar of 560


def test_the_daemon_assesses_once_a_week_and_a_single_command_does_not_stop_for_it(home, bare_machine):
    from agent.assess.regular import keep_assessing

    with opened(home) as agent:
        keep_assessing(agent, NOW)
        assert AssessmentStore(agent.inventory.sessions).assessments() == []
    for days, kept in ((0, 1), (6, 1), (8, 2), (-30, 3)):
        now = NOW + timedelta(days=days)
        with opened(home, watch=Guarding(), now=now) as agent:
            keep_assessing(agent, now)
            found = AssessmentStore(agent.inventory.sessions).assessments()
            assert (len(found), found[0].actor) == (kept, "cloche")


def test_a_regular_assessment_waits_while_the_store_trades_but_not_for_ever(home, bare_machine):
    from agent.assess.regular import keep_assessing

    noon = NOW.replace(hour=4, minute=0)  # 12:00 in the store
    trading = {"store": {"trading_hours": ["10:00-22:00"]}}
    for days, hours, kept in ((0, 0, 1), (8, 0, 1), (8, 12, 2), (16, 12, 3), (31, 0, 4)):
        now = noon + timedelta(days=days, hours=hours)
        with opened(home, watch=Guarding(), now=now, **trading) as agent:
            keep_assessing(agent, now)
            assert len(AssessmentStore(agent.inventory.sessions).assessments()) == kept, (days, hours)
