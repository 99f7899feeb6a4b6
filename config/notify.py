"""Tell systemd how we are: `sd_notify(3)`, without libsystemd.

Outside systemd `NOTIFY_SOCKET` is not set and nothing is sent. A datagram may be lost only if systemd is gone.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send e.g. `READY=1`, `WATCHDOG=1`, `STATUS=…`, `STOPPING=1`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender, suppress(OSError):
        sender.sendto(state.encode(), address)


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear from this process (half of `WATCHDOG_USEC`), or None."""
    micros = os.environ.get("WATCHDOG_USEC")
    if not micros or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(micros) / 2e6
