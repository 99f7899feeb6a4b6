"""Customers' data that lies about is found with its evidence and goes from the list once it is disposed of."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from assess_shop import OWNER, a_home, a_share, call, inventoried, looked, opened, result_of, words  # noqa: F401

from agent.assess.machine import Machine
from agent.assess.survey import survey
from agent.operation import Request
from agent.operations import find_operation
from config.errors import UsageError
from config.identity import make_identity


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
