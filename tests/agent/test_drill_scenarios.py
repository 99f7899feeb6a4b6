"""Drills of every scenario, played by real processes on made-up customers, scored and certified."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import drill_shop
import pytest
from drill_shop import (
    FULL_TIER,
    LEADER,
    PLANTED,
    call,
    cloche,
    everything_in,
    opened,
    played,
    settings_for,
    write_settings,
)

from agent.audit import verify
from agent.drill import last_drill, overdue
from agent.drill.scenarios import load_plan, load_scenarios
from agent.drill.windows import Share
from agent.operation import Request
from agent.operations import find_operation
from config.errors import ExitCode
from config.home import find_home
from config.text import LANGUAGES, Text, load_packs

place = drill_shop.place
home = drill_shop.home
shop = drill_shop.shop
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time


def tree(folder, *, without=()):
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not name.startswith(tuple(without)):
            facts = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[name] = (digest, facts.st_mode, facts.st_uid, facts.st_size, facts.st_mtime_ns if digest else 0)
    return found


@pytest.mark.needs(*FULL_TIER)
def test_a_drill_of_an_insider_is_played_scored_and_certified_and_nothing_real_changes(home, shop):
    write_settings(home, shop)
    with opened(home, settings_for(shop)) as agent:
        call(agent, "scan", paths=[str(shop)])
    own = ("inventory.db", "audit.", "documents/D", "drills", "lock", "keys")
    before, before_shop = tree(home.state, without=own), tree(shop)
    done = cloche(home, "drill", "run", "--size", "0.03", "--keep", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["passed"]) == (0, "done", True), done.stderr
    assert (tree(home.state, without=own), tree(shop)) == (before, before_shop)
    measures = {measure["name"]: measure for measure in document["measures"]}
    assert set(measures) == {
        "detect", "contain", "report_draft", "notify_draft", "left_files", "left_persons", "restored", "recorded",
    }  # fmt: skip
    assert all(measure["met"] for measure in measures.values()), measures
    assert document["samba"] is Share.possible()
    assert 0 < measures["left_files"]["value"] <= 5
    assert 0 < measures["left_persons"]["value"] <= 15
    assert document["tier"] in ("pre_access", "permission")
    assert document["confinement"] == {"files": "kernel", "network": "namespace", "exposed": []}
    acts = [step["act"] for step in document["timeline"]]
    assert [act for act in acts if act in ("declare", "deny", "stop", "vault", "dismiss", "release", "resume")] == [
        "declare", "deny", "stop", "vault", "dismiss", "release", "resume",
    ]  # fmt: skip
    assert all(step["ok"] for step in document["timeline"])
    assert sorted(os.listdir(home.state / "drills")) == ["lock"]
    names = [os.path.basename(path) for path in document["documents"]]
    assert {"应急演练证明-01.zh-CN.pdf", "应急演练证明-01.en.docx", "应急演练证明-01.zh-CN.html"} <= set(names)
    page = next(path for path in document["documents"] if path.endswith("证明-01.zh-CN.html"))
    text = Path(page).read_text(encoding="utf-8")
    for wanted in ("应急演练", "内部人员", "发现用时", "未核实", "watch.response = alert", "签字"):
        assert wanted in text, wanted
    drafted = [path for path in document["documents"] if "/drafts/" in path and path.endswith("zh-CN.html")]
    assert drafted
    assert all("【应急演练】" in Path(path).read_text(encoding="utf-8") for path in drafted)
    for path, content in everything_in(home.documents / document["id"]):
        assert PLANTED.encode() not in content, path
    with opened(home, settings_for(shop)) as agent:
        last = last_drill(agent)
        assert last is not None
        assert (last.id, last.score, last.passed) == (document["id"], 100.0, True)
        assert not overdue(agent, agent.now())
        assert [item.path for item in agent.inventory.items() if b"drills" in item.path] == []
        assert verify(home.audit_log, agent.keyring.public_key).ok
    recorded = [json.loads(line) for line in home.audit_log.read_bytes().splitlines()]
    mine = [(entry["act"], entry["details"].get("score")) for entry in recorded if entry["act"].startswith("drill.")]
    assert mine == [("drill.begun", None), ("drill.ended", 100.0)]


@pytest.mark.needs(*FULL_TIER)
def test_ransomware_is_stopped_and_what_it_overwrote_comes_back_from_the_copy(home, shop):
    measured = played(home, settings_for(shop), "ransomware")[0]["measured"]
    assert 0 < measured["damaged"] <= 5
    assert measured["detect"] < 5
    assert (measured["restored"], measured["recorded"]) == (1.0, 1.0)


def test_orders_of_somebody_absent_reach_the_substitute(home, shop):
    result = played(home, settings_for(shop), "key_person_absent")[0]
    assert result["measured"]["escalated"] == 1.0
    told = [step["text"]["zh-CN"] for step in result["timeline"] if step["act"] == "orders.reminded"]
    assert any("王测试" in text for text in told)


def test_a_role_has_the_daemon_play_a_vendor_leak_whose_canaries_name_the_vendor(home, shop):
    steps = []
    with opened(home, settings_for(shop)) as agent:
        answer = find_operation("drill.run").load()(
            agent,
            Request(
                arguments={"scenario": "vendor_leak", "size": 0.01, "drafts": False}, caller=LEADER,
                progress=lambda update: steps.append(update["step"]),
            ),
        )  # fmt: skip
    measures = {measure["name"]: measure["value"] for measure in answer.document["measures"]}
    assert measures["traced"] == 1.0
    assert [step for step in answer.document["steps"] if not step["ok"]] == []
    assert steps[:4] == ["scene", "keys", "scan", "attack"]
    assert (answer.document["by"], answer.document["state"]) == ("lead", "done")
    assert answer.exit_code == ExitCode.INCOMPLETE  # no drafts, no points for them
    assert sorted(os.listdir(home.state / "drills")) == ["lock"]


@pytest.mark.needs("root")
def test_without_head_office_and_without_a_guard_the_reduced_path_is_played_and_said(home, shop, place):
    deep = find_home(place / ("x" * 90))  # a guard's socket would not fit
    deep.create()
    result = played(deep, settings_for(shop), "hq_unreachable")[0]
    assert (result["tier"], result["blocking"]) == ("none", False)
    assert {"no_guard", "not_detected"} <= {note["key"] for note in result["notes"]}
    assert result["measured"]["detect"] is None
    assert result["measured"]["left_files"] == 12
    assert (result["measured"]["restored"], result["measured"]["queued"]) == (1.0, 1.0)
    assert result["measured"]["contain"] is not None


def test_every_scenario_and_text_is_whole():
    plan, packs = load_plan(), load_packs()
    assert set(load_scenarios()) == {
        "insider", "ransomware", "lost_laptop", "vendor_leak", "wrong_group", "hq_unreachable", "key_person_absent",
    }  # fmt: skip
    assert next(iter(load_scenarios())) == "insider"
    for name in plan.points:
        assert f"drill.measure_{name}" in packs
    for scenario in load_scenarios().values():
        assert set(scenario.targets) <= set(plan.points)
        assert scenario.asked
        assert scenario.named or scenario.target
        assert (scenario.declared_by == "person") == bool(scenario.chinese.summary)
        for language in LANGUAGES:
            words = scenario.words(language)
            assert words.title
            assert words.story
            assert len(words.points) >= 2
    for files in ("kernel", "checks"):
        for network in ("namespace", "no_tcp", "checks"):
            if (files, network) != ("checks", "no_tcp"):
                assert f"drill.kept_{files}_{network}" in packs
    for state in ("running", "done", "cut", "failed"):
        assert f"drill.state_{state}" in packs
    for stage in plan.reminders:
        assert Text("en")(f"drill.remind_{stage.stage}", store="s", due="d")
