"""The service as installed: `cloche setup` on a fresh Debian with systemd, in a container (`make test-service`).

Needs a wheelhouse and a root filesystem, which the make target builds once into `.cache`. The container has no
network but its own loopback. The tests are one story and run in order: install, thief, death of a part, head office.
Trees are compared with the guard stopped: whoever reads all files of a share is a thief, this test included.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

CHECKOUT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = CHECKOUT / ".cache"
PIP: Final = "export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse"
UUID: Final = "11111111-2222-3333-4444-555555555555"
LARGEST_MB: Final = {"memory": 200, "environment": 600}
EXPOSURE: Final = {"cloche": 3.5, "cloche-guard": 3.0, "cloche-link": 1.5, "cloche-hq": 1.5, "cloche-network": 2.0}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("root", "fanotify", "systemd-nspawn"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (CACHE / "rootfs").is_dir(), reason="absent: .cache/rootfs (make test-service builds it)"),
]


class Machine:
    """A running container."""

    def __init__(self, container: subprocess.Popen[bytes]) -> None:
        self._container = container

    def leader(self) -> str | None:
        """The container's init: nspawn's child that is number 1 in its own namespace."""
        for task in Path(f"/proc/{self._container.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                numbers = Path(f"/proc/{child}/status").read_text().split("NSpid:")[1].splitlines()[0].split()
                if len(numbers) > 1 and numbers[-1] == "1":
                    return child
        return None

    def run(self, command: str, *, check: bool = True, seconds: float = 120) -> str:
        """Standard output of a shell command inside."""
        leader = self.leader()
        assert leader, "the container is gone"
        done = subprocess.run(
            ["nsenter", "--target", leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
             "--", "/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )  # fmt: skip
        if check and done.returncode:
            journal = self.run("journalctl --no-pager -o cat -n 30 -u 'cloche*'", check=False)
            pytest.fail(f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{journal}")
        return done.stdout

    def cloche(self, arguments: str, *, check: bool = True) -> dict[str, Any]:
        """The document of a `cloche` command."""
        found: dict[str, Any] = json.loads(self.run(f"cloche {arguments} --json", check=check))
        return found

    def tree(self) -> str:
        """Digest, mode, owner and times of all files of the share, read with the guard away."""
        self.run("systemctl stop cloche cloche-guard")
        seen = self.run("cd /srv/share && sha256sum * && stat -c '%n %a %u %g %y' *")
        self.run("systemctl start cloche-guard cloche")
        return seen

    def active(self, *units: str) -> bool:
        """Whether all of them run."""
        states = self.run(f"systemctl is-active {' '.join(units)}", check=False).split()
        return states == ["active"] * len(units)

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Until it holds, or fail."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (what, self.run("journalctl --no-pager -o cat -n 30", check=False))
            time.sleep(0.3)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("machine") / "rootfs"
    subprocess.run(["cp", "-a", "--reflink=auto", CACHE / "rootfs", root], check=True)
    subprocess.run(["git", "clone", "-q", CHECKOUT, root / "src"], check=True)
    shutil.copytree(CACHE / "wheelhouse", root / "wheelhouse")
    share = root / "srv" / "share"
    share.mkdir(parents=True)
    rows = "".join(f"王测试,1380{n:07d},test{n}@example.com\n" for n in range(90))
    for number in range(8):
        (share / f"导出{number}.csv").write_text("姓名,手机号,邮箱\n" + rows.replace("1380", f"13{81 + number}"))
    container = subprocess.Popen(
        ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--machine=cloche-test", "-D", root,
         "--private-network", "--console=pipe", "--capability=all",
         "--system-call-filter=fanotify_init fanotify_mark"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},  # Debian 12's own layout, whatever this host has
    )  # fmt: skip
    inside = Machine(container)
    try:
        deadline = time.monotonic() + 60
        while not (inside.leader() and "running" in inside.run("systemctl is-system-running", check=False)):
            assert container.poll() is None, "systemd-nspawn ended"
            assert time.monotonic() < deadline, "the container did not start"
            time.sleep(0.5)
        yield inside
    finally:
        container.terminate()  # nspawn hands it on as an orderly shutdown
        try:
            container.wait(60)
        except subprocess.TimeoutExpired:
            container.kill()
            container.wait(10)


def test_setup_installs_a_service_that_observes_and_reaches_the_full_tier(machine: Machine) -> None:
    machine.run(
        f"mkdir -p /dev/disk/by-uuid && ln -s $(awk '$5 == \"/\" {{ print $(NF-1) }}' /proc/self/mountinfo) "
        f"/dev/disk/by-uuid/{UUID}"
    )
    machine.run(
        f"{PIP}; python3 -m venv /opt/first && /opt/first/bin/pip install -q --require-hashes "
        "-r /src/requirements/base.txt && /opt/first/bin/pip install -q --no-deps /src"
    )
    machine.run(f"{PIP}; umask 077; /opt/first/bin/cloche setup --root /srv/share --store-name 测试店 --checkout /src")
    assert machine.active("cloche-guard", "cloche")
    assert not machine.active("cloche-link"), "a store that is not enrolled has nobody to talk to"
    size = int(machine.run("du -sm /opt/cloche/venv/ | cut -f1"))
    assert size <= LARGEST_MB["environment"], f"the environment takes {size} MB"
    assert machine.cloche("doctor", check=False)["tier"] == "full"
    machine.wait(lambda: bool(machine.cloche("status")["last_scan"]), 60, "no scan")
    status = machine.cloche("status")
    assert status["mode"] == "observe"
    assert status["last_scan"]["clean"], status
    assert status["items"] == {"plain": 8}, "observe seals nothing"


def test_the_guard_has_its_rights_under_the_hardened_unit(machine: Machine) -> None:
    guard = machine.run("systemctl show -p MainPID --value cloche-guard").strip()
    facts = machine.run(f"cat /proc/{guard}/status")
    locked = next(int(line.split()[1]) for line in facts.splitlines() if line.startswith("VmLck"))
    assert locked > 0, "an answer may wait for the swap"
    assert "SCHED_FIFO" in machine.run(f"chrt -p {guard}")


def test_the_service_stops_a_thief_declares_and_undoes_it(machine: Machine) -> None:
    before = machine.tree()
    machine.run('sed -i \'s/^# response = "alert"/response = "stop"/\' /etc/cloche/cloche.toml')
    machine.cloche("keys init --recovery-file /var/tmp/sheet.key")
    machine.run("systemctl restart cloche")
    machine.run("setsid tar cf /var/tmp/loot.tar -C /srv/share . > /dev/null 2>&1 < /dev/null & sleep 2")
    assert machine.run("ps -o stat= -C tar").strip().startswith("T")
    crossing = machine.run("cloche watch --once --json").splitlines()[-1]
    assert UUID in json.loads(crossing)["key"], "the service must know a file by the name that everybody else has"
    assert machine.cloche("status")["alerts"] >= 1
    incident = machine.cloche("incident declare --kind insider --summary t --scope alerts --yes")["id"]
    assert machine.run("ls /srv/share").count("已隔离.txt") > 0
    machine.run("pkill -9 -x tar", check=False)
    machine.cloche(f"incident dismiss {incident} --yes")
    assert machine.tree() == before


def test_a_sealed_file_comes_back_through_the_service(machine: Machine) -> None:
    before = machine.tree()
    machine.cloche("protect /srv/share/导出0.csv")
    assert machine.run("grep -ac 王测试 /srv/share/导出0.csv.cloche", check=False).strip() == "0"
    machine.cloche("unprotect /srv/share/导出0.csv.cloche --key-file /var/tmp/sheet.key")
    assert machine.tree() == before


def test_a_killed_or_stopped_part_comes_back_and_nobody_waits(machine: Machine) -> None:
    opener = (
        "import time\nworst = 0.0\nend = time.monotonic() + 3\n"
        "while time.monotonic() < end:\n"
        "    began = time.monotonic()\n    open('/srv/share/导出0.csv').read()\n"
        "    worst = max(worst, time.monotonic() - began)\n    time.sleep(0.01)\nprint(worst)"
    )
    machine.run(f"cat > /var/tmp/opener.py <<'END'\n{opener}\nEND")
    responder = "$(pgrep -f '[a]gent.guard.responder')"  # the bracket: not the shell that says so
    worst = float(machine.run(f"(sleep 1; kill -STOP {responder}) & python3 /var/tmp/opener.py"))
    assert 0.1 < worst < 0.5, f"an open waited {worst:.2f} s for a stopped guard"
    machine.run("systemctl kill --signal=KILL cloche cloche-guard")
    machine.wait(lambda: machine.active("cloche", "cloche-guard"), 30, "a killed part stays away")
    watcher = machine.run("systemctl show -p MainPID --value cloche-guard")
    machine.run("systemctl kill --kill-whom=main --signal=STOP cloche-guard")
    machine.wait(
        lambda: machine.run("systemctl show -p MainPID --value cloche-guard") not in (watcher, "0\n")
        and machine.active("cloche-guard"),
        40, "systemd's watchdog does not see a stopped watcher",
    )  # fmt: skip


def test_setup_again_adds_head_office_and_keeps_what_there_is(machine: Machine) -> None:
    kept = "sha256sum /etc/cloche/cloche.toml /var/lib/cloche/keys/seal.key /var/lib/cloche/keys/recipients.json"
    before, old = machine.run(kept), machine.run("readlink -f /opt/cloche/venv").strip()
    machine.run(f"{PIP}; /opt/first/bin/cloche setup --head-office --checkout /src")
    assert machine.run(kept) == before
    assert machine.run("readlink -f /opt/cloche/venv").strip() != old
    assert machine.run("ls -d /opt/cloche/venv-* | wc -l").strip() == "1", "the old environment is left behind"
    assert machine.active("cloche", "cloche-guard")
    assert machine.cloche("status")["items"] == {"plain": 8}


def test_link_and_head_office_start_by_themselves_and_reports_arrive(machine: Machine) -> None:
    machine.run("cloche-hq init --name 总部测试 --host 127.0.0.1 --json")
    machine.wait(lambda: machine.active("cloche-hq"), 20, "head office does not start")
    machine.run("cloche-hq keys init --recovery-file /var/tmp/chain.key --json")
    token = json.loads(machine.run("cloche-hq token --json"))["token"]
    enrolled = machine.cloche(f"enrol https://127.0.0.1:8443 --token {token}")
    assert enrolled["recovery"], "keys made after head office's start reach a store"
    machine.wait(lambda: machine.active("cloche-link"), 20, "the link does not start")
    machine.wait(lambda: machine.cloche("status")["outbox"]["waiting"] == 0, 30, "reports stay")
    office = json.loads(machine.run("cloche-hq status --json"))
    assert office["stores"] == 1
    assert office["reports"] > 0
    owner = machine.run("stat -c %U /proc/$(systemctl show -p MainPID --value cloche-link)").strip()
    assert owner == "cloche-link"


def test_guard_daemon_and_link_are_small_and_shut_in(machine: Machine) -> None:
    time.sleep(3)
    groups = " ".join(
        f"/sys/fs/cgroup$(systemctl show -p ControlGroup --value {unit})/cgroup.procs"
        for unit in ("cloche", "cloche-guard", "cloche-link")
    )
    kilobytes = [int(line) for line in machine.run(f"ps -o rss= -p $(cat {groups} | paste -sd,)").split()]
    assert len(kilobytes) >= 4, "daemon, watcher, responder, link"
    assert sum(kilobytes) / 1024 <= LARGEST_MB["memory"], kilobytes
    for unit, most in EXPOSURE.items():
        line = machine.run(f"systemd-analyze security --no-pager {unit}").splitlines()[-1]
        assert float(line.split(":")[1].split()[0]) <= most, line
