"""`cloche watch`, run as a program beside a listening daemon socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.watch.api import AccessEvent, Crossing, Gap
from agent.watch.events import EventStore
from config.errors import ExitCode
from config.home import Home, find_home

ACCESS = AccessEvent(
    at=1_800_000_000.0, monotonic_ns=1, key="k1", path="/share/会员\x1b[2J.csv".encode(), operation="open", pid=9,
    program=b"/usr/bin/tar", command=b"tar cf x", uid=1001, user="clerk", session="s1", decision="allow",
)  # fmt: skip
CROSSING = Crossing(
    event=ACCESS, rule="bound", subject="session", keys=("k1", "k2"), persons=40, response="stop", outcome="stopped",
    stopped_ms=1.25,
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = find_home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def daemon(home: Home) -> Iterator[EventStore]:
    """Something that answers on the control socket, and the store that it writes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(home.control_socket))
        listener.listen(8)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        store = EventStore(home.events_db)
        yield store
        store.close()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def cloche(home: Home, *arguments: str) -> subprocess.Popen[str]:
    code = (  # a suite that runs in the background of a shell hands on that Ctrl-C is ignored
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from agent.cli import main; "
        "sys.argv = ['cloche', *sys.argv[1:]]; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, "watch", "--home", str(home.state), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def mask(text: str) -> str:
    return text


def test_without_a_daemon_it_ends_with_five_and_says_so(home: Home):
    process = cloche(home)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == ExitCode.NO_DAEMON
    assert "control.sock" in errors


def test_json_lines_follow_what_is_recorded_until_ctrl_c(home: Home, daemon: EventStore):
    daemon.add(ACCESS, mask)
    process = cloche(home, "--json", "--all")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert (first["schema"], first["event"], first["user"], first["path"]) == (
        "cloche.watch/1", "access", "clerk", os.fsdecode(ACCESS.path),
    )  # fmt: skip
    daemon.add(CROSSING, mask)
    daemon.add(Gap(at=1.0, cause="kernel_queue"), mask)
    second, third = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (second["event"], second["outcome"], second["files"], second["stopped_ms"]) == (
        "crossing",
        "stopped",
        2,
        1.25,
    )
    assert (third["event"], third["cause"], third["lost"]) == ("gap", "kernel_queue", None)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == ExitCode.DONE
    assert errors == ""


def test_readable_lines_drive_no_terminal(home: Home, daemon: EventStore):
    daemon.add(ACCESS, mask)
    daemon.add(CROSSING, mask)
    output, _ = cloche(home, "--once").communicate(timeout=20)
    lines = output.splitlines()
    assert len(lines) == 2
    assert "clerk" in lines[0]
    assert "会员\\x1b[2J.csv" in lines[0]
    assert "\x1b" not in output
