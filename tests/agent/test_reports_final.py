"""The report after the event: what it names, who approves it, its improvements, and how fast it is drafted."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from reports_shop import FOUND, PLANTED, QUICK, ended, in_, opened, stored, words_of
from shops import Clock

from agent.approvals import approve as give_word
from agent.incident import duties
from agent.incident.duties import Handed, known_clocks
from agent.incident.records import Incident, Step
from agent.incident.store import incidents
from agent.reports import final
from agent.reports.dossier import gather
from agent.reports.final_document import SHOWN_STEPS, FinalReport, shortened
from agent.reports.improvements import add_improvement, change_improvement, improvements_of
from agent.reports.improvements import remind as remind_of_improvements
from agent.watch.api import AccessEvent
from config.errors import RefusedError, UsageError
from config.text import LANGUAGES


def completed(agent, incident):
    """Everything that the report asks for."""
    incidents(agent).change(incident.id, counted_at=agent.now(), sensitive=0, virtual=0)
    duties.fill(agent, incident.id, "王测试", "cause", "口令外泄")
    duties.fill(agent, incident.id, "王测试", "responsibility", "信息技术部未及时收回账号")
    add_improvement(agent, incident.id, "王测试", "收回离职账号", "李样例", date(2026, 12, 31))
    return ended(agent, incident)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_names_course_results_impact_responsibility_and_improvements(tmp_path, language):
    with opened(tmp_path) as agent:
        incident = completed(agent, stored(agent))
        duties.submit(agent, incident.id, "王测试", Handed(duty="art-57", at=FOUND, channel="12387", receipt="AR-7"))
        dossier = gather(agent, incidents(agent).get(incident.id), agent.now())
        report = FinalReport(dossier, in_(language, agent))
        assert report.gaps == ()
        said = words_of(report.build(1))
        for part in (
            "口令外泄",
            "信息技术部未及时收回账号",
            "收回离职账号",
            "李样例",
            "2026-12-31",
            "AR-7",
            "/srv/会员.csv",
        ):
            assert part in said, part
        assert in_(language, agent).text("reports.no_missing") in said


def test_what_the_report_lacks_stands_out_and_is_listed(tmp_path):
    with opened(tmp_path) as agent:
        report = FinalReport(gather(agent, stored(agent), agent.now()), in_("zh-CN", agent))
        assert set(report.gaps) == {"处理结果", "原因", "责任认定", "改进措施", "逐人核实的人数"}
        said = words_of(report.build(1))
        assert all(f"【待补充】{gap}" in said for gap in report.gaps)


def test_the_report_is_commented_approved_and_submitted_and_only_the_approved_version_goes(tmp_path):
    wall = Clock(FOUND)
    with opened(tmp_path, wall) as agent:
        incident = completed(agent, stored(agent))
        handed = Handed(duty="", at=agent.now(), channel="书面", to="信息安全管理小组")
        with pytest.raises(UsageError, match=r"final .* draft"):
            final.approve(agent, incident.id, "root")
        first = final.draft(agent, incident.id, "root", QUICK)
        assert {path.rsplit(".", 1)[1] for path in first.files} >= {"html", "docx"}
        final.comment(agent, incident.id, "李样例", f"补上来电 {PLANTED}")
        assert PLANTED not in final.comments_of(agent, incident.id)[0].text
        with pytest.raises(RefusedError, match="approve"):
            final.hand_in(agent, incident.id, "root", handed)
        with pytest.raises(RefusedError, match="王测试"):
            final.approve(agent, incident.id, "root")
        give_word(agent, final.subject_of(incident.id), agent.people.named("王测试"), "code")
        final.approve(agent, incident.id, "root")
        second = final.draft(agent, incident.id, "root", QUICK)
        with pytest.raises(RefusedError, match="approve"):
            final.hand_in(agent, incident.id, "root", handed)
        assert not final.is_submitted(agent, incident.id)
        final.approve(agent, incident.id, "lawyer")
        final.hand_in(agent, incident.id, "root", handed)
        assert final.is_submitted(agent, incident.id)
        clock = next(
            clock for clock in known_clocks(agent, incidents(agent).get(incident.id), agent.now())
            if clock.key == final.DUTY
        )  # fmt: skip
        assert (clock.state, clock.was_late) == ("submitted", False)
        assert [entry.version for entry in final.versions_of(agent, incident.id)] == [first.version, second.version]
        acts = [step.act for step in agent.timelines.steps(incident.id)]
        assert acts.count("reports.drafted") == 2
        assert "law.submitted" in acts


def test_a_report_with_gaps_goes_only_with_a_reason_and_none_goes_before_the_end(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        final.draft(agent, incident.id, "root", QUICK)
        final.approve(agent, incident.id, "lawyer")
        handed = Handed(duty="", at=agent.now(), channel="书面")
        with pytest.raises(UsageError, match="处理结束"):
            final.hand_in(agent, incident.id, "root", handed)
        ended(agent, incident)
        with pytest.raises(RefusedError, match="责任认定"):
            final.hand_in(agent, incident.id, "root", handed)
        final.hand_in(agent, incident.id, "root", handed, incomplete="调查仍在进行，先行提交")
        (step,) = [step for step in agent.timelines.steps(incident.id) if step.act == "reports.incomplete"]
        assert step.details["reason_given"] == "调查仍在进行，先行提交"


def test_a_document_that_was_changed_after_drafting_can_be_neither_approved_nor_submitted(tmp_path):
    with opened(tmp_path) as agent:
        incident = ended(agent, stored(agent))
        version = final.draft(agent, incident.id, "root", QUICK)
        with open(version.files[0], "ab") as file:
            file.write(b" ")
        with pytest.raises(UsageError, match="changed"):
            final.approve(agent, incident.id, "lawyer")


def test_once_handling_has_ended_a_draft_lies_ready(tmp_path):
    with opened(tmp_path) as agent:
        open_one, over = stored(agent), ended(agent, stored(agent))
        final.keep_final(agent, agent.now())
        final.keep_final(agent, agent.now())
        assert not final.versions_of(agent, open_one.id)
        assert len(final.versions_of(agent, over.id)) == 1


def test_whoever_owns_an_improvement_is_reminded_three_times_and_the_leaders_once_it_is_late(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        add_improvement(agent, incident.id, "王测试", "甲项", "王测试", date(2026, 12, 1))
        for day in (20, 23, 24, 24):
            remind_of_improvements(agent, datetime(2026, 11, day, 4, tzinfo=UTC))
        for day in (1, 2, 8, 9):
            remind_of_improvements(agent, datetime(2026, 12, day, 4, tzinfo=UTC))
        steps = [s for s in agent.timelines.steps(incident.id) if s.act == "reports.improvement_reminded"]
        assert [step.details["stage"] for step in steps] == [1, 2, 3]
        assert [step.details["people"] for step in steps] == ["王测试", "王测试", "王测试、李样例"]


def test_improvements_have_an_owner_and_a_date_and_are_done_or_dropped(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        for what in ("甲项", "乙项", "丙项"):
            add_improvement(agent, incident.id, "王测试", what, "李样例", date(2026, 12, 1))
        change_improvement(agent, incident.id, "王测试", 1, "done")
        change_improvement(agent, incident.id, "王测试", 2, "drop")
        assert [(entry.number, bool(entry.done_at)) for entry in improvements_of(agent, incident.id)] == [
            (1, True), (3, False),
        ]  # fmt: skip
        with pytest.raises(UsageError, match="2"):
            change_improvement(agent, incident.id, "王测试", 2, "done")
        with pytest.raises(UsageError, match="--owner"):
            add_improvement(agent, incident.id, "王测试", "丁项", " ", date(2026, 12, 1))


def test_a_long_timeline_is_shortened_and_every_failure_kept(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        steps = [
            Step(time=FOUND + timedelta(seconds=number), act="alerts", actor="x", ok=number != 5000,
                 details={"count": number, "reason": "磁盘已满"})
            for number in range(10_000)
        ]  # fmt: skip
        whole = Incident(**{**{name: getattr(incident, name) for name in Incident.__dataclass_fields__},
                            "steps": tuple(steps)})  # fmt: skip
        report = FinalReport(gather(agent, whole, agent.now()), in_("zh-CN", agent))
        said = words_of(report.build(1))
        assert "磁盘已满" in said
        assert f"另有 {10_000 - len(shortened(whole.steps))} 条" in said
        assert len(shortened(whole.steps)) <= SHOWN_STEPS


def many_events(agent, count):
    """So many reads of the affected file, by ten sessions, copied from one that went the usual way."""
    start = FOUND.timestamp()
    first = AccessEvent(
        at=start, monotonic_ns=1, key="k", path=b"/srv/a.csv", operation="read", uid=1000, user="cashier",
        session="audit:1", program=b"/usr/bin/tar", command=b"tar c", decision="allow",
    )  # fmt: skip
    agent.events.add(first, agent.mask)
    with closing(sqlite3.connect(agent.home.events_db)) as database, database:
        (names,) = [
            [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table' AND name='events'")
        ]
        changed = {"id": None, "number": None, "at": "events.at - n.i / 10.0", "session": "'audit:' || (n.i % 10)"}
        copied = [name for name in names if changed.get(name, name) is not None]
        picked = ", ".join(changed.get(name) or f"events.{name}" for name in copied)
        database.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1}) "  # noqa: S608
            f"INSERT INTO events ({', '.join(copied)}) SELECT {picked} FROM events, n WHERE events.rowid = 1"
        )


def test_the_report_of_an_incident_with_100_000_events_is_drafted_within_30_seconds(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        many_events(agent, 100_000)
        begun = time.monotonic()
        drafted = final.draft(agent, incident.id, "root")
        assert time.monotonic() - begun < 30
        page = next(Path(path).read_text(encoding="utf-8") for path in drafted.files if path.endswith("zh-CN.html"))
        assert "cashier" in page
