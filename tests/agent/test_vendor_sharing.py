"""A list is shared on whose word, under which contract and keys, with which canaries, and what a cut leaves."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import vendor_shop
from shops import Clock
from vendor_shop import (
    PHONES,
    SETTINGS,
    START,
    VENDOR,
    ask,
    descriptors,
    members,
    opened,
    register,
    share,
    unpacked,
    without_forms,  # noqa: F401
)

from agent.vendors import operations
from agent.vendors.duties import look_after
from agent.vendors.store import vendors
from agent.wiring import build_agent
from config.errors import ClocheError, RefusedError
from config.home import find_home
from config.identity import encode_public
from config.schema import Settings


def test_nothing_is_shared_without_a_contract_in_force(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    with opened(tmp_path) as (agent, _clock):
        register(agent, ends="2026-11-25")
        with pytest.raises(RefusedError, match="合同"):
            share(agent, tmp_path, source)
        assert vendors(agent).shares() == []


def test_nothing_is_shared_without_the_vendors_key_or_a_recovery_key(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings.model_validate(SETTINGS), now=Clock(START)) as agent:
        ask(agent, operations.add, {"name": "测试快印"})
        with pytest.raises(RefusedError, match="公钥"):
            share(agent, tmp_path, source)
        ask(agent, operations.change, {"vendor": "测试快印", "public_key": encode_public(VENDOR.public)})
        ask(agent, operations.contract, {"vendor": "V001", "number": "1", "begins": "2026-01-01", "ends": "2027-01-01"})
        (tmp_path / "测试快印-0.clochepkg").unlink()
        with pytest.raises(RefusedError, match="cloche keys init"):
            share(agent, tmp_path, source)


def test_an_empty_pool_refuses_and_a_reason_goes_on_record(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    settings = {**SETTINGS, "vendors": {**SETTINGS["vendors"], "canary_phones": PHONES[:5]}}
    with opened(tmp_path, settings) as (agent, _clock):
        register(agent)
        share(agent, tmp_path, source)
        with pytest.raises(RefusedError, match="还剩 1 个"):
            share(agent, tmp_path, source)
        for package in tmp_path.glob("*-1.clochepkg"):
            package.unlink()
        _, document = share(agent, tmp_path, source, without_canaries="对方系统只收原文件")
        assert (document["canaries"], document["without_canaries"]) == (0, "对方系统只收原文件")
        assert document["files"][0]["why"] == "said"
        acts = [json.loads(line) for line in agent.home.audit_log.read_text().splitlines()]
        assert acts[-1]["details"]["without_canaries"] == "对方系统只收原文件"
    unset = {**SETTINGS, "vendors": {}}
    (tmp_path / "unset").mkdir()
    with opened(tmp_path / "unset", unset) as (agent, _clock):
        register(agent)
        with pytest.raises(RefusedError, match="canary_phones"):
            share(agent, tmp_path / "unset", source)


def test_whoever_may_not_approve_waits_for_the_word_of_one_who_may(tmp_path):
    from agent.approvals import approve, waiting

    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        with pytest.raises(RefusedError, match="王测试"):
            share(agent, tmp_path, source, user="tech")
        assert vendors(agent).shares() == []
        (wanted,) = waiting(agent)
        assert "测试快印" in wanted.about
        approve(agent, wanted.subject, agent.people.named("王测试"), "account")
        for package in tmp_path.glob("*.clochepkg"):
            package.unlink()
        _, document = share(agent, tmp_path, source, user="tech")
        assert document["approved_by"] == "王测试"
        with pytest.raises(RefusedError):
            share(agent, tmp_path, source, user="tech")  # a word counts for one package


def test_files_that_hold_no_canary_are_named_and_alone_are_refused(tmp_path):
    source, note = tmp_path / "会员.csv", tmp_path / "说明.txt"
    source.write_bytes(members(9))
    note.write_text("请于周五前寄出。")
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        with pytest.raises(RefusedError, match="不是表格"):
            share(agent, tmp_path, note)
        assert vendors(agent).plantings() == []
        for package in tmp_path.glob("*.clochepkg"):
            package.unlink()
        _, document = share(agent, tmp_path, source, note)
        assert [file["why"] for file in document["files"]] == ["", "format"]


def test_a_file_name_with_a_customer_in_it_is_masked_in_all_that_is_kept(tmp_path):
    source = tmp_path / "13800001111.csv"
    source.write_bytes(members(9))
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        package, document = share(agent, tmp_path, source)
        assert "13800001111" not in json.dumps(document, ensure_ascii=False)
        for path in agent.home.state.rglob("*"):
            assert not path.is_file() or b"13800001111" not in path.read_bytes()
    assert [file.name for file in unpacked(package, tmp_path).files] == ["13800001111.csv"]


KILLED = """
import os, signal, sys
from pathlib import Path
import vendor_shop as t
from agent.vendors import sharing
folder, step = Path(sys.argv[1]), sys.argv[2]
real = getattr(sharing, step)
def cut(*given, **named):
    if step == "write_package":
        os.write(given[0], b"")
        done = real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(sharing, step, cut)
sharing.forms.write_forms = lambda *_given: []
with t.opened(folder) as (agent, clock):
    t.register(agent)
    t.share(agent, folder, folder / "会员.csv")
"""


@pytest.mark.parametrize("step", ["run_confined", "write_package"])
def test_a_share_that_is_killed_leaves_no_plaintext_and_no_reused_canary(tmp_path, step):
    source = tmp_path / "会员.csv"
    source.write_bytes(members(40))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), step], check=False, capture_output=True, timeout=100,
        env={**os.environ, "PYTHONPATH": os.path.dirname(vendor_shop.__file__)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-800:]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != source:
            content = path.read_bytes()
            assert b"13800000012" not in content, path
            assert "王测试".encode("gb18030") not in content, path
            assert b"t12@example.com" not in content, path
    with opened(tmp_path) as (agent, clock):
        cut_off = vendors(agent).shares()
        assert [share.state for share in cut_off] == (["making"] if step in ("write_segment", "write_package") else [])
        used = {planting.phone for planting in vendors(agent).plantings()}
        clock.turn(minutes=2 * 60)
        look_after(agent, clock.now)
        assert all(share.state == "abandoned" for share in vendors(agent).shares())
        if step != "write_package":
            return
        for package in tmp_path.glob("*.clochepkg"):
            package.unlink()
        share(agent, tmp_path, source)
        fresh = {planting.phone for planting in vendors(agent).plantings()} - used
        assert len(fresh) == 4


def test_a_confined_task_that_hangs_is_ended(tmp_path, monkeypatch):
    from agent import confined

    monkeypatch.setattr(confined, "START_SECONDS", 0.05)
    with opened(tmp_path) as (agent, _clock):
        began = time.monotonic()
        (tmp_path / "x").write_bytes(b"x")
        with descriptors(tmp_path / "x") as found, pytest.raises(ClocheError, match="隔离进程"):
            confined.run_confined(agent, "vendor.search", {"name": "x", "canaries": []}, found, seconds=0.05)
        assert time.monotonic() - began < 10
