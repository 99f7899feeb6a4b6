"""A Samba client that copies the share is refused and cut, alone: smbd, smbclient, guard and behaviour, all real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.watch.api import AccessEvent, Crossing, Watched
from agent.watch.behaviour import respond
from agent.watch.fanotify import GuardWatch
from agent.watch.testing import start_guard
from agent.wiring import build_agent
from config.home import find_home
from config.schema import Settings, WatchSettings
from containment.samba import client_of

pytestmark = [pytest.mark.needs("root", "fanotify", "smbd", "smbclient"), pytest.mark.kernel]


@pytest.fixture
def share(tmp_path: Path) -> Iterator[tuple[Path, list[str], str]]:
    """A running share: its folder, the client's command, the settings file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("share", "private", "state"):
        (tmp_path / name).mkdir()
    for folder in (tmp_path, tmp_path / "share", *tmp_path.parents[:2]):
        folder.chmod(0o755)
    settings = tmp_path / "smb.conf"
    settings.write_text(
        f"[global]\nsmb ports = {port}\ninterfaces = 127.0.0.1\nbind interfaces only = yes\n"
        f"private dir = {tmp_path}/private\nstate directory = {tmp_path}/state\ncache directory = {tmp_path}/state\n"
        f"lock directory = {tmp_path}/state\npid directory = {tmp_path}/state\nncalrpc dir = {tmp_path}/state/rpc\n"
        "map to guest = bad user\nserver role = standalone server\ndisable netbios = yes\nload printers = no\n"
        f"log file = {tmp_path}/log\n[share]\npath = {tmp_path}/share\nguest ok = yes\nread only = yes\n"
    )
    server = subprocess.Popen(
        ["smbd", "--foreground", "--no-process-group", "-s", str(settings)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert time.monotonic() < end, "smbd did not start"
        time.sleep(0.05)
    client = ["smbclient", "//127.0.0.1/share", "-N", "-p", str(port), "-s", str(settings)]
    yield tmp_path / "share", client, str(settings)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def test_one_client_copies_the_share_and_is_cut_while_another_goes_on(
    share: tuple[Path, list[str], str], tmp_path: Path
):
    folder, client, settings = share
    home = find_home(tmp_path / "home")
    home.create()
    policy = WatchSettings(response="stop")
    guard = start_guard(home)
    watch = GuardWatch(home.guard_socket, policy, partial(client_of, settings=settings))
    try:
        paths = [folder / f"m{number}.csv" for number in range(9)]
        for path in paths:
            path.write_text("测试甲,13800001111\n")
        watch.mark([Watched(key=path.name, path=os.fsencode(path), persons=3) for path in paths])
        copy = tmp_path / "copy"
        copy.mkdir()
        commands = [f"get {path.name} {copy / path.name}\n" for path in paths]
        with (
            subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as thief,
            build_agent(home, Settings(watch=policy), watch) as agent,
        ):
            assert thief.stdin is not None
            crossing = None
            end = time.monotonic() + 10
            while crossing is None and time.monotonic() < end:
                if commands:  # one line at a time: smbclient polls the pipe, not what it has read of it
                    thief.stdin.write(commands.pop(0))
                    thief.stdin.flush()
                found = watch.pump(0.1)
                crossing = next((entry for entry in found if isinstance(entry, Crossing)), None)
            assert crossing is not None
            assert (crossing.outcome, len(crossing.keys)) == ("denied", 5)
            assert crossing.event.session.startswith("smbd:")
            respond(agent, crossing)
            (alert,) = agent.inventory.alerts()
            assert alert.action == "disconnected"
            assert crossing.event.client_address == "127.0.0.1"
            assert client_of(crossing.event.pid, settings) is None
            thief.kill()
            got = [path for path in copy.iterdir() if path.stat().st_size]
            assert len(got) == 5
            other = subprocess.run(
                [*client, "-c", f"get m0.csv {tmp_path / 'other'}"], capture_output=True, timeout=10, check=False
            )
            assert other.returncode == 0, other.stdout
            assert (tmp_path / "other").read_bytes() == paths[0].read_bytes()
    finally:
        watch.close()
        guard.terminate()
        guard.wait()


def test_a_client_that_is_gone_before_smbstatus_is_asked_is_named_by_its_connection(
    share: tuple[Path, list[str], str], tmp_path: Path
):
    folder, client, _settings = share
    home = find_home(tmp_path / "home")
    home.create()
    guard = start_guard(home)
    watch = GuardWatch(home.guard_socket, WatchSettings(response="stop"), lambda _pid: None)
    try:
        (folder / "m.csv").write_text("测试甲,13800001111\n")
        watch.mark([Watched(key="m", path=os.fsencode(folder / "m.csv"), persons=3)])
        subprocess.run([*client, "-c", f"get m.csv {tmp_path / 'got'}"], capture_output=True, timeout=10, check=True)
        accesses: list[AccessEvent] = []
        end = time.monotonic() + 5
        while not accesses and time.monotonic() < end:
            accesses = [entry for entry in watch.pump(0.1) if isinstance(entry, AccessEvent)]
        assert accesses[0].client_address == "127.0.0.1"
        assert accesses[0].client_user == "nobody", "a guest's account"
    finally:
        watch.close()
        guard.terminate()
        guard.wait()
