"""Each weakness is found with its evidence and goes from the list once it is put right; nothing unknown is good."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from agent.assess.look import Look
from agent.assess.machine import Machine, known_programs
from agent.assess.measures import MEASURES
from agent.assess.operations import next_steps
from agent.assess.pack import load_pack
from agent.assess.picture import as_svg
from agent.assess.records import RISKS, Assessment, Measured, Result, bad, good, not_applicable, say, share_of, unknown
from agent.assess.report import AssessmentReport
from agent.assess.run import assess
from agent.assess.store import AssessmentStore, Attestation
from agent.assess.survey import survey
from agent.assess.tonight import document_of, rendered, tonight
from agent.cli import cloche
from agent.incident.records import Affected
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.inventory.records import Alert
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.watch.api import NoWatch
from agent.wiring import build_agent
from config.errors import ClocheError, RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import LANGUAGES, Text, load_packs
from scanners.identity import Identities
from scanners.records import Finding, Item

NOW = datetime.now(UTC)
PLANTED = "13800001111"
OWNER = Caller(uid=0, gid=0, pid=1, user="测试甲", is_owner=True)
PEOPLE = [
    {"name": "王测试", "roles": ["security_lead", "response_lead"], "user": "wang", "phone": "13800000000"},
    {"name": "李样例", "roles": ["legal", "store_manager"], "email": "li@example.com", "substitute": "王测试"},
]


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    yield home
    for path in (tmp_path / "share").rglob("*"):
        subprocess.run(["chattr", "-i", str(path)], check=False, capture_output=True)


@pytest.fixture
def share(tmp_path):
    """A folder that nobody but its owner may enter, with three files that hold customers."""
    folder = tmp_path / "share"
    folder.mkdir(mode=0o700)
    for name in ("会员.csv", "预订.csv", "backup/members.sql"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("姓名,电话\n测试甲,13800001111\n", encoding="utf-8")
        path.chmod(0o600)
    return folder


@contextmanager
def opened(home, watch=None, now=None, **settings):
    clock = {"now": now} if now else {}
    given = {"people": PEOPLE, **settings}
    with build_agent(home, Settings.model_validate(given), watch, **({"now": lambda: now} if clock else {})) as agent:
        yield agent


def inventoried(agent, folder, persons=None, at=None):
    """Record the folder's files as a scan would, with real identities."""
    identities, items = Identities(), []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        descriptor = os.open(path, os.O_RDONLY)
        facts = os.fstat(descriptor)
        items.append(
            Item(
                path=os.fsencode(path), kind="sql_dump" if path.suffix == ".sql" else "csv", status="read",
                size=facts.st_size, level=3, score=80, persons=(persons or {}).get(path.name, 10),
                identity=identities.of(descriptor, facts),
                findings=(Finding(entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9),),
            )
        )  # fmt: skip
        os.close(descriptor)
    agent.inventory.record_run(items, roots=[os.fsencode(folder)], at=at or NOW)


def looked(agent, tmp_path, now=None, machine=None):
    """A look at a machine that has nothing, unless one is given."""
    nothing = machine or Machine(tmp_path / "nothing", run=lambda _command: None)
    return Look(agent=agent, now=now or agent.now(), machine=nothing)


def result_of(look, name):
    return next(measure for measure in MEASURES if measure.id == name).measure(look)


def words(result, language="zh-CN"):
    from agent.assess.words import spoken

    return "\n".join(spoken(Text(language), saying.document()) for saying in result.evidence)


def call(agent, operation, caller=OWNER, /, **arguments):
    return find_operation(operation).load()(agent, Request(arguments=arguments, caller=caller)).document


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


# What lies about: found, and gone from the list once put right


@pytest.fixture
def open_share(share):
    """The same where every account may come: pytest's own folders are closed to others."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    shutil.copytree(share, folder / "share")
    (folder / "share").chmod(0o755)
    yield folder / "share"
    shutil.rmtree(folder)


def test_a_file_that_everybody_can_read_is_found_until_it_is_sealed(home, open_share, tmp_path):
    share = open_share
    (share / "会员.csv").chmod(0o644)
    with opened(home) as agent:
        inventoried(agent, share, {"会员.csv": 300})
        found = result_of(looked(agent, tmp_path), "world_readable")
        assert (found.state, "会员.csv" in words(found)) == ("partial", True)
        assert found.command == "cloche assess dispose --seal --exposed"
        agent.keyring.adopt(make_identity("recovery").public)
        answer = call(agent, "assess.dispose", which=["exposed"], how="seal")
        assert (answer["done"], answer["refused"]) == (1, [])
        assert not (share / "会员.csv").exists()
        assert result_of(looked(agent, tmp_path), "world_readable").state == "good"


def test_a_folder_that_others_may_not_enter_exposes_nothing(home, share, tmp_path):
    (share / "会员.csv").chmod(0o666)
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "world_readable").state == "good"


def test_a_stale_export_is_found_by_its_age_or_by_the_day_in_its_name_and_disposed_of_in_one_step(
    home, share, tmp_path
):
    old = time.time() - 200 * 86_400
    os.utime(share / "会员.csv", (old, old))
    shutil.copy(share / "预订.csv", share / "会员_2024-05-01.csv")
    with opened(home) as agent:
        inventoried(agent, share)
        agent.keyring.adopt(make_identity("recovery").public)
        found = result_of(looked(agent, tmp_path), "stale_exports")
        assert found.command == "cloche assess dispose --seal --older-than 90"
        assert {"会员.csv", "会员_2024-05-01.csv"} == {
            name for name in ("会员.csv", "会员_2024-05-01.csv", "预订.csv") if name in words(found)
        }
        preview = call(agent, "assess.dispose", older_than=90, preview=True)
        assert (len(preview["files"]), preview["done"]) == (2, 0)
        assert (share / "会员.csv").exists()
        done = call(agent, "assess.dispose", older_than=90)
        assert done["done"] == 2
        assert result_of(looked(agent, tmp_path), "stale_exports").state == "good"
        last = json.loads(home.audit_log.read_bytes().splitlines()[-1])
        assert (last["act"], last["details"]["done"]) == ("assess.dispose", 2)
    assert (share / "预订.csv").exists()


def test_disposal_can_go_to_the_vault_and_leaves_what_changed_since_the_scan(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        agent.keyring.adopt(make_identity("recovery").public)
        (share / "预订.csv").write_text("新的内容", encoding="utf-8")
        answer = find_operation("assess.dispose").load()(
            agent, Request(arguments={"older_than": 0, "how": "vault"}, caller=OWNER)
        )
        assert (answer.document["done"], answer.document["changed"], answer.exit_code) == (2, 1, 3)
        assert (share / "预订.csv").read_text(encoding="utf-8") == "新的内容"
        assert len(agent.quarantine.entries("vaulted")) == 2


@pytest.mark.parametrize("wrong", [{"which": ["everything"]}, {"how": "burn"}, {"older_than": -1}])
def test_a_disposal_that_nobody_can_mean_is_refused_before_anything_is_touched(home, share, wrong):
    with opened(home) as agent:
        inventoried(agent, share)
        with pytest.raises(UsageError):
            call(agent, "assess.dispose", **wrong)
    assert (share / "会员.csv").exists()


def test_a_plain_backup_is_found_and_gone_once_sealed(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        found = result_of(looked(agent, tmp_path), "plain_backups")
        assert "members.sql" in words(found)
        agent.keyring.adopt(make_identity("recovery").public)
        call(agent, "assess.dispose", which=["backups"])
        assert result_of(looked(agent, tmp_path), "plain_backups").state == "good"


def test_shared_folders_and_sticks_are_read_from_the_machine(home, share, tmp_path):
    root = tmp_path / "root"
    (root / "etc/samba").mkdir(parents=True)
    (root / "etc/samba/smb.conf").write_text(f"[global]\n workgroup = X\n[前台]\n  path = {share}\n")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(f"36 35 8:17 / {share}/backup rw - ext4 /dev/sdb1 rw\n")
    (root / "sys/dev/block/8:17").mkdir(parents=True)
    (root / "sys/dev/block/8:17/removable").write_text("1\n")
    machine = Machine(root, run=lambda _command: None)
    assert machine.shares() == (("前台", os.fsencode(share)),)
    assert machine.removable() == (os.fsencode(share / "backup"),)
    with opened(home) as agent:
        inventoried(agent, share)
        look = looked(agent, tmp_path, machine=machine)
        assert "3 个" in words(result_of(look, "shared_folders"))
        assert "members.sql" in words(result_of(look, "removable_media"))


def test_a_pipe_in_a_folder_that_others_write_to_holds_nobody_up(tmp_path):
    shares = tmp_path / "var/lib/samba/usershares"
    shares.mkdir(parents=True)
    os.mkfifo(shares / "a")
    (shares / "b").write_text("#VERSION 2\npath=/srv/b\nusershare_acl=S-1-1-0:F\n")
    assert Machine(tmp_path).shares() == (("share", b"/srv/b"),)


def test_what_a_till_works_on_is_no_stray_and_what_is_gone_is_not_counted(home, share):
    (share / "till.db").write_bytes(b"SQLite format 3\0")
    with opened(home) as agent:
        inventoried(agent, share)
        (share / "预订.csv").unlink()
        found = survey(agent.inventory)
        assert found.gone == 1
        assert len(found.files) == 3


# The machine


CHAIN = "table inet x {\n chain input {\n type filter hook %s priority 0; policy %s;\n%s }\n}"
SAVED = "*filter\n:INPUT %s [0:0]\n%s"


@pytest.mark.parametrize(
    ("rules", "by"),
    [
        ({"nft": CHAIN % ("input", "drop", "")}, (True, "nft")),
        ({"nft": CHAIN % ("input", "accept", " tcp dport 22 drop\n")}, (True, "nft")),
        ({"nft": CHAIN % ("input", "accept", " tcp dport 22 accept\n"), "iptables-save": ""}, (False, "none")),
        ({"nft": CHAIN % ("output", "drop", ""), "iptables-save": ""}, (False, "none")),
        ({"nft": "", "iptables-save": SAVED % ("DROP", "")}, (True, "iptables")),
        ({"nft": "", "iptables-save": SAVED % ("ACCEPT", "-A INPUT -j DROP\n")}, (True, "iptables")),
        ({"nft": "", "iptables-save": SAVED % ("ACCEPT", "-A OUTPUT -j DROP\n")}, (False, "none")),
        ({}, (None, "none")),
    ],
)
def test_a_firewall_is_told_by_rules_that_refuse_what_comes_in(tmp_path, rules, by):
    assert Machine(tmp_path, run=lambda command: rules.get(next(iter(command)))).firewall() == by


def test_a_firewall_of_ufw_counts_and_one_in_the_router_is_a_persons_word(home, tmp_path):
    (tmp_path / "root/etc/ufw").mkdir(parents=True)
    (tmp_path / "root/etc/ufw/ufw.conf").write_text("ENABLED=yes\n")
    with opened(home) as agent:
        ufw = looked(agent, tmp_path, machine=Machine(tmp_path / "root", run=lambda _command: None))
        assert result_of(ufw, "firewall").state == "good"
        assert result_of(looked(agent, tmp_path), "firewall").state == "unknown"
        call(agent, "assess.attest", subject="firewall", by="王测试", note="路由器")
        said = result_of(looked(agent, tmp_path), "firewall")
        assert (said.state, "王测试" in words(said)) == ("partial", True)


def test_a_way_in_from_outside_is_found_while_it_runs_and_gone_when_it_is_stopped(home, tmp_path):
    program = tmp_path / "frpc"
    shutil.copy("/bin/sleep", program)
    with opened(home) as agent:
        process = subprocess.Popen([str(program), "60"])
        try:
            found = result_of(looked(agent, tmp_path, machine=Machine(run=lambda _command: None)), "remote_tools")
            assert (found.state, "frpc" in words(found)) == ("bad", True)
        finally:
            process.kill()
            process.wait()
        assert "frpc" not in words(result_of(looked(agent, tmp_path, machine=Machine()), "remote_tools"))


def test_a_unit_that_would_start_a_way_in_is_named_with_the_command_that_stops_it(home, tmp_path):
    units = tmp_path / "root/etc/systemd/system"
    units.mkdir(parents=True)
    (units / "frpc.service").write_text("[Service]\nExecStart=/usr/bin/frpc -c /etc/frpc.toml\n")
    machine = Machine(tmp_path / "root", run=lambda _command: None)
    with opened(home) as agent:
        found = result_of(looked(agent, tmp_path, machine=machine), "remote_tools")
        assert found.command == "systemctl disable --now frpc.service"
    with opened(home, check={"allowed_remote_tools": ["frp"]}) as agent:
        allowed = result_of(looked(agent, tmp_path, machine=machine), "remote_tools")
        assert (allowed.state, "frp" in words(allowed)) == ("good", True)


def test_backup_programs_are_met_in_schedules_and_a_commented_line_is_none(tmp_path):
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/cron.d/night").write_text("# 0 3 * * * root rsnapshot daily\n0 3 * * * root restic backup /srv\n")
    (tmp_path / "proc").mkdir()
    machine = Machine(tmp_path, run=lambda _command: None)
    assert [seen.product for seen in machine.programs("backup")] == ["restic"]
    assert "fail2ban-server" in known_programs("intrusion")


def test_updates_are_told_by_the_lists_at_hand(home, tmp_path):
    (tmp_path / "root/var/lib/apt/lists").mkdir(parents=True)
    said = "Inst openssl [3.0.1] (3.0.2 Debian-Security:12/stable-security [amd64])\nInst vim [9] (9.1 Debian:12)\n"
    machine = Machine(tmp_path / "root", run=lambda command: said if "apt-get" in command else None)
    with opened(home) as agent:
        found = result_of(looked(agent, tmp_path, machine=machine), "updates")
        assert (found.state, "安全更新 1 个" in words(found)) == ("bad", True)
        assert result_of(looked(agent, tmp_path), "updates").state == "unknown"


def test_the_kernel_says_whether_the_clock_is_synchronised():
    assert Machine().clock_synchronised() in (True, False)


# People, their words, and what they registered


def test_roles_contacts_and_substitutes_are_told_by_name(home, tmp_path):
    alone = [{"name": "王测试", "roles": ["security_lead"]}]
    with opened(home, people=alone) as agent:
        look = looked(agent, tmp_path)
        assert "法务部负责人" in words(result_of(look, "roles"))
        assert "王测试" in words(result_of(look, "contacts"))
        assert result_of(look, "substitutes").state == "bad"
        assert result_of(look, "second_person").state == "bad"
    with opened(home, people=alone, respond={"single_handed": "小店只有一人"}) as agent:
        assert result_of(looked(agent, tmp_path), "second_person").state == "partial"
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "second_person").state == "good"
        assert result_of(looked(agent, tmp_path), "contacts").state == "partial"
        call(agent, "assess.attest", subject="contacts", by="李样例")
        assert result_of(looked(agent, tmp_path), "contacts").state == "good"
        later = looked(agent, tmp_path, now=NOW + timedelta(days=40))
        assert result_of(later, "contacts").state == "partial"


def test_a_restore_counts_once_a_person_says_so_and_no_longer_when_it_is_long_ago(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "restore_test").state == "unknown"
        call(agent, "assess.attest", subject="restore", by="王测试", note="恢复了会员库")
        assert result_of(looked(agent, tmp_path), "restore_test").state == "good"
        assert result_of(looked(agent, tmp_path, now=NOW + timedelta(days=200)), "restore_test").state == "bad"
        call(agent, "assess.attest", subject="restore", by="王测试", failed=True)
        assert result_of(looked(agent, tmp_path), "restore_test").state == "bad"


def test_a_word_is_masked_bounded_and_nobody_elses_than_a_persons_of_the_settings(home):
    with opened(home) as agent:
        answer = call(agent, "assess.attest", subject="backup", note=f"问了顾客 {PLANTED}")
        note = next(one["note"] for one in answer["attestations"] if one["subject"] == "backup")
        assert PLANTED not in note
        for wrong in ({"subject": "wishes"}, {"subject": "backup", "by": "没有的人"},
                      {"subject": "backup", "note": "x" * 401}, {"subject": "backup", "at": "2999-01-01"}):  # fmt: skip
            with pytest.raises(UsageError):
                call(agent, "assess.attest", **wrong)
        nobody = Caller(uid=1000, gid=1000, pid=1, user="x")
        with pytest.raises(RefusedError):
            call(agent, "assess.attest", nobody, subject="backup")
        with pytest.raises(RefusedError):
            call(agent, "assess.run", nobody)


def test_collection_points_are_held_against_what_the_scan_found(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "collection_register").state == "unknown"
        call(agent, "assess.collection", act="add", channel="booking", name="前台预订", paths=[str(share / "预订.csv")])
        look = looked(agent, tmp_path)
        assert "缺" in words(result_of(look, "collection_register"))
        assert "会员.csv" in words(result_of(look, "collection_explained"))
        checked = call(agent, "assess.collection", act="check")
        assert {os.path.basename(one["path"]) for one in checked["unexplained"]} == {"会员.csv", "members.sql"}
        call(
            agent,
            "assess.collection",
            act="add",
            name="前台预订",
            purpose="预订座位",
            basis="contract",
            retention_days=30,
        )
        call(agent, "assess.collection", act="add", channel="member", name="会员", purpose="积分", basis="consent",
             retention_days=365, paths=[str(share)])  # fmt: skip
        look = looked(agent, tmp_path)
        assert result_of(look, "collection_register").state == "good"
        assert result_of(look, "collection_explained").state == "good"
        call(agent, "assess.collection", act="add", channel="parking", name="停车", paths=["/nowhere"])
        assert "停车" in words(result_of(looked(agent, tmp_path), "collection_explained"))
        call(agent, "assess.collection", act="remove", name="停车")
        assert result_of(looked(agent, tmp_path), "collection_explained").state == "good"


def test_data_older_than_the_retention_of_its_point_is_found(home, share, tmp_path):
    old = time.time() - 100 * 86_400
    os.utime(share / "预订.csv", (old, old))
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "retention_kept").state == "unknown"
        call(
            agent, "assess.collection", act="add", channel="booking", name="预订", retention_days=30, paths=[str(share)]
        )
        found = result_of(looked(agent, tmp_path), "retention_kept")
        assert (found.state, "预订.csv" in words(found)) == ("partial", True)
        call(agent, "assess.collection", act="add", name="预订", retention_days=365)
        assert result_of(looked(agent, tmp_path), "retention_kept").state == "good"


@pytest.mark.parametrize(
    "wrong",
    [{"channel": "teleport"}, {"channel": "member", "basis": "because"}, {"channel": "member", "retention_days": 0},
     {"channel": "member", "name": ""}, {"channel": "member", "name": "x" * 100}],
)  # fmt: skip
def test_a_point_that_cannot_be_is_refused(home, wrong):
    with opened(home) as agent, pytest.raises(UsageError):
        call(agent, "assess.collection", **{"act": "add", "name": "会员", **wrong})


def test_places_out_of_sight_need_an_owner_who_looks_in_time(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "blind_spots").state == "unknown"
        call(agent, "assess.blind", act="add", name="前台收银机", kind="windows_till", owner="李样例", every_days=30)
        assert "前台收银机" in words(result_of(looked(agent, tmp_path), "blind_spots"))
        call(agent, "assess.blind", act="attest", name="前台收银机", note="没有存名单")
        assert result_of(looked(agent, tmp_path), "blind_spots").state == "good"
        late = looked(agent, tmp_path, now=NOW + timedelta(days=31))
        assert result_of(late, "blind_spots").state == "bad"
        assert "windows_till" not in call(agent, "assess.blind", act="suggest")["suggested"]
        for wrong in ({"name": "x", "kind": "moon"}, {"name": "x", "kind": "phone", "owner": "没有的人"},
                      {"name": "x", "kind": "phone", "every_days": -1}):  # fmt: skip
            with pytest.raises(UsageError):
                call(agent, "assess.blind", act="add", **wrong)
        with pytest.raises(UsageError):
            call(agent, "assess.blind", act="attest", name="没有的地方")


# Watch, keys, senders, incidents


class Guarding(NoWatch):
    @property
    def tier(self):
        return "permission"


def test_alerts_and_incidents_that_nobody_ends_and_deadlines_that_passed_are_named(home, tmp_path):
    with opened(home, watch=Guarding()) as agent:
        look = looked(agent, tmp_path)
        assert [result_of(look, name).state for name in ("alerts_handled", "incidents", "duties")] == ["good"] * 3
        alert = agent.inventory.add_alert(
            Alert(at=NOW - timedelta(days=2), kind="bound", severity="warning", text="有人读了很多")
        )
        found = (NOW - timedelta(days=60)).isoformat()
        call(agent, "incident.report", kind="intrusion", summary="测试", discovered_at=found, occurred_at="", place="",
             types=[], paths=[], scope=None)  # fmt: skip
        incident = incidents(agent).all()[0]
        incidents(agent).set_items(incident.id, [Affected(key="k", path=b"/x", name="x", persons=2_000_000)])
        incidents(agent).change(incident.id, persons=2_000_000)
        look = looked(agent, tmp_path)
        assert "有人读了很多" in words(result_of(look, "alerts_handled"))
        assert incident.id in words(result_of(look, "incidents"))
        assert result_of(look, "duties").state == "bad"
        agent.inventory.close_alerts([alert.id])
        assert result_of(looked(agent, tmp_path), "alerts_handled").state == "good"


def test_keys_are_good_once_they_were_tried_and_the_mode_once_it_protects(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "keys").state == "bad"
        agent.keyring.adopt(make_identity("recovery").public)
        assert result_of(looked(agent, tmp_path), "keys").state == "partial"
        agent.audit.append("keys.recover", "测试甲", opens=3)
        assert result_of(looked(agent, tmp_path), "keys").state == "good"
        assert result_of(looked(agent, tmp_path, now=NOW + timedelta(days=400)), "keys").state == "partial"
        assert result_of(looked(agent, tmp_path), "sealing_mode").state == "bad"
    with opened(home, protect={"mode": "protect"}) as agent:
        assert result_of(looked(agent, tmp_path), "sealing_mode").state == "good"


def test_an_sms_signature_that_nobody_registered_is_unknown_and_one_without_sms_does_not_apply(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "not_applicable"
        assert result_of(looked(agent, tmp_path), "senders").state == "bad"
    sms = {"sms_url": "https://sms.example.com/send", "sms_sign": "测试餐饮"}
    with opened(home, senders=sms) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "unknown"
    with opened(home, senders={**sms, "sms_sign_registered": "refused"}) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "bad"
    template = [{"id": "T1", "use": "notice"}]
    with opened(home, senders={**sms, "sms_sign_registered": "registered", "sms_templates": template}) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "good"
        assert result_of(looked(agent, tmp_path), "senders").state == "partial"


def test_duties_that_come_with_a_million_persons_are_asked_for(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "standing_duties").state == "not_applicable"
        inventoried(agent, share, {"会员.csv": 1_500_000})
        found = result_of(looked(agent, tmp_path), "standing_duties")
        assert (found.state, found.command) == ("bad", "cloche assess attest officer")
        call(agent, "assess.attest", subject="officer", by="李样例")
        assert result_of(looked(agent, tmp_path), "standing_duties").state == "good"
        inventoried(agent, share, {"会员.csv": 12_000_000})
        assert result_of(looked(agent, tmp_path), "standing_duties").state == "partial"


def test_a_broken_record_is_bad_and_a_printed_head_anchors_it(home, tmp_path):
    with opened(home) as agent:
        agent.audit.append("test.act", "测试甲")
        look = looked(agent, tmp_path)
        assert (result_of(look, "record_whole").state, result_of(look, "anchored").state) == ("good", "bad")
        call(agent, "assess.attest", subject="anchor", by="李样例")
        assert result_of(looked(agent, tmp_path), "anchored").state == "good"
        home.audit_log.write_bytes(home.audit_log.read_bytes().replace(b"test.act", b"test.ack"))
        assert result_of(looked(agent, tmp_path), "record_whole").state == "bad"


# History, report, picture


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """Operations look at a machine that has nothing: asking a real one for its updates takes seconds."""
    monkeypatch.setattr(
        "agent.assess.machine.Machine", lambda: Machine(tmp_path / "nothing", run=lambda _command: None)
    )


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


# If this server were stolen tonight


def test_what_a_thief_would_have_is_counted_and_nothing_is_recorded_or_sent(home, share, tmp_path):
    with opened(home, store={"name": "测试一店", "province": "上海市"}) as agent:
        inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40, "members.sql": 300})
        agent.keyring.adopt(make_identity("recovery").public)
        call(agent, "protect", paths=[str(share / "预订.csv")])
        before = home.audit_log.read_bytes()
        look = looked(agent, tmp_path)
        found = tonight(look)
        document = document_of(found, look)
        assert (document["strays"]["files"], document["sealed"]["files"]) == (2, 1)
        assert document["persons"] == 600
        running = {duty["key"] for duty in document["duties"] if duty["state"] == "running"}
        assert {key for key in running if key.startswith("cn-pipl/")}
        assert "cn-incident-reporting/province-4h" not in running
        best = document["lower"][0]
        assert (best["id"], best["persons"]) == ("seal_strays", 600)
        assert len(document["drafts"]) > 3
        assert incidents(agent).all() == []
        assert home.audit_log.read_bytes() == before
        assert not list(home.documents.rglob("*.docx"))
        assert agent.outbox.pending() == []


def test_every_draft_of_the_hypothesis_says_so_on_each_page(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        look = looked(agent, tmp_path)
        files = rendered(look, tonight(look), ("html",))
    assert len(files) > 6
    for name, content in files.items():
        page = content.decode("utf-8")
        words_of_it = "假设情形，不是真实事件" if ".zh-CN." in name else "HYPOTHETICAL"
        assert words_of_it in page, name
        assert name.startswith("假设" if ".zh-CN." in name else "hypothetical")


def test_a_million_persons_would_start_the_four_hours_and_an_unscanned_store_gets_no_guess(home, share, tmp_path):
    with opened(home) as agent:
        with pytest.raises(ClocheError, match="扫描"):
            tonight(looked(agent, tmp_path))
        inventoried(agent, share, {"会员.csv": 1_200_000})
        look = looked(agent, tmp_path)
        states = {clock.key: clock.state for clock in tonight(look).clocks}
        assert states["cn-incident-reporting/province-4h"] == "running"


def test_an_encrypted_volume_is_out_of_a_thiefs_reach(home, share, tmp_path):
    class Encrypted(Machine):
        def is_encrypted(self, path):
            return True

    with opened(home) as agent:
        inventoried(agent, share)
        machine = Encrypted(tmp_path / "nothing", run=lambda _command: None)
        found = tonight(looked(agent, tmp_path, machine=machine))
        assert (found.persons, len(found.locked)) == (0, 3)


def test_a_volume_is_told_encrypted_by_the_kernel_also_under_lvm(tmp_path):
    device = os.stat(tmp_path).st_dev
    block = tmp_path / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    (block / "dm").mkdir(parents=True)
    (block / "dm/uuid").write_text("LVM-abc\n")
    assert not Machine(tmp_path).is_encrypted(os.fsencode(tmp_path))
    below = tmp_path / "sys/dev/block/254:7/dm"
    below.mkdir(parents=True)
    (below / "uuid").write_text("CRYPT-LUKS2-abc\n")
    (block / "slaves/dm-7").mkdir(parents=True)
    (block / "slaves/dm-7/dev").write_text("254:7\n")
    assert Machine(tmp_path).is_encrypted(os.fsencode(tmp_path))


def test_attestations_come_back_as_they_were_given(home):
    with opened(home) as agent:
        store = AssessmentStore(agent.inventory.sessions)
        word = Attestation(subject="backup", at=NOW, recorded_at=NOW, by="王测试", ok=True, note="")
        store.attest(word)
        assert store.attestations("backup") == [word]


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
