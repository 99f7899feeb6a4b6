"""What is read from the machine: firewall, ways in, backup programs, updates, clock, encrypted volumes."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from assess_shop import a_home, call, looked, opened, result_of, words  # noqa: F401

from agent.assess.machine import Machine, known_programs

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
