"""The security check over a machine in a folder, over real processes and sockets, and by the command line."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import premises
import pytest
from premises import NOW, PLANTED
from shops import Clock

from agent.incident.declare import Declaration, declare
from agent.incident.store import incidents
from agent.operation import Caller, Request
from agent.security_check import CheckResult, accept, keep_baseline, last_check, operations, run_check
from agent.security_check.comparing import WEIGHTS
from agent.security_check.looking import _dpkg, _rpm, altered, tools
from agent.security_check.machine import MOST_FILES, Machine
from agent.security_check.records import Area, What
from agent.security_check.snapshot import AREAS, take
from agent.wiring import Agent, build_agent
from config.errors import ExitCode, RefusedError, UsageError
from config.home import Home
from config.schema import Settings
from config.text import load_packs
from scanners.records import Finding as Found
from scanners.records import Item

OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
WAITER = Caller(uid=1000, gid=1000, pid=1, user="waiter")
KEY = base64.b64encode(b"\0\0\0\x0bssh-ed25519" + bytes(36)).decode()

no_reports = premises.no_reports
clock = premises.clock
home = premises.home


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small machine: accounts, sudo, units, cron, packages."""
    made = tmp_path / "machine"
    write(made, "etc/passwd", "root:x:0:0::/superuser:/bin/bash\ntill:x:1000:1000::/home/till:/bin/sh\n"
          "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nbroken line\n")  # fmt: skip
    write(made, "etc/group", "sudo:x:27:till\nusers:x:100:\n")
    write(made, "etc/sudoers", "root ALL=(ALL) ALL\n")
    write(made, "etc/systemd/system/pos.service", "[Service]\nExecStart=/opt/pos/till\n")
    write(made, "etc/cron.d/backup", "0 3 * * * root /opt/backup\n")
    write(made, "home/till/.ssh/authorized_keys", f'# keys\nfrom="10.0.0.0/8" ssh-ed25519 {KEY} 张三{PLANTED}\n')
    write(made, "var/lib/dpkg/status",
          "Package: nginx\nStatus: install ok installed\nVersion: 1.22\n\n"
          "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n")  # fmt: skip
    return made


def write(root: Path, path: str, text: str) -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


@pytest.fixture
def agent(home: Home, clock: Clock) -> Iterator[Agent]:
    with build_agent(home, Settings.model_validate({"check": {"packages_seconds": 0}}), now=clock) as built:
        built.inventory.record_run([], roots=[b"/srv"], at=NOW)
        yield built


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    """No processes and sockets: those of the real machine come and go while a test runs."""
    (tmp_path / "proc").mkdir()
    return Machine(root=root, proc=tmp_path / "proc")


@pytest.fixture
def here(root: Path) -> Machine:
    """The small machine's files with this machine's processes."""
    return Machine(root=root)


def quiet(result: CheckResult) -> set[tuple[str, str, str]]:
    """What a check of the small machine says, without what it says of the real one's sockets and modules."""
    return {
        (finding.area, finding.what, finding.subject)
        for finding in result.findings
        if finding.area not in ("listening", "modules", "firewall", "backups", "watch", "scan", "remote")
    }


def check(agent: Agent, machine: Machine, **options: str) -> CheckResult:
    return run_check(agent, "测试甲", machine=Machine(root=machine.root, proc=machine.proc), **options)


def test_the_first_check_makes_the_baseline_and_the_next_finds_nothing_new(agent, machine, clock):
    first = check(agent, machine)
    assert first.baseline_at is None
    clock.now += timedelta(minutes=5)
    second = check(agent, machine)
    assert second.baseline_at == NOW
    assert quiet(first) == quiet(second) == set()
    assert second.clean, second.blocking
    assert last_check(agent) == second


LEFT_BEHIND = (
    ("etc/passwd", "toor:x:0:0::/root:/bin/bash\n", "uid0", "new", "toor", "critical"),
    ("etc/passwd", "helper:x:1002:1002::/home/helper:/bin/bash\n", "logins", "new", "helper", "warning"),
    ("etc/passwd", "daemon:x:1:1::/usr/sbin:/bin/bash\n", "logins", "new", "daemon", "warning"),
    ("etc/group", "wheel:x:10:helper\n", "sudoers", "new", "helper ∈ wheel", "warning"),
    ("etc/sudoers", "till ALL=(ALL) NOPASSWD: ALL\n", "sudoers", "changed", "/etc/sudoers", "warning"),
    ("etc/sudoers.d/x", "till ALL=(ALL) NOPASSWD: ALL\n", "sudoers", "new", "/etc/sudoers.d/x", "warning"),
    ("etc/systemd/system/update.timer", "[Timer]\n", "units", "new", "/etc/systemd/system/update.timer", "warning"),
    ("etc/systemd/system/pos.service", "ExecStartPost=/tmp/x\n", "units", "changed",
     "/etc/systemd/system/pos.service", "warning"),
    ("etc/systemd/system/pos.service.d/o.conf", "[Service]\n", "units", "new",
     "/etc/systemd/system/pos.service.d/o.conf", "warning"),
    ("home/till/.config/systemd/user/x.service", "[Service]\n", "units", "new",
     "/home/till/.config/systemd/user/x.service", "warning"),
    ("etc/cron.d/backup", "* * * * * root /tmp/x\n", "cron", "changed", "/etc/cron.d/backup", "warning"),
    ("var/spool/cron/crontabs/till", "* * * * * x\n", "cron", "new", "/var/spool/cron/crontabs/till", "warning"),
    ("etc/rc.local", "/tmp/x\n", "startup", "new", "/etc/rc.local", "warning"),
    ("superuser/.bashrc", "/tmp/x\n", "startup", "new", "/superuser/.bashrc", "warning"),
    ("etc/ld.so.preload", "# c\n/lib/evil.so\n", "preload", "new", "/lib/evil.so", "critical"),
    ("var/lib/dpkg/status", "\nPackage: nmap\nStatus: install ok installed\nVersion: 7\n", "packages", "new",
     "nmap", "notice"),
)  # fmt: skip
"""Path, what was appended to it, and how that is told: area, what, subject, severity."""


def test_what_an_intruder_leaves_is_found_with_its_severity(agent, machine, root):
    keep_baseline(agent, "测试甲", "装机", machine)
    for path, text, *_told in LEFT_BEHIND:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a", encoding="utf-8") as file:
            file.write(text)
    result = check(agent, machine)
    told = {(found.area, found.what, found.subject): found.severity for found in result.findings}
    for path, _text, area, what, subject, severity in LEFT_BEHIND:
        assert told.get((area, what, subject)) == severity, path
    assert not result.clean
    assert len(quiet(result)) == len(LEFT_BEHIND) + 1, "toor may log in as well, and nothing else is told"


def test_notices_alone_leave_a_check_clean(agent, machine, root):
    keep_baseline(agent, "测试甲", "装机", machine)
    with (root / "var/lib/dpkg/status").open("a", encoding="utf-8") as file:
        file.write("\nPackage: nmap\nStatus: install ok installed\nVersion: 7\n")
    result = check(agent, machine)
    assert ("packages", "new", "nmap") in quiet(result)
    assert result.clean


def test_a_new_ssh_key_is_told_by_account_and_fingerprint_never_by_its_comment(agent, machine, root, home):
    other = base64.b64encode(b"\0\0\0\x0bssh-ed25519" + bytes(35) + b"\1").decode()
    keep_baseline(agent, "测试甲", "装机", machine)
    write(root, "home/till/.ssh/authorized_keys", f"ssh-ed25519 {other} {PLANTED}@evil\nnot a key\nssh-rsa !!! x\n")
    result = check(agent, machine)
    (found,) = [finding for finding in result.findings if finding.area == "keys"]
    encoded = subprocess.run(["ssh-keygen", "-lf", "-"], input=f"ssh-ed25519 {other}", capture_output=True, text=True,
                             check=False).stdout if shutil.which("ssh-keygen") else ""  # fmt: skip
    assert found.subject.startswith("till SHA256:")
    assert not encoded or found.subject.split()[1] in encoded
    for database in (home.inventory_db, home.audit_log):
        assert PLANTED.encode() not in database.read_bytes()


def test_nothing_is_followed_read_without_end_or_waited_for(agent, root):
    (root / "etc/cron.d/link").symlink_to("/etc/shadow")
    os.mkfifo(root / "etc/cron.d/pipe")
    (root / "etc/shadow").symlink_to("/dev/zero")
    big = root / "etc/cron.d/big"
    big.write_bytes(b"")
    os.truncate(big, 1 << 40)
    (root / "etc/sudoers.d").mkdir()
    for number in range(MOST_FILES + 10):
        (root / "etc/sudoers.d" / f"{number}").touch()
    write(root, "etc/cron.d/\x1b[2J坏" + "x" * 90, "x")
    taken = take(Machine(root=root))
    assert taken["cron"]["/etc/cron.d/link"] == "→ /etc/shadow"
    assert taken["cron"]["/etc/cron.d/pipe"] == "p"
    assert len(taken["sudoers"]) <= MOST_FILES + 2
    keep_baseline(agent, "x", "x", Machine(root=root))
    assert len(check(agent, Machine(root=root)).findings) < 30


def test_many_changes_end_in_one_line_that_counts_the_rest(agent, machine, root):
    keep_baseline(agent, "测试甲", "装机", machine)
    for number in range(70):
        write(root, f"etc/cron.d/job{number}", "x")
    found = [finding for finding in check(agent, machine).findings if finding.area == "cron"]
    assert len(found) == 51
    assert [finding.values for finding in found if finding.what == "more"] == [{"count": 20}]


def test_names_of_files_are_masked_before_they_are_stored(agent, machine, root, home):
    keep_baseline(agent, "测试甲", "装机", machine)
    write(root, f"etc/cron.d/张三{PLANTED}", "x")
    write(root, "etc/systemd/system/x.service", "x")
    result = check(agent, machine)
    assert not any(PLANTED in finding.subject for finding in result.findings)
    stored = json.dumps([finding.document() for finding in last_check(agent).findings], ensure_ascii=False)
    assert PLANTED not in stored
    assert PLANTED.encode() not in home.audit_log.read_bytes()


@pytest.mark.needs("root")
def test_what_everybody_may_write_to_is_critical_and_a_sticky_folder_is_not(agent, machine, root):
    (root / "etc").chmod(0o1777)
    (root / "etc/cron.d").chmod(0o777)
    (root / "etc/passwd").chmod(0o666)
    found = [finding for finding in check(agent, machine).findings if finding.area == "writable"]
    assert {finding.subject for finding in found} == {"/etc/cron.d", "/etc/passwd"}
    assert {finding.severity for finding in found} == {"critical"}


def test_the_baseline_changes_by_a_persons_word_only(agent, machine, root, clock):
    keep_baseline(agent, "测试甲", "装机", machine)
    write(root, "etc/cron.d/new", "x")
    for _round in range(3):
        clock.now += timedelta(hours=1)
        assert ("cron", "new", "/etc/cron.d/new") in quiet(check(agent, machine))
    keep_baseline(agent, "测试甲", "新收银机", machine)
    assert quiet(check(agent, machine)) == set()


def test_a_finding_that_a_person_took_for_right_no_longer_blocks_and_one_that_changed_does(agent, machine, root):
    keep_baseline(agent, "测试甲", "装机", machine)
    write(root, "etc/cron.d/new", "x")
    result = check(agent, machine)
    accept(agent, [finding.key for finding in result.blocking], "测试甲", f"顾客 {PLANTED} 说的")
    again = check(agent, machine)
    assert again.clean
    (taken,) = [finding for finding in again.findings if finding.accepted]
    assert PLANTED not in taken.accepted
    write(root, "etc/cron.d/new", "y")
    assert not check(agent, machine).clean
    with pytest.raises(UsageError):
        accept(agent, ["cron.new.000000000000"], "测试甲", "x")


def test_a_baseline_younger_than_an_open_incident_is_not_clean_before_a_person_has_looked(agent, machine, clock):
    declared = declare(agent, Declaration(kind="intrusion", summary="演练", discovered_at=NOW, by="测试甲"))
    clock.now += timedelta(minutes=5)
    agent.inventory.record_run([], roots=[b"/srv"], at=clock.now)
    result = check(agent, machine)
    assert [(finding.area, finding.what) for finding in result.blocking] == [("baseline", "first")]
    accept(agent, [result.blocking[0].key], "测试甲", "逐项看过")
    clock.now += timedelta(minutes=5)
    assert check(agent, machine).clean
    acts = [step.act for step in incidents(agent).get(declared.id).steps]
    assert acts[-2:] == ["check.found", "check.clean"]
    assert incidents(agent).get(declared.id).complete, "a check that finds something is no part that failed"


def test_a_scan_must_be_newer_than_the_containment_of_every_open_incident(agent, machine, clock):
    keep_baseline(agent, "测试甲", "装机", machine)
    clock.now += timedelta(hours=1)
    declare(agent, Declaration(kind="other", summary="演练", discovered_at=clock.now, by="测试甲"))
    assert ("scan", "stale") in {(finding.area, finding.what) for finding in check(agent, machine).blocking}
    agent.inventory.record_run([], roots=[b"/srv"], at=clock.now + timedelta(seconds=1))
    assert check(agent, machine).clean
    clock.now += timedelta(hours=100)
    assert ("scan", "stale") not in {(finding.area, finding.what) for finding in check(agent, machine).blocking}
    assert ("scan", "old") in {(finding.area, finding.what) for finding in check(agent, machine).blocking}


# remote-control tools


@pytest.fixture
def run_as(tmp_path: Path):
    """Start a real process under another program's name."""
    started = []

    def start(name: str) -> subprocess.Popen[bytes]:
        program = tmp_path / name
        shutil.copy(os.path.realpath(shutil.which("sleep")), program)
        process = subprocess.Popen([program, "60"])
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("name", "tool"), [("sunloginclient_linux", "sunlogin"), ("ToDesk", "todesk"), ("frpc", "frp"),
                                            ("AnyDesk", "anydesk"), ("tailscaled", "tailscale")])  # fmt: skip
def test_a_running_remote_control_tool_is_found_by_its_process(agent, here, run_as, name, tool):
    process = run_as(name)
    (found,) = [finding for finding in check(agent, here).findings if finding.values.get("id") == tool]
    assert any(f"process {process.pid}" in line for line in found.evidence)
    assert (found.what, found.severity) == ("present", "warning")


def test_a_tool_is_found_by_unit_package_and_path_and_an_agreed_one_is_told_and_does_not_block(
    home, clock, machine, root
):
    write(root, "etc/systemd/system/frpc.service", "[Service]\n")
    write(root, "usr/local/bin/frpc", "x")
    write(root, "var/lib/dpkg/status", "Package: todesk\nStatus: install ok installed\nVersion: 4.7\n")
    settings = {"check": {"packages_seconds": 0, "allowed_remote_tools": ["todesk"]}}
    with build_agent(home, Settings.model_validate(settings), now=clock) as agent:
        found = {
            finding.values["id"]: finding for finding in check(agent, machine).findings if finding.area == "remote"
            and finding.what != "open"
        }  # fmt: skip
        assert found["frp"].evidence == ("unit /etc/systemd/system/frpc.service", "/usr/local/bin/frpc")
        assert found["frp"].blocks
        assert found["todesk"].evidence == ("package todesk",)
        assert not found["todesk"].blocks


def test_a_port_that_a_tool_uses_is_told_with_the_program_that_listens(agent, here):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", 5938))
        except OSError:
            pytest.skip("absent: port 5938")
        listener.listen()
        (found,) = [finding for finding in check(agent, here).findings if finding.values.get("id") == "teamviewer"]
    assert (found.what, found.severity) == ("open", "notice")
    assert "5938" in found.evidence[0]
    assert os.path.basename(os.path.realpath(sys.executable)) in found.evidence[0]


def test_a_new_listening_port_is_found_with_its_program_and_a_loopback_one_as_such(agent, here):
    keep_baseline(agent, "测试甲", "装机", here)
    with socket.create_server(("", 0)) as open_one, socket.create_server(("127.0.0.1", 0)) as inner:
        found = {finding.subject for finding in check(agent, here).findings if finding.area == "listening"}
        ports = open_one.getsockname()[1], inner.getsockname()[1]
    assert any(line.startswith(f"tcp *:{ports[0]} /") for line in found)
    assert any(line.startswith(f"tcp loopback:{ports[1]} /") for line in found)


def test_the_pack_of_tools_names_each_in_both_languages_and_says_what_is_verified():
    found = {tool.id: tool for tool in tools()}
    wanted = {"sunlogin", "todesk", "anydesk", "teamviewer", "rustdesk", "frp", "nps", "ngrok", "zerotier", "tailscale"}
    assert wanted <= found.keys()
    for tool in found.values():
        assert tool.name.keys() == {"zh-CN", "en"}
        assert all(name == name.lower() for name in tool.processes | set(tool.units))
        assert tool.processes


# packages


def test_altered_programs_stand_alone_and_what_renews_itself_is_told_together():
    output = (
        "??5?????? c /etc/nginx/nginx.conf\n??5??????   /usr/bin/ls\n??5??????   /usr/lib/x86_64/libpam.so.0\n"
        "missing     /usr/bin/gone\n??5??????   /usr/share/doc/x/README\n??5??????   /usr/lib/node_modules/npm/a.js\n"
        "??5??????   /usr/lib/node_modules/npm/b.js\n?????????   /usr/bin/ok\nnoise\n"
    )
    found = list(altered(list(_dpkg(output)), lambda text: text))
    assert [(finding.what, finding.severity, finding.subject) for finding in found] == [
        ("changed", "warning", "/usr/bin/ls"), ("changed", "warning", "/usr/lib/x86_64/libpam.so.0"),
        ("present", "notice", "/usr/lib/node_modules/npm"),
    ]  # fmt: skip
    assert found[-1].values == {"count": 2}
    assert list(_rpm("S.5....T.  c /etc/my.cnf\nS.5....T.    /usr/sbin/sshd\n.......T.    /usr/bin/x\n")) == [
        "/usr/sbin/sshd"
    ]


# backups


def test_backups_that_lie_in_the_open_or_are_too_old_are_told(home, clock, machine, tmp_path):
    folder = tmp_path / "backup"
    folder.mkdir()
    settings = Settings.model_validate({"check": {"packages_seconds": 0, "backups": [str(folder)], "backup_days": 7}})

    def told(agent: Agent) -> dict[str, str]:
        return {found.what: found.severity for found in check(agent, machine).findings if found.area == "backups"}

    with build_agent(home, settings, now=clock) as agent:
        assert told(agent) == {"none": "notice"}
        dump = folder / "shop.sql.gz"
        dump.write_bytes(b"\x1f\x8b" + bytes(20))
        os.utime(dump, (NOW.timestamp(),) * 2)
        assert told(agent) == {"plain": "notice"}
        clock.now += timedelta(days=9)
        assert told(agent) == {"plain": "notice", "old": "notice"}
        item = Item(
            path=os.fsencode(dump), kind="archive", status="read", size=22, level=3, persons=9,
            findings=(Found(entity="PHONE_NUMBER", count=9, distinct=9, confidence=0.9),),
        )  # fmt: skip
        agent.inventory.record_run([item], roots=[os.fsencode(folder)], at=clock.now)
        assert told(agent)["plain"] == "warning"
        dump.write_bytes(b"age-encryption.org/v1\n")


# operations and the command line


def ask(agent: Agent, what: str, caller: Caller = OWNER, **arguments: object):
    return getattr(operations, what)(agent, Request(arguments=arguments, caller=caller))


def test_who_has_no_role_neither_checks_nor_says_what_is_right(agent):
    for what in ("run", "last", "baseline", "accept_findings"):
        with pytest.raises(RefusedError):
            ask(agent, what, WAITER, reason="x", keys=[])
    with pytest.raises(UsageError):
        ask(agent, "baseline")
    with pytest.raises(UsageError):
        ask(agent, "last")


def test_every_finding_has_words_and_says_what_to_do_in_both_languages():
    packs = load_packs()
    told: dict[Area, set[What]] = {
        "altered": {"changed", "more", "present"}, "writable": {"present"}, "remote": {"present", "allowed", "open"},
        "firewall": {"none"}, "backups": {"none", "old", "plain"}, "scan": {"none", "stale", "old", "unclean"},
        "watch": {"reduced"}, "alerts": {"open"}, "baseline": {"first", "reduced"},
    }  # fmt: skip
    for area, whats in told.items():
        for what in whats:
            assert f"check.{area}_{what}" in packs
    for area in (*AREAS, *told):
        assert f"check.do_{area}" in packs
    assert all(f"check.area_{area}" in packs for area in WEIGHTS)


def test_what_may_not_be_read_is_named_and_a_check_with_it_is_not_clean(agent, machine, monkeypatch):
    keep_baseline(agent, "测试甲", "装机", machine)
    real = os.open

    def refused(path, flags, *rest, **options):
        if str(path).endswith("/etc/sudoers"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refused)
    result = check(agent, machine)
    assert "/etc/sudoers" in result.unseen
    assert not result.clean
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in check(agent, machine).unseen
    assert last_check(agent).reduced


def test_the_command_line_shows_what_was_found_and_what_to_do(tmp_path, run_as):
    run_as("todesk")
    cloche = os.path.join(os.path.dirname(sys.executable), "cloche")

    def call(*arguments: str, language: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CLOCHE_HOME": str(tmp_path / "home"), "CLOCHE_STORE__LANGUAGE": language,
                       "CLOCHE_CHECK__PACKAGES_SECONDS": "0"}  # fmt: skip
        return subprocess.run([cloche, "check", *arguments], capture_output=True, text=True, check=False,
                              env=environment, stdin=subprocess.DEVNULL)  # fmt: skip

    done = call("--fail-on-findings", language="zh-CN")
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    assert "安全检查：未通过" in done.stdout
    assert "远程控制或内网穿透工具：ToDesk" in done.stdout
    document = json.loads(call("--last", "--json", language="en").stdout)
    assert (document["schema"], document["clean"]) == ("cloche.check/1", False)
    (tool,) = [found for found in document["findings"] if found["values"].get("id") == "todesk"]
    assert tool["blocks"]
    assert "agreed" in tool["do"]
