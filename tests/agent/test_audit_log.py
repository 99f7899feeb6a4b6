"""The record of every act: found out when touched at any byte, whole after a crash, verifiable by an outsider."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.audit import AuditLog, verify
from agent.audit.bundle import make_bundle, record_contents
from agent.audit.log import SIGN_EVERY
from agent.audit.standalone import canonical, check_chain, entry_hash
from agent.audit.verify import head_file
from config.errors import ClocheError

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


def write_log(path, count=5):
    log = AuditLog(path, KEY.sign)
    for number in range(count):
        log.append("test.act", "测试甲", number=number, note="门店")
    return log.sign_head()


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def test_a_log_as_written_is_whole_and_private(tmp_path):
    path = tmp_path / "audit.jsonl"
    head = write_log(path)
    state = verify(path, PUBLIC)
    assert (state.ok, state.entries, state.signed_to, state.last_hash) == (True, 5, 5, head.hash)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(head_file(path).stat().st_mode) == 0o600
    assert [json.loads(line)["details"]["number"] for line in lines_of(path)] == [0, 1, 2, 3, 4]


def test_a_change_of_any_single_byte_is_found_and_its_line_named(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path, count=3)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for other in (whole[place] ^ 0x01, whole[place] ^ 0x20):
            path.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
            state = verify(path, PUBLIC)
            assert not state.ok, f"byte {place}"
            assert state.line == whole[:place].count(b"\n") + 1


def test_a_byte_removed_or_inserted_anywhere_is_found(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path, count=3)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for changed in (whole[:place] + whole[place + 1 :], whole[:place] + b" " + whole[place:]):
            path.write_bytes(changed)
            assert not verify(path, PUBLIC).ok, f"byte {place}"


@pytest.mark.parametrize("line", range(5))
def test_a_removed_entry_is_found(tmp_path, line):
    path = tmp_path / "audit.jsonl"
    write_log(path)
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    assert not verify(path, PUBLIC).ok


def test_a_repeated_or_reordered_entry_is_found(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path)
    lines = lines_of(path)
    for one in range(5):
        path.write_bytes(b"".join([*lines[: one + 1], lines[one], *lines[one + 1 :]]))
        assert not verify(path, PUBLIC).ok
        for two in range(one + 1, 5):
            swapped = list(lines)
            swapped[one], swapped[two] = swapped[two], swapped[one]
            path.write_bytes(b"".join(swapped))
            assert verify(path, PUBLIC).line == one + 1


def test_an_entry_with_an_honest_hash_put_in_between_is_found(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path)
    lines = lines_of(path)
    forged = json.loads(lines[2])
    forged["details"] = {"number": 99}
    forged["hash"] = entry_hash(forged)
    path.write_bytes(b"".join([*lines[:2], canonical(forged) + b"\n", *lines[3:]]))
    state = verify(path, PUBLIC)
    assert not state.ok
    assert state.line == 4


def test_a_tail_cut_or_rewritten_after_the_signed_head_is_found(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path)
    lines = lines_of(path)
    path.write_bytes(b"".join(lines[:4]))
    assert "cut" in verify(path, PUBLIC).fault
    forged = json.loads(lines[4])
    forged["act"] = "nothing.happened"
    forged["hash"] = entry_hash(forged)
    path.write_bytes(b"".join(lines[:4]) + canonical(forged) + b"\n")
    assert "not the one that was signed" in verify(path, PUBLIC).fault


def test_a_tail_cut_together_with_its_head_is_found_by_an_anchored_head(tmp_path):
    path = tmp_path / "audit.jsonl"
    anchored = write_log(path)
    shutil.rmtree(tmp_path / "other", ignore_errors=True)
    other = tmp_path / "other"
    other.mkdir()
    shorter = other / "audit.jsonl"
    shorter.write_bytes(b"".join(lines_of(path)[:3]))
    assert verify(shorter, PUBLIC).ok
    assert "cut" in verify(shorter, PUBLIC, anchored).fault


def test_a_head_signed_by_another_key_or_garbled_is_found(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path)
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert "not by this store's key" in verify(path, stranger).fault
    head_file(path).write_bytes(b"[]")
    assert "cannot be read" in verify(path, PUBLIC).fault


def test_the_head_is_signed_as_the_log_grows(tmp_path):
    path = tmp_path / "audit.jsonl"
    now = [datetime(2026, 11, 23, tzinfo=UTC)]
    log = AuditLog(path, KEY.sign, now=lambda: now[0])
    log.append("a", "b")
    assert verify(path, PUBLIC).signed_to == 1
    for _ in range(SIGN_EVERY):
        log.append("a", "b")
    assert verify(path, PUBLIC).signed_to == 1 + SIGN_EVERY
    log.append("a", "b")
    assert verify(path, PUBLIC).signed_to == 1 + SIGN_EVERY
    now[0] += timedelta(minutes=2)
    log.append("a", "b")
    assert verify(path, PUBLIC).signed_to == 3 + SIGN_EVERY


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(min_value=1, max_value=200), tail=st.binary(max_size=40).filter(lambda b: b"\n" not in b))
def test_a_torn_last_line_is_moved_aside_and_recorded(tmp_path_factory, cut, tail):
    path = tmp_path_factory.mktemp("torn") / "audit.jsonl"
    write_log(path, count=3)
    whole = path.read_bytes()
    torn = lines_of(path)[-1][: cut % 150 + 1].rstrip(b"\n") + tail
    path.write_bytes(whole + torn)
    log = AuditLog(path, KEY.sign)
    log.append("after.crash", "cloche")
    entries = [json.loads(line) for line in lines_of(path)]
    assert [entry["act"] for entry in entries[3:]] == ["audit.torn", "after.crash"]
    assert path.with_name(entries[3]["details"]["kept_as"]).read_bytes() == torn
    assert path.read_bytes().startswith(whole)
    assert verify(path, PUBLIC).ok


def test_a_crash_while_a_torn_line_is_set_aside_loses_nothing(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path, count=2)
    aside = path.with_name(path.name + ".torn")
    aside.write_bytes(b'{"half')
    log = AuditLog(path, KEY.sign)
    log.append("later", "cloche")
    entries = [json.loads(line) for line in lines_of(path)]
    assert [entry["act"] for entry in entries[2:]] == ["audit.torn", "later"]
    assert not aside.exists()


def test_a_tampered_log_still_takes_entries_and_says_so(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path, count=2)
    with path.open("ab") as file:
        file.write(b"garbage\n")
    log = AuditLog(path, KEY.sign)
    log.append("incident.declare", "cloche")
    assert [json.loads(line)["act"] for line in lines_of(path)[3:]] == ["audit.broken", "incident.declare"]
    assert verify(path, PUBLIC).line == 3


def test_a_log_goes_on_where_another_process_left_off(tmp_path):
    path = tmp_path / "audit.jsonl"
    write_log(path, count=2)
    write_log(path, count=2)
    assert verify(path, PUBLIC).entries == 4


def test_an_entry_that_cannot_be_written_is_an_error_that_names_the_act(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl", KEY.sign)
    with pytest.raises(ClocheError, match=r"some\.act"):
        log.append("some.act", "x", value=object())
    log.append("next.act", "x")
    assert verify(tmp_path / "audit.jsonl", PUBLIC).ok


def test_a_full_disk_is_an_error_and_what_was_cut_is_set_aside(tmp_path, monkeypatch):
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, KEY.sign)
    log.append("a", "b")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:20]))
    with pytest.raises(ClocheError, match=r"b\.lost"):
        log.append("b.lost", "b")
    monkeypatch.undo()
    log.append("c.after", "b")
    assert [json.loads(line)["act"] for line in lines_of(path)] == ["a", "audit.torn", "c.after"]
    assert verify(path, PUBLIC).ok


def test_closing_signs_what_is_not_signed_yet_and_makes_no_log_where_there_was_none(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl", KEY.sign)
    log.close()
    assert list(tmp_path.iterdir()) == []
    log.append("a", "b")
    log.append("a", "b")
    assert verify(tmp_path / "audit.jsonl", PUBLIC).signed_to == 1
    log.close()
    assert verify(tmp_path / "audit.jsonl", PUBLIC).signed_to == 2


def test_two_writers_in_turn_and_threads_of_one_keep_one_chain(tmp_path):
    path = tmp_path / "audit.jsonl"
    one, two = AuditLog(path, KEY.sign), AuditLog(path, KEY.sign)
    for log in (one, two, one, two):
        log.append("a", "b")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: one.append("a", "b", number=number), range(40)))
    assert verify(path, PUBLIC).entries == 44
    assert verify(path, PUBLIC).ok


def unpacked(tmp_path):
    path = tmp_path / "audit.jsonl"
    head = write_log(path)
    bundle = tmp_path / "bundle.zip"
    contents = record_contents(path.read_bytes(), head, PUBLIC, "测试一店")
    bundle.write_bytes(make_bundle(contents, KEY.sign, "测试一店", datetime.now(UTC)))
    folder = tmp_path / "outside"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


def run_verifier(folder, path=None):
    environment = {"PATH": path if path is not None else os.environ["PATH"], "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py")], capture_output=True, text=True, env=environment,
        check=False,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("openssl") is None, reason="absent: openssl")
def test_an_outsider_verifies_the_bundle_with_the_standard_library_alone(tmp_path):
    folder = unpacked(tmp_path)
    answer = run_verifier(folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    log = folder / "audit.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'"number":2', b'"number":3'))
    answer = run_verifier(folder)
    assert answer.returncode == 1
    assert "3:" in answer.stdout
    log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert run_verifier(folder).returncode == 1
    log.write_bytes(whole)
    head = json.loads((folder / "audit.head.json").read_bytes())
    head["signature"] = "00" * 64
    (folder / "audit.head.json").write_text(json.dumps(head))
    assert run_verifier(folder).returncode == 1


def test_a_verifier_without_openssl_says_that_the_signature_was_not_checked(tmp_path):
    folder = unpacked(tmp_path)
    answer = run_verifier(folder, path=str(tmp_path))
    assert answer.returncode == 3
    assert "NOT checked" in answer.stdout


def test_the_bundle_explains_itself_in_both_languages(tmp_path):
    folder = unpacked(tmp_path)
    assert "python3 verify.py" in (folder / "README.md").read_text(encoding="utf-8")
    assert "不构成法律意见" in (folder / "README.zh-CN.md").read_text(encoding="utf-8")


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(), st.integers(), st.none(), st.booleans()), max_size=4))
def test_every_json_value_survives_the_canonical_form(details):
    entry = {"seq": 1, "time": "t", "act": "a", "actor": "b", "details": details, "prev": "0" * 64}
    entry["hash"] = entry_hash(entry)
    chain, line, fault = check_chain([canonical(entry) + b"\n"])
    assert (line, fault, chain.entries) == (0, "", 1)
