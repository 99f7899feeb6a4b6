"""Drafts for authorities: every field that the law asks for, kept current, and no words of people drive them."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from reports_shop import FOUND, PLANTED, QUICK, SETTINGS, in_, opened, stored, words_of
from shops import Clock

from agent.incident import duties
from agent.incident.declare import Declaration, declare
from agent.incident.law import load_regimes
from agent.incident.store import incidents
from agent.keeper import tick
from agent.reports.dossier import gather
from agent.reports.draft import Form, forms
from agent.reports.drafting import keep_drafts, write_drafts
from agent.reports.fields import Fields
from agent.reports.summary import summary_lines
from config.text import LANGUAGES


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
    wall = Clock(FOUND)
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
    wall = Clock(FOUND)
    with opened(tmp_path, wall) as agent:
        incident = stored(agent)
        keep_drafts(agent, agent.now())
        key = ("cn-pipl/art-57", "91310000TEXTCARD01")
        duties.fill(agent, incident.id, "王测试", "cause", "口令外泄")
        wall.turn(minutes=1)
        keep_drafts(agent, agent.now())
        assert duties.drafts_of(agent, incident.id)[key].version == 1
        wall.turn(minutes=10)
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
    wall = Clock(FOUND)
    with opened(tmp_path, wall, respond={"regimes": ["eu-gdpr"]}) as agent:
        incident = stored(agent)

        def gaps():
            dossier = gather(agent, incident, agent.now())
            return next(
                form.gaps for clock, _one, form in forms(dossier, in_("zh-CN", agent)) if clock.key == "eu-gdpr/art-33"
            )

        assert "超时理由" not in gaps()
        wall.turn(minutes=73 * 60)
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
