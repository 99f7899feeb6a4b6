"""The service as installed: `cloche setup` on a fresh Debian with systemd, in a container (`make test-service`).

Needs a wheelhouse and a root filesystem, which the make target builds once into `.cache`. Network-less inside.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache"
MACHINE = "cloche-test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("root", "fanotify", "systemd-nspawn"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (CACHE / "rootfs").is_dir(), reason="absent: .cache/rootfs (make test-service builds it)"),
]


def inside(command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a shell command in the container's namespaces."""
    leader = subprocess.run(
        ["machinectl", "show", MACHINE, "--property=Leader", "--value"], capture_output=True, text=True, check=False
    ).stdout.strip()
    pid = leader or container_leader()
    done = subprocess.run(
        ["nsenter", "--target", pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--",
         "/bin/sh", "-c", command],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    if check and done.returncode:
        pytest.fail(f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


def container_leader() -> str:
    """Process number of the container's init."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                root = os.readlink(entry / "root")
                status = (entry / "status").read_text()
            except OSError:
                continue
            if "NSpid:" in status and status.split("NSpid:")[1].split("\n")[0].split()[-1] == "1" and root == "/":
                line = status.split("NSpid:")[1].split("\n")[0].split()
                if len(line) > 1:
                    return line[0]
    pytest.fail("the container did not start")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    root = tmp_path_factory.mktemp("machine") / "rootfs"
    subprocess.run(["cp", "-a", "--reflink=auto", CACHE / "rootfs", root], check=True)
    checkout = root / "src"
    subprocess.run(["git", "clone", "-q", CHECKOUT, checkout], check=True)
    shutil.copytree(CACHE / "wheelhouse", root / "wheelhouse")
    share = root / "srv" / "share"
    share.mkdir(parents=True)
    rows = "".join(f"王测试,1380{n:07d},test{n}@example.com\n" for n in range(90))
    for number in range(8):
        (share / f"导出{number}.csv").write_text("姓名,手机号,邮箱\n" + rows.replace("1380", f"13{81 + number}"))
    container = subprocess.Popen(
        ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--machine={MACHINE}", "-D", root,
         "--private-network", "--system-call-filter=fanotify_init fanotify_mark", "--capability=all"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(1)
            if inside("systemctl is-system-running --wait", check=False).stdout.strip() in ("running", "degraded"):
                break
        yield
    finally:
        container.terminate()
        container.wait(60)
        subprocess.run(["umount", "-R", root], check=False, capture_output=True)


def cloche(arguments: str, *, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    done = inside(f"cloche {arguments} --json", check=False)
    assert done.returncode in codes, (arguments, done.returncode, done.stdout[-800:], done.stderr[-800:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_setup_installs_a_service_that_observes_and_reaches_the_full_tier(machine: None) -> None:
    inside("python3 -m venv /opt/first && PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse /opt/first/bin/pip install -q "
           "--require-hashes -r /src/requirements/base.txt && PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse "
           "/opt/first/bin/pip install -q --no-deps /src")  # fmt: skip
    inside("PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse /opt/first/bin/cloche setup --root /srv/share "
           "--store-name 测试店 --checkout /src")  # fmt: skip
    for unit in ("cloche-guard", "cloche"):
        assert inside(f"systemctl is-active {unit}").stdout.strip() == "active"
    size = int(inside("du -sm /opt/cloche/venv | cut -f1").stdout)
    assert size <= 600, f"the environment takes {size} MB"
    doctor = cloche("doctor", codes=(0, 3))
    assert doctor["tier"] == "full", doctor
    deadline = time.monotonic() + 60
    while cloche("status")["last_scan"] is None and time.monotonic() < deadline:
        time.sleep(1)
    status = cloche("status")
    assert status["mode"] == "observe"
    assert status["last_scan"]["clean"], status
    assert status["items"]["plain"] == 8, "observe seals nothing"


def test_the_service_stops_a_thief_declares_and_undoes_it(machine: None) -> None:
    inside('sed -i \'s/^# response = "alert"/response = "stop"/\' /etc/cloche/cloche.toml')
    cloche("keys init --recovery-file /root/sheet.key")
    inside("systemctl restart cloche")
    before = inside("cd /srv/share && sha256sum * && stat -c '%n %a %u %g %y' *").stdout
    inside("setsid tar cf /root/loot.tar -C /srv/share . > /dev/null 2>&1 < /dev/null & sleep 2; true")
    assert inside("ps -o stat= -C tar").stdout.strip().startswith("T")
    assert cloche("status")["alerts"] >= 1
    incident = cloche("incident declare --kind insider --summary t --scope alerts --yes")["id"]
    assert inside("ls /srv/share").stdout.count("已隔离.txt") > 0
    inside("pkill -9 tar", check=False)
    cloche(f"incident dismiss {incident} --yes")
    assert inside("cd /srv/share && sha256sum * && stat -c '%n %a %u %g %y' *").stdout == before


def test_a_killed_or_stopped_part_comes_back_and_nobody_waits(machine: None) -> None:
    for unit in ("cloche", "cloche-guard"):
        inside(f"systemctl kill --signal=KILL {unit}")
    began = time.monotonic()
    inside("cat /srv/share/导出0.csv > /dev/null", check=False)
    assert time.monotonic() - began < 1.5, "an open waited"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        states = inside("systemctl is-active cloche cloche-guard", check=False).stdout.split()
        if states == ["active", "active"]:
            break
        time.sleep(0.5)
    assert states == ["active", "active"]


def test_guard_daemon_and_link_are_small(machine: None) -> None:
    time.sleep(3)
    kilobytes = sum(
        int(line) for line in inside("ps -o rss= -C cloche -C cloche-guard -C python3 | cat; true").stdout.split()
    )
    assert 0 < kilobytes / 1024 <= 200, f"{kilobytes / 1024:.0f} MB"
