"""The record and the timelines bear each other out; a bundle is verified by an outsider, whatever byte was touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent.assess.look import Look
from agent.assess.machine import Machine
from agent.assess.run import assess_and_keep
from agent.audit import standalone
from agent.audit.bundle import make_bundle
from agent.audit.contents import contents_of
from agent.audit.diligence import gather, in_force_since
from agent.audit.log import AuditLog
from agent.audit.retention import Kind, held, keep_records, load_kinds, rule_of
from agent.audit.standalone import CUT, Bundle, canonical, entry_hash
from agent.audit.verify import Head, verify
from agent.audit.whole import verify_all, verify_record
from agent.incident.course import Course
from agent.incident.declare import Declaration, report
from agent.incident.records import Step
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.watch.api import AccessEvent
from agent.wiring import build_agent
from config.errors import UsageError
from config.home import find_home
from config.schema import Settings

PLANTED = "13800001111"
NOW = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
OWNER = Caller(uid=0, gid=0, pid=1, user="测试甲", is_owner=True)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="absent: openssl")


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    return home


@contextmanager
def opened(home, now=NOW, **settings):
    with build_agent(home, Settings.model_validate(settings), now=lambda: now) as agent:
        yield agent


def with_incident(agent, steps=3, summary="有人拷贝名单"):
    """An incident whose timeline has a few steps; its id."""
    said = Declaration(kind="insider", summary=summary, discovered_at=NOW, by="测试甲")
    incident = report(agent, said)
    for number in range(steps):
        Course(agent, incident.id, "测试甲").record("note", text=f"第 {number} 步")
    return incident.id


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def test_record_and_timelines_as_written_are_whole(home):
    with opened(home) as agent:
        incident = with_incident(agent)
        state = verify_all(agent)
        assert (state.ok, state.unnamed) == (True, 0)
        assert state.timelines[incident].entries >= 4


def test_a_timeline_is_found_out_at_every_byte_changed_removed_or_inserted(home):
    with opened(home) as agent:
        incident = "I20261126-bkrt"
        for number in range(2):
            agent.timelines.append(incident, Step(time=NOW, act="note", actor="测试甲", details={"n": number}))
        agent.timelines.head(incident)
        path, key = agent.timelines.path(incident), agent.keyring.public_key
        whole = path.read_bytes()
        for place in range(len(whole)):
            before, byte, after = whole[:place], whole[place], whole[place + 1 :]
            for changed in (before + bytes([byte ^ 1]) + after, before + after, before + b" " + whole[place:]):
                path.write_bytes(changed)
                assert not agent.timelines.verify(incident, key).ok, f"byte {place}"
        path.write_bytes(whole)
        assert agent.timelines.verify(incident, key).ok


def test_entries_of_a_timeline_removed_repeated_or_swapped_are_found(home):
    with opened(home) as agent:
        incident = with_incident(agent)
        agent.timelines.head(incident)
        path, key = agent.timelines.path(incident), agent.keyring.public_key
        lines = lines_of(path)
        for one in range(len(lines)):
            changes = [lines[:one] + lines[one + 1 :], [*lines[: one + 1], lines[one], *lines[one + 1 :]]]
            for two in range(one + 1, len(lines)):
                swapped = list(lines)
                swapped[one], swapped[two] = swapped[two], swapped[one]
                changes.append(swapped)
            for changed in changes:
                path.write_bytes(b"".join(changed))
                assert not agent.timelines.verify(incident, key).ok


def test_a_timeline_cut_together_with_its_head_shows_against_the_record(home):
    with opened(home) as agent:
        incident = with_incident(agent)
        path, head = agent.timelines.path(incident), agent.timelines.head(incident)
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[:-1]))
    path.with_name(path.stem + ".head.json").unlink()
    with opened(home) as agent:
        assert agent.timelines.verify(incident, agent.keyring.public_key).ok  # by itself it looks whole
        state = verify_all(agent)
        assert not state.ok
        assert (state.faults[0].name, "cut" in state.faults[0].fault) == (incident, True)
        anchored = Head(seq=head.seq, hash=head.hash, time="", signature="", of=incident)
        path.write_bytes(b"".join(lines))
        assert verify_all(agent, anchored).ok
        wrong = Head(seq=head.seq, hash="0" * 64, time="", signature="", of=incident)
        assert "changed" in verify_all(agent, wrong).faults[0].fault


def test_a_timeline_that_was_deleted_or_rewritten_as_a_whole_shows_against_the_record(home):
    with opened(home) as agent:
        incident = with_incident(agent)
        path, key = agent.timelines.path(incident), agent.keyring.public_key
        sign = agent.keyring.sign
        whole = path.read_bytes()
        path.unlink()
        assert "missing" in verify_all(agent).faults[0].fault
        path.with_name(path.stem + ".head.json").unlink(missing_ok=True)
        forged = AuditLog(path, sign)  # by the store's own key
        for line in whole.splitlines():
            entry = json.loads(line)
            forged.append(entry["act"], "测试乙", **entry["details"])
        forged.sign_head()
        assert verify(path, key).ok
        assert "changed" in verify_all(agent).faults[0].fault


def test_an_entry_put_into_a_timeline_behind_the_records_back_is_counted(home):
    with opened(home) as agent:
        incident = with_incident(agent)
        AuditLog(agent.timelines.path(incident), agent.keyring.sign).append("note", "测试乙", ok=True)
        state = verify_all(agent)
        assert (state.ok, state.unnamed) == (True, 1)


def test_a_log_whose_tail_was_cut_says_so_before_a_new_head_hides_it(home):
    with opened(home) as agent:
        for _ in range(5):
            agent.audit.append("test.act", "测试甲")
        agent.audit.sign_head()
        key = agent.keyring.public_key
    lines = lines_of(home.audit_log)
    home.audit_log.write_bytes(b"".join(lines[:-2]))
    with opened(home) as agent:
        agent.audit.append("test.later", "测试甲")
        agent.audit.sign_head()
    entries = [json.loads(line) for line in lines_of(home.audit_log)]
    assert entries[len(lines) - 2]["act"] == CUT
    assert entries[len(lines) - 2]["details"]["signed"] == len(lines)
    assert "signed entries before it were gone" in verify(home.audit_log, key).fault


def test_the_operation_names_each_fault_and_takes_a_head_from_paper(home):
    with opened(home) as agent:
        incident = with_incident(agent)
        run = find_operation("audit.verify").load()
        head = agent.audit.sign_head()
        answer = run(agent, Request(arguments={"anchor": f"{head.seq}:{head.hash}"}, caller=OWNER))
        assert (answer.exit_code, answer.document["ok"]) == (0, True)
        assert [one["incident"] for one in answer.document["timelines"]] == [incident]
        answer = run(agent, Request(arguments={"anchor": f"{head.seq + 9}:{head.hash}"}, caller=OWNER))
        assert (answer.exit_code, answer.document["faults"][0]["name"]) == (1, "audit")
        with pytest.raises(UsageError, match="anchor"):
            run(agent, Request(arguments={"anchor": "12:zz"}, caller=OWNER))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A real bundle of a store with an incident, people, secrets and planted values; the incident's id."""
    folder = tmp_path_factory.mktemp("made")
    home = find_home(folder / "home")
    home.create()
    people = [{"name": "王测试", "roles": ["store_manager"], "phone": "13800002222", "email": "wang@example.com"}]
    with opened(home, people=people, senders={"sms_secret": "hush-hush", "smtp_password": "hush-hush"}) as agent:
        incident = with_incident(agent, summary=f"顾客 {PLANTED} 来电，有人拷贝名单")
        machine = Machine(folder / "nothing", run=lambda _command: None)
        assess_and_keep(agent, "测试甲", Look(agent=agent, now=agent.now(), machine=machine))
        contents = contents_of(agent, agent.audit.sign_head())
        (folder / "bundle.zip").write_bytes(make_bundle(contents, agent.keyring.sign, "测试一店", agent.now()))
    return folder / "bundle.zip", incident


@pytest.fixture
def outside(made, tmp_path):
    """The bundle as an outsider has it."""
    with zipfile.ZipFile(made[0]) as archive:
        archive.extractall(tmp_path / "outside")
    return tmp_path / "outside"


@pytest.fixture
def quick_signatures(monkeypatch):
    """The same check by the library instead of a process each: for tests that verify a thousand times."""

    def check(data, signature, key_file):
        try:
            key = load_pem_public_key(Path(key_file).read_bytes())
            key.verify(bytes.fromhex(signature), data)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True

    monkeypatch.setattr(standalone, "check_signature", check)


def verified(folder):
    bundle = Bundle(str(folder))
    bundle.verify()
    return bundle


@needs_openssl
def test_a_whole_bundle_is_verified_by_the_standard_library_alone_and_says_what_is_in_it(made, outside):
    folder, incident = outside, made[1]
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py")], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 timelines" in run.stdout
    assert "1 assessments" in run.stdout
    assert json.loads((folder / "missing.json").read_text()) == {}
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {f"timelines/{incident}.jsonl", "diligence/尽职证明.zh-CN.html", "diligence/尽职证明.en.docx",
            "documents.json", "vendors.json", "settings.json", "training.csv"} <= names  # fmt: skip
    page = (folder / "diligence/尽职证明.zh-CN.html").read_text(encoding="utf-8")
    assert incident in page
    assert "缺失、不足和不清楚的事项" in page


def test_a_byte_changed_or_cut_off_in_any_file_of_a_bundle_is_found(outside, quick_signatures):
    """Each file by a sample of its bytes, the signed head of the record by every byte."""
    folder = outside
    assert verified(folder).faults == []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        step = 1 if path.name == "audit.head.json" else max(1, len(whole) // 12)
        for place in (*range(0, len(whole), step), len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert verified(folder).faults, f"{path.name} byte {place}"
        path.write_bytes(whole[:-1])
        assert verified(folder).faults, path.name
        path.write_bytes(whole)
    assert verified(folder).faults == []


@needs_openssl
def test_a_manifest_made_to_fit_a_forged_file_fails_by_its_signature(outside):
    folder = outside
    (folder / "settings.json").write_text("{}\n")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    import hashlib

    from agent.audit.standalone import manifest_hash

    manifest["files"]["settings.json"] = {"size": 3, "sha256": hashlib.sha256(b"{}\n").hexdigest()}
    manifest["hash"] = manifest_hash(manifest)
    (folder / "manifest.json").write_bytes(canonical(manifest) + b"\n")
    assert any("not by this key" in fault for fault in verified(folder).faults)


@needs_openssl
def test_files_put_in_left_out_or_cut_to_fit_each_other_are_found(made, outside, quick_signatures):
    folder, incident = outside, made[1]
    (folder / "extra.txt").write_text("x")
    assert any("extra.txt" in fault for fault in verified(folder).faults)
    (folder / "extra.txt").unlink()
    timeline = folder / f"timelines/{incident}.jsonl"
    whole = timeline.read_bytes()
    timeline.unlink()
    assert any("missing" in fault for fault in verified(folder).faults)
    timeline.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert any("names entry" in fault or "cut" in fault for fault in verified(folder).faults)
    timeline.write_bytes(whole)
    assessments = folder / "assessments.jsonl"
    kept = assessments.read_bytes()
    assessments.write_bytes(b"")
    assert any("assessment 1 is missing" in fault for fault in verified(folder).faults)
    assessments.write_bytes(kept)
    assert verified(folder).faults == []


def test_a_broken_record_is_exported_all_the_same_and_the_exit_code_says_it(home, tmp_path):
    with opened(home) as agent:
        incident = with_incident(agent)
        path = agent.timelines.path(incident)
        lines = lines_of(path)
        forged = json.loads(lines[1])
        forged["actor"] = "测试乙"
        forged["hash"] = entry_hash(forged)
        path.write_bytes(b"".join([lines[0], canonical(forged) + b"\n", *lines[2:]]))
        target = os.open(tmp_path / "b.zip", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            answer = find_operation("audit.export").load()(
                agent, Request(arguments={}, caller=OWNER, descriptors=(target,))
            )
        finally:
            os.close(target)
    assert answer.exit_code == 1
    assert answer.document["faults"][0]["name"] == incident
    assert zipfile.is_zipfile(tmp_path / "b.zip")


def test_no_value_no_secret_and_no_number_of_staff_gets_into_a_bundle(outside):
    for path in outside.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in (PLANTED, "13800002222", "hush-hush", "wang@example.com"):
                assert word.encode() not in content, path
    assert "王测试" in (outside / "settings.json").read_text(encoding="utf-8")


def test_a_part_that_fails_is_named_in_the_bundle_and_the_rest_is_there(home, tmp_path, monkeypatch):
    from agent.audit import contents

    def broken(_agent):
        raise ValueError("x")

    with opened(home) as agent:
        monkeypatch.setattr(
            contents, "PARTS", {"vendors.json": broken, "settings.json": contents.PARTS["settings.json"]}
        )
        written = contents.contents_of(agent, agent_head(agent))
    assert json.loads(written["missing.json"]) == {"vendors.json": "ValueError"}
    assert "settings.json" in written


def agent_head(agent):
    agent.audit.append("test.act", "测试甲")
    return agent.audit.sign_head()


def test_a_measure_is_in_force_since_the_first_assessment_without_a_gap(home):
    with opened(home) as agent:
        look = Look(agent=agent, now=NOW)
        for day, state in enumerate(("good", "bad", "good", "good")):
            assessment_of(agent, NOW + timedelta(days=day), state)
        since = in_force_since(tuple(look.store.assessments()))
        assert since == {"keys": NOW + timedelta(days=2)}
        assert gather(agent).since == since


def assessment_of(agent, at, state):
    from agent.assess.records import Assessment, Measured, Result, say
    from agent.assess.store import AssessmentStore

    result = Result(state=state, score=float(state == "good"), evidence=(say("assess.ev_no_keys"),))
    measured = Measured(id="keys", row="二.3", risks=("storage",), weight=1, result=result)
    AssessmentStore(agent.inventory.sessions).keep(Assessment(at=at, actor="测试甲", pack="t", measured=(measured,)))


# Records are kept as long as the law says


def event_at(at):
    return AccessEvent(at=at, monotonic_ns=0, key="k", path=b"/s/a.csv", operation="read")


@pytest.mark.parametrize("card_data", [False, True])
def test_no_rule_lets_records_go_before_the_law_does(card_data):
    rules = {kind.id: rule_of(kind, card_data=card_data) for kind in load_kinds()}
    assert rules["access_events"].at_least_days >= (365 if card_data else 184)
    assert all(rules[name].at_least_days >= 1096 for name in ("audit_record", "timelines", "assessments", "documents"))
    assert rules["timelines"].purge_after_days is None
    with pytest.raises(ValueError, match="the law asks"):
        rule_of(Kind(id="access_events", law="logs", purge_after_days=90), card_data=card_data)


def test_old_events_go_by_rule_and_on_record_and_young_ones_stay(home):
    with opened(home) as agent:
        for days in (500, 420, 200, 10, 0):
            agent.events.add(event_at((NOW - timedelta(days=days)).timestamp()), agent.mask)
        keep_records(agent, NOW)
        entry = json.loads(lines_of(home.audit_log)[-1])
        assert (entry["act"], entry["details"]["count"], entry["details"]["early"]) == ("audit.purged", 2, False)
        kind = next(kind for kind in held(agent, NOW) if kind.id == "access_events")
        assert (kind.count, kind.lost_early) == (3, False)
        keep_records(agent, NOW + timedelta(hours=1))
        assert len(lines_of(home.audit_log)) == 1


def test_events_that_went_before_their_time_are_noticed_and_count_against_the_store(home):
    with opened(home) as agent:
        for days in (30, 20, 10):
            agent.events.add(event_at((NOW - timedelta(days=days)).timestamp()), agent.mask)
        agent.events.purge(before=(NOW - timedelta(days=15)).timestamp())
        keep_records(agent, NOW)
        entry = json.loads(lines_of(home.audit_log)[-1])
        assert (entry["details"]["count"], entry["details"]["early"]) == (2, True)
        from agent.assess.measures.readiness import RecordsKept

        assert RecordsKept().measure(Look(agent=agent, now=NOW)).state == "bad"


def test_a_clock_set_back_does_not_keep_the_records_from_being_looked_after(home):
    with opened(home) as agent:
        agent.events.add(event_at((NOW - timedelta(days=500)).timestamp()), agent.mask)
        agent.events.add(event_at(NOW.timestamp()), agent.mask)
        keep_records(agent, NOW + timedelta(days=300))
        keep_records(agent, NOW)
        assert next(kind for kind in held(agent, NOW) if kind.id == "access_events").count == 1


def test_the_list_of_what_is_kept_says_what_was_not_verified(home):
    with opened(home) as agent:
        answer = find_operation("audit.retention").load()(agent, Request(arguments={}, caller=OWNER))
    kinds = {kind["kind"]: kind for kind in answer.document["kinds"]}
    assert kinds["access_events"]["verified"] is False
    assert kinds["timelines"]["purge_after_days"] is None


def test_an_unreadable_folder_of_timelines_is_no_timeline(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl", lambda _data: b"\0" * 64)
    log.append("a", "b")
    state = verify_record(tmp_path / "audit.jsonl", tmp_path / "none", None)
    assert (state.ok, dict(state.timelines)) == (True, {})
