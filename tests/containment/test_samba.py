"""One Samba client is told from another and cut off alone: a real smbd on loopback with two clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import RefusedError
from containment.processes import start_time
from containment.samba import SambaClient, address_of, client_of, clients, disconnect


@pytest.mark.parametrize(
    ("hostname", "address"),
    [
        ("ipv4:192.0.2.7:51234", "192.0.2.7"),
        ("ipv6:2001:db8::7:51234", "2001:db8::7"),
        ("till-3", "till-3"),
        ("", ""),
    ],
)
def test_the_address_comes_without_family_and_port(hostname: str, address: str):
    assert address_of(hostname) == address


@pytest.mark.parametrize("pid", [os.getpid(), 1], ids=["ourselves", "init"])
def test_what_is_no_clients_smbd_is_not_ended(pid: int):
    with pytest.raises(RefusedError):
        disconnect(SambaClient(pid=pid, started=start_time(pid), user="", address=""))


def test_a_client_that_left_is_gone():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert disconnect(SambaClient(pid=process.pid, started=1, user="", address="")).action == "gone"


class Server:
    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.settings = str(folder / "smb.conf")
        self.share = folder / "share"
        self.port = port
        self.process = process

    def connect(self) -> subprocess.Popen[bytes]:
        command = ["smbclient", "//127.0.0.1/share", "-N", "-p", str(self.port), "-s", self.settings]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def clients(self, count: int) -> list[SambaClient]:
        end = time.monotonic() + 5
        while True:
            found = clients(self.settings)
            if len(found) == count:
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("share", "private", "state"):
        (tmp_path / name).mkdir()
    for folder in (tmp_path, tmp_path / "share", *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "smb.conf").write_text(
        f"[global]\nsmb ports = {port}\ninterfaces = 127.0.0.1\nbind interfaces only = yes\n"
        f"private dir = {tmp_path}/private\nstate directory = {tmp_path}/state\ncache directory = {tmp_path}/state\n"
        f"lock directory = {tmp_path}/state\npid directory = {tmp_path}/state\nncalrpc dir = {tmp_path}/state/rpc\n"
        "map to guest = bad user\nserver role = standalone server\ndisable netbios = yes\nload printers = no\n"
        f"log file = {tmp_path}/log\n[share]\npath = {tmp_path}/share\nguest ok = yes\nread only = yes\n"
    )
    process = subprocess.Popen(
        ["smbd", "--foreground", "--no-process-group", "-s", str(tmp_path / "smb.conf")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert time.monotonic() < end, "smbd did not start"
        time.sleep(0.05)
    yield Server(tmp_path, port, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.needs("root", "smbd", "smbclient")
@pytest.mark.kernel
def test_one_client_is_cut_and_the_other_goes_on(server: Server):
    with server.connect() as first:
        (victim,) = server.clients(1)
        assert (victim.address, client_of(victim.pid, server.settings)) == ("127.0.0.1", victim)
        with server.connect() as second:
            server.clients(2)
            assert disconnect(victim).action == "disconnected"
            (left,) = server.clients(1)
            assert left.pid != victim.pid
            assert server.process.poll() is None
            second.communicate(b"quit\n", timeout=5)
        first.kill()


@pytest.mark.needs("root", "smbd", "smbclient")
@pytest.mark.kernel
def test_the_parent_of_all_clients_is_never_ended(server: Server):
    with pytest.raises(RefusedError):
        disconnect(SambaClient(pid=server.process.pid, started=start_time(server.process.pid), user="", address=""))
    assert server.process.poll() is None
