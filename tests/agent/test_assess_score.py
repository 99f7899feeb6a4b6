"""The list of measures with its data and texts, and the score: nothing unknown is good, each point can be traced."""

from __future__ import annotations

import shlex
from datetime import timedelta

import click
import pytest
from assess_shop import a_home, a_share, inventoried, looked, opened, words  # noqa: F401
from shops import NOW

from agent.assess.measures import MEASURES
from agent.assess.operations import next_steps
from agent.assess.pack import load_pack
from agent.assess.records import RISKS, Assessment, Measured, Result, bad, good, not_applicable, say, share_of, unknown
from agent.assess.run import assess
from agent.cli import cloche
from agent.inventory.records import Alert
from config.text import LANGUAGES, load_packs

# The list, its data and its texts


def test_every_measure_has_its_data_and_its_texts_and_no_data_is_left_over():
    pack, texts = load_pack(), load_packs()
    assert [measure.id for measure in MEASURES] == list(dict.fromkeys(measure.id for measure in MEASURES))
    assert {measure.id for measure in MEASURES} == {entry.id for entry in pack.measures}
    for measure in MEASURES:
        assert {f"assess.measure_{measure.id}", f"assess.do_{measure.id}"} <= texts.keys()


def test_every_risk_and_every_part_of_the_plan_is_measured():
    pack = load_pack()
    assert {risk for entry in pack.measures for risk in entry.risks} == set(RISKS)
    rows = {entry.row for entry in pack.measures}
    assert {"一", "二.1", "二.2", "二.3", "二.4", "三", "四.1", "四.3", "四.5", "四.6", "五.1", "五.2", "五.3"} <= rows
    for kind in pack.blind_kinds:
        assert f"assess.kind_{kind}" in load_packs()
    assert {"booking", "member", "wifi", "qr_order", "invoice", "parking", "wechat_group", "delivery"} <= {
        channel.id for channel in pack.channels
    }


def test_a_store_that_nobody_has_looked_after_gets_no_points_for_what_is_unknown(home, tmp_path):
    with opened(home, people=[]) as agent:
        assessment = assess(looked(agent, tmp_path), "测试甲")
    by_id = {one.id: one.result for one in assessment.measured}
    for name in ("scan_age", "unread", "collection_register", "blind_spots", "sealed_share", "restore_test", "drills",
                 "training", "vendor_register", "security_check", "alerts_handled", "record_whole"):  # fmt: skip
        assert (by_id[name].state, by_id[name].score) == ("unknown", 0.0), name
        assert by_id[name].command
    assert assessment.score < 20


def test_every_piece_of_evidence_can_be_said_in_both_languages(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        for one in assess(looked(agent, tmp_path), "测试甲").measured:
            for language in LANGUAGES:
                assert words(one.result, language)


def test_a_measure_that_fails_is_unknown_and_hides_no_other(home, tmp_path, monkeypatch):
    from agent.assess import run

    class Broken:
        id = "keys"

        def measure(self, _look):
            raise ZeroDivisionError

    monkeypatch.setattr(run, "MEASURES", (Broken(), *MEASURES[:1]))
    with opened(home) as agent:
        assessment = assess(looked(agent, tmp_path), "测试甲")
    assert [one.result.state for one in assessment.measured] == ["unknown", "unknown"]
    assert "ZeroDivisionError" in words(assessment.measured[0].result)


# The score


def measured(name, result, weight=1.0, risks=("storage",)):
    return Measured(id=name, row="二.3", risks=risks, weight=weight, result=result)


def test_each_point_of_the_score_can_be_traced():
    one = Assessment(at=NOW, actor="测试甲", pack="t", measured=(
        measured("keys", good(say("assess.ev_clock")), 4.0),
        measured("backups", bad("x", say("assess.ev_clock")), 5.0),
        measured("clock", unknown("x", say("assess.ev_clock")), 1.0, ("attack",)),
        measured("sms_signature", not_applicable(say("assess.ev_clock")), 90.0),
    ))  # fmt: skip
    assert one.score == 40.0
    assert (one.risk("storage"), one.risk("attack"), one.risk("vendor")) == (44.4, 0.0, None)
    document = one.document()
    applies = [entry for entry in document["measures"] if entry["state"] != "not_applicable"]
    assert round(100 * sum(e["points"] for e in applies) / sum(e["weight"] for e in applies), 1) == one.score
    assert share_of(()) is None


@pytest.mark.parametrize(
    "wrong",
    [{"state": "unknown", "score": 0.5}, {"state": "bad", "score": 0.1}, {"state": "good", "score": 0.9},
     {"state": "good", "score": 1.2}, {"state": "good", "score": 1.0, "evidence": ()}],
)  # fmt: skip
def test_a_result_that_contradicts_itself_is_a_defect(wrong):
    with pytest.raises(ValueError, match=r"evidence|with a score"):
        Result(**{"evidence": (say("assess.ev_clock"),), **wrong})


def test_the_five_things_to_do_are_the_heaviest_each_command_once_and_the_key_before_what_needs_it():
    def entry(name, weight, command, state="bad"):
        return {"id": name, "weight": weight, "points": 0.0, "command": command, "state": state}

    document = {"measures": [
        entry("sealed_share", 6, "cloche protect X"), entry("keys", 4, "cloche keys init"),
        entry("watch_tier", 5, "cloche daemon"), entry("watch_gaps", 2, "cloche daemon"),
        entry("roles", 4, "vi X"), entry("substitutes", 2, "vi X"), entry("clock", 1, "timedatectl set-ntp true"),
        entry("backups", 9, "", "good"),
    ]}  # fmt: skip
    steps = next_steps(document)
    assert [step["id"] for step in steps] == ["watch_tier", "keys", "sealed_share", "roles", "substitutes"]
    assert steps[0]["gain"] == 7


def commands_of(agent, tmp_path):
    return {one.result.command for one in assess(looked(agent, tmp_path), "测试甲").measured if one.result.command}


def test_every_command_that_is_named_exists_with_its_options(home, share, tmp_path):
    """Placeholders in capitals are for people; the rest is parsed by the very commands."""
    with opened(home, people=[]) as agent:
        found = commands_of(agent, tmp_path)
        inventoried(agent, share)
        agent.inventory.add_alert(Alert(at=NOW - timedelta(days=3), kind="bound", severity="warning", text="x"))
        found |= commands_of(agent, tmp_path)
    with opened(home, senders={"smtp_host": "mail.example.com", "smtp_from": "a@example.com"}) as agent:
        found |= commands_of(agent, tmp_path)
    found |= {"cloche assess dispose --vault --removable", "cloche assess dispose --seal --shared",
              "cloche assess attest firewall", "cloche audit retention", "cloche assess blind attest X"}  # fmt: skip
    ours = sorted(command for command in found if command.startswith("cloche "))
    assert len(ours) > 15
    for line in ours:
        arguments = shlex.split(line)[1:]
        context = click.Context(cloche, info_name="cloche")
        command: click.Command = cloche
        while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
            step = command.get_command(context, arguments[0])
            assert step is not None, line
            command, arguments = step, arguments[1:]
        replaced = ["2026-11-26" if word == "DAY" else "24" if word == "HOURS" else word for word in arguments]
        with command.make_context(command.name, replaced, parent=context):
            pass
