"""Seconds that nobody can set: the kernel's count since boot, with the boot that it belongs to.

CLOCK_BOOTTIME goes on while the machine sleeps; `settimeofday(2)` and NTP do not move it (clock_gettime(2));
a reboot begins a new count, which the boot id tells (random(4)). What it does not give: the time that passed while the
machine was off, which the wall clock alone knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Beat:
    """One reading: which boot, and how many seconds of it."""

    boot: str
    seconds: float


def kernel_beat() -> Beat:
    """The kernel's count. Where it gives no boot id (a container without /proc), each start counts as a boot."""
    try:
        boot = BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        boot = f"process-{_STARTED}"
    return Beat(boot=boot, seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


def beat_of(now: Callable[[], datetime]) -> Callable[[], Beat]:
    """A count that follows a clock of one's own, which never jumps: for whoever sets the agent's clock."""
    return lambda: Beat(boot="one", seconds=now().timestamp())


_STARTED: Final = time.monotonic_ns()
