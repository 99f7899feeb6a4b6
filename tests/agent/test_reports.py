"""Drafts for authorities, the report after the event, the package for the police, the page to read aloud."""

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent.approvals import approve as give_word
from agent.documents.model import Bullets, Facts, Paragraph, Table
from agent.incident import duties
from agent.incident.course import Course
from agent.incident.declare import Declaration, declare
from agent.incident.duties import Handed, known_clocks
from agent.incident.law import load_regimes
from agent.incident.moments import zone_of
from agent.incident.records import Affected, Incident, Step
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.keeper import tick
from agent.logistics.state import logistics_of
from agent.operation import Caller, Request
from agent.reports import final, operations
from agent.reports.dossier import gather
from agent.reports.draft import Form, forms
from agent.reports.drafting import keep_drafts, write_drafts
from agent.reports.fields import Fields
from agent.reports.final_document import SHOWN_STEPS, FinalReport, shortened
from agent.reports.improvements import add_improvement, change_improvement, improvements_of
from agent.reports.improvements import remind as remind_of_improvements
from agent.reports.police import PoliceReport, make_package
from agent.reports.summary import summary_lines
from agent.watch.api import AccessEvent
from agent.wiring import build_agent
from config.errors import ExitCode, RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import LANGUAGES, Text
from scanners.identity import Identities
from scanners.records import Finding, Item

FOUND = datetime(2026, 11, 23, 3, 58, tzinfo=UTC)
PLANTED = "13800001111"
QUICK = ("html", "docx")
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
LAWYER = Caller(uid=1001, gid=1001, pid=1, user="lawyer", roles=frozenset({"legal"}))
CASHIER = Caller(uid=1002, gid=1002, pid=1, user="cashier", roles=frozenset({"customer_service"}))
STRANGER = Caller(uid=1003, gid=1003, pid=1, user="waiter")
SETTINGS = {
    "store": {"name": "测试门店", "legal_entity": "91310000TEXTCARD01", "province": "上海"},
    "people": [
        {"name": "王测试", "roles": ["legal", "privacy_officer"], "user": "lawyer", "contact": "138 0000 0000"},
        {"name": "李样例", "roles": ["response_lead"], "user": "lead"},
    ],
    "senders": {"mode": "record"},
}  # fmt: skip


class Wall:
    """A clock that a test moves."""

    def __init__(self):
        self.at = FOUND

    def __call__(self):
        return self.at


@contextmanager
def opened(tmp_path, wall=None, **changes):
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings.model_validate({**SETTINGS, **changes}), now=wall or Wall()) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def stored(agent, **changes):
    """An incident as it is stored after a declaration, without the documents that a declaration writes."""
    values = {
        "id": "", "kind": "insider", "phase": "responding", "machine": False, "summary": "有人在拷贝会员名单",
        "place": "二楼办公室", "types": ("PHONE_NUMBER", "CREDIT_CARD"), "by": "王测试", "scope": "named",
        "discovered_at": agent.now(), "occurred_at": None, "reported_at": agent.now(), "declared_at": agent.now(),
        "handling_ended_at": None, "closed_at": None, "files": 1, "persons": 300,
    }  # fmt: skip
    incident = incidents(agent).add(Incident(**{**values, **changes}), agent.now())
    course = Course(agent, incident.id, "王测试")
    course.record("declare", scope="named", files=1, machine=False)
    course.record("deny", files=1, denied=1, tier="permission")
    if incident.files:
        item = Affected(key="k", path=b"/srv/a.csv", name="/srv/会员.csv", persons=300, types=("PHONE_NUMBER",),
                        state="vault", vault_id="v")  # fmt: skip
        incidents(agent).set_items(incident.id, [item])
    return incidents(agent).get(incident.id)


def ask(caller=OWNER, **arguments):
    return Request(arguments=arguments, caller=caller)


def words_of(document):
    """Everything that a document says."""
    found = [document.title, document.subtitle, document.lead, *document.notices, document.stamp, document.head]
    for block in document.blocks:
        match block:
            case Facts() | Table():
                found += [cell for row in (*([block.header] if isinstance(block, Table) else []), *block.rows)
                          for cell in row]  # fmt: skip
            case Bullets():
                found += block.items
            case Paragraph():
                found.append(block.text)
            case _:
                found.append(getattr(block, "text", ""))
    return "\n".join(found)


def in_(language, agent):
    return Wording(Text(language), zone_of(agent.settings.store.timezone))


def every_form(agent, incident, language, listed=("eu-gdpr", "cn-incident-reporting/critical-1h")):
    dossier = gather(agent, incident, agent.now())
    assert {clock.regime.id for clock in dossier.clocks} >= set()
    return dossier, [
        Form(dossier, clock, one, in_(language, agent)) for clock in dossier.clocks for one in dossier.entities
    ]


# Drafts.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["insider", "ransomware"])
def test_a_draft_holds_every_field_that_the_law_asks_for_or_lists_it_as_missing(tmp_path, language, kind):
    with opened(tmp_path, respond={"regimes": ["eu-gdpr", "cn-incident-reporting/critical-1h"]}) as agent:
        incident = stored(agent, kind=kind, law_by_hand="larger")
        _dossier, found = every_form(agent, incident, language)
        assert {regime.id for regime in load_regimes() if regime.duties} == {
            form.clock.regime.id for form in found
        }  # fmt: skip
        for form in found:
            said = words_of(form.build(1))
            for content in form.clock.duty.contents:
                assert content[language] in said
                for name in content.fields:
                    if (name, kind) in {("ransom", "insider"), ("late_reason", "insider"), ("late_reason", kind)}:
                        continue
                    assert in_(language, agent).text(f"law.field_{name}") in said, name
            for gap in form.gaps:
                assert in_(language, agent).text("reports.gap", what=gap) in said
            assert in_(language, agent).text("reports.assists") in said
            unverified = in_(language, agent).text("reports.flag").strip()
            assert (unverified in said) or form.clock.verified


def test_a_draft_says_in_whose_name_to_which_office_and_which_items_may_go_first(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent, law_by_hand="larger")
        dossier = gather(agent, incident, agent.now())
        form = next(
            form for clock, _one, form in forms(dossier, in_("zh-CN", agent))
            if clock.key == "cn-incident-reporting/province-4h"
        )  # fmt: skip
        said = words_of(form.build(1))
        for part in ("上海市互联网信息办公室", "91310000TEXTCARD01", "较大（法务判定）", "可以先报", "12387", "未核实",
                     "2026-11-23 15:58 (UTC+08:00)"):  # fmt: skip
            assert part in said, part
        assert said.index("2. 发现时间") < said.index("以上各项可以先报") < said.index("3. 发展趋势")


def test_facts_filled_in_by_hand_close_the_gap_and_make_a_new_version_that_leaves_the_old_one_alone(tmp_path):
    wall = Wall()
    with opened(tmp_path, wall) as agent:
        incident = stored(agent)
        first = write_drafts(agent, incident, "王测试", agent.now(), formats=QUICK)
        assert "cn-pipl/art-57" in first
        before = duties.drafts_of(agent, incident.id)["cn-pipl/art-57", "91310000TEXTCARD01"]
        kept = {path: Path(path).read_bytes() for path in before.files}
        assert not write_drafts(agent, incidents(agent).get(incident.id), "王测试", agent.now(), formats=QUICK)
        duties.fill(agent, incident.id, "王测试", "cause", "口令外泄")
        again = write_drafts(agent, incidents(agent).get(incident.id), "王测试", agent.now(), formats=QUICK)
        assert "cn-pipl/art-57" in again
        after = duties.drafts_of(agent, incident.id)["cn-pipl/art-57", "91310000TEXTCARD01"]
        assert (after.version, after.missing) == (2, before.missing - 1)
        assert {path: Path(path).read_bytes() for path in before.files} == kept
        assert any(
            "口令外泄" in Path(path).read_text(encoding="utf-8") for path in after.files if path.endswith("html")
        )


def test_the_first_draft_is_there_within_a_minute_of_a_declaration(tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    (share / "会员.csv").write_text(f"测试甲,{PLANTED}\n" * 30, encoding="utf-8")
    with opened(tmp_path) as agent:
        start = time.monotonic()
        incident = declare(
            agent,
            Declaration(kind="insider", summary=f"顾客 {PLANTED} 来电", discovered_at=agent.now(), by="王测试",
                        paths=(os.fsencode(share / "会员.csv"),)),
        )  # fmt: skip
        tick(agent, agent.now())
        taken = time.monotonic() - start
        written = duties.drafts_of(agent, incident.id)
        assert ("cn-pipl/art-57", "91310000TEXTCARD01") in written
        assert taken < 60
        folder = agent.home.documents / incident.id / "drafts"
        assert {path.suffix for path in folder.iterdir()} >= {".html", ".docx"}
        for path in folder.glob("*.html"):
            assert PLANTED not in path.read_text(encoding="utf-8")
    subprocess.run(["chattr", "-i", str(share / "会员.csv")], check=False, capture_output=True)


def test_drafts_are_kept_current_by_the_keeper_but_not_at_every_look(tmp_path):
    wall = Wall()
    with opened(tmp_path, wall) as agent:
        incident = stored(agent)
        keep_drafts(agent, agent.now())
        key = ("cn-pipl/art-57", "91310000TEXTCARD01")
        duties.fill(agent, incident.id, "王测试", "cause", "口令外泄")
        wall.at += timedelta(minutes=1)
        keep_drafts(agent, agent.now())
        assert duties.drafts_of(agent, incident.id)[key].version == 1
        wall.at += timedelta(minutes=10)
        keep_drafts(agent, agent.now())
        assert duties.drafts_of(agent, incident.id)[key].version == 2


def test_hostile_words_of_people_drive_no_document(tmp_path):
    hostile = "<script>alert(1)</script>\x1b[31m\x00{id} {0.__class__} \u202e #import " + "长" * 3000
    with opened(tmp_path) as agent:
        incident = stored(agent, summary=hostile, place=hostile[:60])
        duties.fill(agent, incident.id, "王测试", "trend", hostile)
        write_drafts(agent, incident, "王测试", agent.now(), formats=QUICK)
        for path in (agent.home.documents / incident.id / "drafts").glob("*.html"):
            page = path.read_text(encoding="utf-8")
            assert "<script>" not in page
            assert "&lt;script&gt;" in page or "cn-gbt" in path.name or "pci" in path.name or "art-57" in path.name
        for line in summary_lines(agent, incident, agent.now(), in_("zh-CN", agent)):
            assert line.isprintable()


def test_an_authority_in_another_zone_than_the_store_gets_its_own_time_as_well(tmp_path):
    tokyo = {"store": {**SETTINGS["store"], "timezone": "Asia/Tokyo"}}
    with opened(tmp_path, **tokyo) as agent:
        incident = stored(agent)
        dossier = gather(agent, incident, agent.now())
        clock = next(clock for clock in dossier.clocks if clock.key == "cn-pipl/art-57")
        found = Fields(dossier, in_("zh-CN", agent), dossier.entities[0], clock).fill("found")
        assert "2026-11-23 12:58 (UTC+09:00)" in found.text
        assert "2026-11-23 11:58 (UTC+08:00)" in found.text


def test_being_late_asks_for_the_reasons(tmp_path):
    wall = Wall()
    with opened(tmp_path, wall, respond={"regimes": ["eu-gdpr"]}) as agent:
        incident = stored(agent)

        def gaps():
            dossier = gather(agent, incident, agent.now())
            return next(
                form.gaps for clock, _one, form in forms(dossier, in_("zh-CN", agent)) if clock.key == "eu-gdpr/art-33"
            )

        assert "超时理由" not in gaps()
        wall.at += timedelta(hours=73)
        assert "超时理由" in gaps()


def test_counts_are_told_as_what_they_are(tmp_path):
    with opened(tmp_path) as agent:

        def told(incident):
            dossier = gather(agent, incident, agent.now())
            return Fields(dossier, in_("zh-CN", agent), dossier.entities[0]).fill("counts")

        guessed, counted = stored(agent), stored(agent, counted_at=FOUND, sensitive=7, virtual=3)
        nothing = stored(agent, files=0, persons=0, types=())
        assert told(guessed).text.startswith("至多 300 人")
        assert all(
            part in told(counted).text for part in ("已逐人核实 300 人", "敏感个人信息 7 人", "隐私号 3 个，不计入人数")
        )
        assert told(nothing).gap


# The report after the event.


def ended(agent, incident):
    incidents(agent).change(incident.id, phase="reviewing", handling_ended_at=agent.now())
    return incidents(agent).get(incident.id)


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
    wall = Wall()
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


# For the police, and for the phone.


def declared_on_disk(agent, tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    path = share / f"{PLANTED}.csv"
    path.write_text(f"测试甲,{PLANTED}\n" * 30, encoding="utf-8")
    descriptor = os.open(path, os.O_RDONLY)
    item = Item(
        path=os.fsencode(path), kind="csv", status="read", size=path.stat().st_size, level=3, score=80, persons=30,
        identity=Identities().of(descriptor, os.fstat(descriptor)),
        findings=(Finding(entity="PHONE_NUMBER", count=30, distinct=30, confidence=0.9),),
    )  # fmt: skip
    os.close(descriptor)
    agent.inventory.record_run([item], roots=[os.fsencode(share)], at=agent.now())
    declaration = Declaration(
        kind="insider", summary=f"{PLANTED} 被拷贝", discovered_at=agent.now(), by="王测试", paths=(os.fsencode(path),)
    )
    return declare(agent, declaration)


def test_the_package_for_the_police_verifies_by_itself_and_any_change_shows(tmp_path):
    with opened(tmp_path) as agent:
        incident = declared_on_disk(agent, tmp_path)
        package, facts = make_package(agent, incident.id, "王测试")
        assert facts["sha256"] == hashlib.sha256(package).hexdigest()
        assert [step.act for step in agent.timelines.steps(incident.id)][-1] == "law.police"
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            archive.extractall(folder)
        assert PLANTED.encode() not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

        def verdict():
            answer = subprocess.run(
                [sys.executable, "-B", "verify.py"], cwd=folder, capture_output=True, text=True, check=False
            )
            return answer.returncode, answer.stdout

        assert verdict()[0] == 0, verdict()
        names = [name for name in facts["files"] if name.startswith(("evidence/", "timeline/", "documents/"))]
        assert any(name.startswith("evidence/") for name in names)
        for name in ("timeline/timeline.jsonl", next(name for name in names if name.startswith("evidence/"))):
            path = folder / name
            before = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(before[:-2] + bytes([before[-2] ^ 1]) + before[-1:])
            assert verdict()[0] == 1
            path.write_bytes(before)
        (folder / "extra.txt").write_text("x")
        assert "extra.txt" in verdict()[1]


def test_a_manifest_made_anew_over_a_changed_timeline_is_told_by_the_chain(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        package, _facts = make_package(agent, incident.id, "王测试")
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            archive.extractall(folder)
        timeline = folder / "timeline" / "timeline.jsonl"
        timeline.write_bytes(timeline.read_bytes().replace(b"named", b"other"))
        manifest = json.loads((folder / "MANIFEST.json").read_bytes())
        manifest["files"]["timeline/timeline.jsonl"] = hashlib.sha256(timeline.read_bytes()).hexdigest()
        (folder / "MANIFEST.json").write_text(json.dumps(manifest))
        answer = subprocess.run(
            [sys.executable, "-B", "verify.py"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 1
        assert "MANIFEST.json: signature" in answer.stdout
        sys.path.insert(0, str(folder))
        try:
            from verify import check_timeline

            assert "line 第 1 行: changed" in check_timeline(str(folder), str(folder / "public-key.pem"))[0][0]
        finally:
            sys.path.remove(str(folder))
            sys.modules.pop("verify", None)


def test_the_report_to_the_police_lists_whose_hands_an_object_went_through_and_marks_a_gap(tmp_path):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        hands = (("王测试", "李样例", "F-01"), ("赵测试", "钱样例", "F-02"))
        for giver, taker, seal in hands:
            Course(agent, incident.id, "王测试").record(
                "logistics.custody", item="收银机硬盘", serial="SN-TEST-1", giver=giver, taker=taker,
                given_at=FOUND.isoformat(), where="二楼", condition="完好", seal=seal, gap="",
            )  # fmt: skip
        incident = incidents(agent).get(incident.id)
        dossier = gather(agent, incident, agent.now())
        chains = logistics_of(agent, incident.id).chains
        document = PoliceReport(dossier, in_("zh-CN", agent), {}, chains).build()
        (table,) = [block for block in document.blocks if isinstance(block, Table) and "实物" in block.header]
        assert table.marked == {0}
        assert "赵测试 → 钱样例" in table.rows[0][1]
        assert "原始文件未作改动" in words_of(document)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_summary_says_what_when_impact_done_and_due_on_one_page(tmp_path, language):
    with opened(tmp_path) as agent:
        incident = stored(agent)
        lines = summary_lines(agent, incident, agent.now(), in_(language, agent))
        assert len(lines) <= 20
        assert sum(map(len, lines)) < 2400
        said = "\n".join(lines)
        for part in (incident.id, "测试门店", "有人在拷贝会员名单", "300"):
            assert part in said
        assert in_(language, agent).text("reports.assists") in said


# Operations.


def test_operations_let_pass_whom_they_should_and_answer_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(operations, "write_drafts", partial(write_drafts, formats=QUICK))
    with opened(tmp_path) as agent:
        incident = stored(agent)
        clocks = operations.show_clocks(agent, ask(CASHIER, id=incident.id)).document
        assert {duty["key"] for duty in clocks["duties"]} >= {"cn-pipl/art-57", "pci-dss/brands"}
        assert all(entry["reached"] in (True, False, None) for entry in clocks["standing"])
        for operation in (operations.show_clocks, operations.summary, operations.final_show):
            with pytest.raises(RefusedError):
                operation(agent, ask(STRANGER, id=incident.id))
        for operation in (operations.submit, operations.fill, operations.police, operations.drafts,
                          operations.final_draft, operations.final_submit, operations.demand):  # fmt: skip
            with pytest.raises(RefusedError):
                operation(agent, ask(CASHIER, id=incident.id))
        answer = operations.drafts(agent, ask(LAWYER, id=incident.id))
        assert answer.exit_code == ExitCode.INCOMPLETE
        assert all(row["missing"] is not None and row["files"] for row in answer.document["drafts"])
        done = operations.submit(agent, ask(LAWYER, id=incident.id, duty="art-57", channel="12387", receipt="AR-1"))
        assert done.document["by"] == "lawyer"
        for caller in (OWNER, LAWYER):
            page = operations.summary(agent, ask(caller, id=incident.id)).document
            assert set(page["lines"]) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [(operations.submit, {"duty": "art-57", "channel": "x", "at": "2999-01-01"}, "--at"),
     (operations.demand, {"duty": "after-incident", "due": "soon"}, "--due"),
     (operations.final_improve, {"text": "x", "owner": "y", "due": "31.12."}, "--due"),
     (operations.final_comment, {"text": "x", "version": -1}, "--version"),
     (operations.fill, {"field": "x", "text": 7}, "text")],
)  # fmt: skip
def test_nonsense_is_refused_by_the_name_of_its_option(tmp_path, operation, arguments, words):
    with opened(tmp_path) as agent, pytest.raises(UsageError, match=words):
        operation(agent, ask(id=stored(agent).id, **arguments))


def test_the_command_line_shows_clocks_records_what_was_done_and_drafts_the_report(tmp_path):
    with opened(tmp_path) as agent:
        incident = ended(agent, stored(agent))
        home = agent.home
    program = os.path.join(os.path.dirname(sys.executable), "cloche")

    def cloche(*arguments):
        return subprocess.run(
            [program, "incident", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "CLOCHE_HOME": str(home.state)},
        )  # fmt: skip

    shown = cloche("clocks", incident.id)
    assert shown.returncode == 0, shown.stderr
    assert "预案事后报告" in shown.stdout
    assert "不构成法律意见" in shown.stdout
    target = tmp_path / "police.zip"
    packed = cloche("police", incident.id, "-o", str(target))
    assert packed.returncode == 3, packed.stderr
    assert zipfile.is_zipfile(target)
    improved = cloche("final", incident.id, "improve", "收回账号", "--owner", "李样例", "--due", "2026-12-31")
    assert "收回账号" in improved.stdout, improved.stderr


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
