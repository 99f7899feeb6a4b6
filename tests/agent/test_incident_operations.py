"""What the operations accept, whom they let pass, and what the command line answers."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audit import export_operation, verify_operation
from agent.incident import operations
from agent.incident.moments import parse_moment
from agent.incident.records import Step
from agent.operation import Caller, Request
from agent.wiring import build_agent
from config.errors import ExitCode, RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import LANGUAGES, load_packs

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
STRANGER = Caller(uid=1000, gid=1000, pid=1, user="waiter")
MANAGER = Caller(uid=1001, gid=1001, pid=1, user="manager", roles=frozenset({"store_manager"}))
FACTS = {"kind": "insider", "summary": "有人在拷贝会员名单"}


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def agent(home):
    with build_agent(home, Settings()) as agent:
        yield agent


def ask(caller=OWNER, **arguments):
    return Request(arguments=arguments, caller=caller)


def test_a_clock_time_means_today_in_the_stores_zone():
    assert parse_moment("11:58", "--x", NOW, ZONE) == datetime(2026, 11, 23, 3, 58, tzinfo=UTC)
    assert parse_moment("11：58", "--x", NOW, ZONE) == datetime(2026, 11, 23, 3, 58, tzinfo=UTC)


def test_a_time_without_a_zone_is_the_stores():
    assert parse_moment("2026-11-22T09:00", "--x", NOW, ZONE) == datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
    assert parse_moment("2026-11-22T09:00Z", "--x", NOW, ZONE) == datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["14:40", "2026-11-24", "25:00", "yesterday", "", "1999-12-31", "11:58:99"])
def test_a_time_in_the_future_or_nonsense_is_refused_by_the_name_of_its_option(text):
    with pytest.raises(UsageError, match="--discovered-at"):
        parse_moment(text, "--discovered-at", NOW, ZONE)


@given(st.text(max_size=30))
def test_no_text_makes_a_moment_in_the_future(text):
    try:
        moment = parse_moment(text, "--x", NOW, ZONE)
    except UsageError:
        return
    assert moment <= NOW
    assert moment.tzinfo is not None


@pytest.mark.parametrize(
    ("change", "names"),
    [({"kind": "theft"}, "--kind"), ({"summary": "  "}, "--summary"), ({"scope": "some"}, "--scope"),
     ({"discovered_at": "2999-01-01"}, "--discovered-at"), ({"paths": ["relative"]}, "--path"),
     ({"occurred_at": "2026-01-02", "discovered_at": "2026-01-01"}, "--occurred-at"),
     ({"place": 7}, "place"), ({"scope": "named"}, "--path")],
)  # fmt: skip
def test_a_declaration_that_cannot_be_is_refused_and_nothing_is_kept(agent, change, names):
    with pytest.raises(UsageError, match=names):
        operations.declare(agent, ask(**{**FACTS, **change}))
    assert operations.list_incidents(agent, ask()).document["incidents"] == []


def test_anyone_may_report_and_sees_no_data(agent):
    answer = operations.report(agent, ask(STRANGER, **FACTS))
    assert answer.document["phase"] == "reported"
    assert not {"items", "persons", "types", "who", "documents"} & set(answer.document)


def test_who_has_no_role_may_neither_declare_nor_look_nor_end(agent):
    found = operations.report(agent, ask(**FACTS)).document["id"]
    for operation in (operations.declare, operations.show, operations.list_incidents, operations.close,
                      operations.dismiss):  # fmt: skip
        with pytest.raises(RefusedError):
            operation(agent, ask(STRANGER, id=found, **FACTS))
    with pytest.raises(RefusedError):
        operations.dismiss(agent, ask(MANAGER, id=found))
    assert operations.show(agent, ask(MANAGER, id=found)).document["phase"] == "reported"


def test_closing_as_a_false_alarm_is_a_dismissal(agent):
    found = operations.report(agent, ask(**FACTS)).document["id"]
    answer = operations.close(agent, ask(id=found, false_alarm=True))
    assert (answer.document["phase"], answer.exit_code) == ("dismissed", ExitCode.DONE)


def test_a_dismissal_that_was_made_good_leaves_no_failure(agent):
    found = operations.report(agent, ask(**FACTS)).document["id"]
    cut = {"files": 1, "vaulted": 0, "fenced": 0, "released": 0, "reason": "the disk is full"}
    for act, ok in (("vault", False), ("dismiss", True), ("release", False)):
        agent.timelines.append(found, Step(time=datetime.now(UTC), act=act, actor="x", ok=ok, details=cut))
    assert len(operations.show(agent, ask(id=found)).document["failures"]) == 1
    answer = operations.dismiss(agent, ask(id=found))
    assert (answer.document["complete"], answer.document["failures"]) == (True, [])


def test_documents_show_every_clock_with_its_flag_and_start_at_discovery(agent):
    start = datetime.now(ZONE) - timedelta(hours=2, minutes=13)
    answer = operations.report(agent, ask(**FACTS, discovered_at=start.isoformat()))
    clocks = {clock["key"]: clock for clock in answer.document["clocks"]}
    assert 7_980 <= clocks["cn-pipl/art-57"]["elapsed_seconds"] <= 8_100
    assert clocks["cn-data-security/art-29"]["verified"] is False
    assert clocks["cn-pipl/art-57"]["start"].endswith("+08:00")


def test_the_audit_operations_tell_a_whole_log_from_a_broken_one(agent, home, tmp_path):
    operations.report(agent, ask(**FACTS))
    assert verify_operation(agent, ask()).exit_code == ExitCode.DONE
    exported = export_operation(agent, ask())
    assert os.path.getsize(exported.document["path"]) > 0
    whole = home.audit_log.read_bytes()
    home.audit_log.write_bytes(whole.replace(b"incident.report", b"incident.nothing"))
    answer = verify_operation(agent, ask())
    assert (answer.exit_code, answer.document["line"]) == (ExitCode.FAILED, 1)
    assert export_operation(agent, ask()).exit_code == ExitCode.FAILED
    with pytest.raises(RefusedError):
        verify_operation(agent, ask(STRANGER))


def cloche(home, *arguments):
    program = os.path.join(os.path.dirname(sys.executable), "cloche")
    return subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CLOCHE_HOME": str(home.state)},
        stdin=subprocess.DEVNULL,
    )


def test_the_command_line_declares_only_with_a_yes_and_undoes_with_the_key_file(home, tmp_path):
    file = tmp_path / "会员.csv"
    file.write_text("测试甲,13800001111\n" * 9, encoding="utf-8")
    before = file.read_bytes()
    recovery = make_identity("recovery")
    sheet = tmp_path / "sheet.txt"
    sheet.write_text(recovery.sheet())
    with build_agent(home, Settings()) as agent:
        agent.keyring.adopt(recovery.public)
    facts = ("--kind", "insider", "--summary", "拷贝", "--path", str(file))

    reported = cloche(home, "incident", "report", *facts, "--scope", "named", "--yes", "--json")
    assert (reported.returncode, json.loads(reported.stdout)["phase"]) == (0, "reported")
    assert file.exists()

    refused = cloche(home, "incident", "declare", *facts)
    assert refused.returncode == 4, refused.stderr
    assert "会员.csv" in refused.stderr
    assert file.exists()

    shown = cloche(home, "incident", "declare", *facts, "--dry-run", "--json")
    assert json.loads(shown.stdout)["files"] == 1
    assert file.exists()

    declared = cloche(home, "incident", "declare", *facts, "--yes", "--json")
    document = json.loads(declared.stdout)
    assert (declared.returncode, document["schema"], document["complete"]) == (0, "cloche.incident/1", True)
    assert not file.exists()

    assert document["id"] in cloche(home, "incident", "list").stdout
    assert "不构成法律意见" in cloche(home, "incident", "show", document["id"]).stdout

    without = cloche(home, "incident", "dismiss", document["id"], "--yes")
    assert without.returncode == 3
    assert "--key-file" in without.stderr
    undone = cloche(home, "incident", "close", document["id"], "--false-alarm", "--yes", "--key-file", str(sheet))
    assert undone.returncode == 0, undone.stderr
    assert file.read_bytes() == before
    assert cloche(home, "audit", "verify").returncode == 0

    bundle = tmp_path / "audit.zip"
    assert cloche(home, "audit", "export", "-o", str(bundle)).returncode == 0
    assert bundle.stat().st_size > 0
    assert cloche(home, "audit", "export", "-o", str(bundle)).returncode == 2
    home.audit_log.write_bytes(
        home.audit_log.read_bytes().replace(b"insider", b"outside", 1).replace(b"declare", b"declars", 1)
    )
    broken = cloche(home, "audit", "verify")
    assert broken.returncode == 1
    assert "audit.jsonl" in broken.stderr


def test_every_text_of_an_incident_speaks_both_languages():
    for key, versions in load_packs().items():
        if key.split(".")[0] in ("incident", "report", "audit"):
            assert set(versions) == set(LANGUAGES), key


def test_somebody_without_a_role_cannot_fill_the_disk_with_reports(agent):
    for _ in range(operations.MOST_REPORTS):
        operations.report(agent, ask(STRANGER, **FACTS))
    with pytest.raises(RefusedError):
        operations.report(agent, ask(STRANGER, **FACTS))
    assert operations.report(agent, ask(MANAGER, **FACTS)).document["id"]
