"""A guard of one's own, for tests, benchmarks and drills: the real one, started as a child."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.guard.protocol import PACKET, encode
from agent.watch.fanotify import NoGuardError
from config.home import Home

_ANSWER_SECONDS: Final = 10.0


def start_guard(home: Home, *, wait: float = 10.0, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A guard of our own, for tests, benchmarks and drills; the caller ends it with SIGTERM.

    Args:
        home: whose guard it is.
        wait: seconds until it must answer.
        before: a command that becomes the guard (`agent.drill.leash`).

    Raises:
        NoGuardError: it ended, or its socket did not come within `wait` seconds.
    """
    folder = [] if home.is_service else ["--home", os.fspath(home.state)]
    process = subprocess.Popen(
        [*before, sys.executable, "-P", "-m", "agent.guard.main", *folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + wait
    while time.monotonic() < end and process.poll() is None:
        if home.guard_socket.exists() and _answers(home.guard_socket):
            return process
        time.sleep(0.02)
    process.terminate()
    process.wait()
    raise NoGuardError(f"{home.guard_socket}: the guard did not start (exit code {process.returncode})")


def _answers(path: Path) -> bool:
    """Whether a responder says hello there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(_ANSWER_SECONDS)
        try:
            probe.connect(os.fsencode(path))
            probe.send(encode({"type": "stats", "id": 0}))
            return bool(probe.recv(PACKET))
        except OSError:
            return False
