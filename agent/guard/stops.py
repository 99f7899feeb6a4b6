"""Crossings held back until their process is seen stopped, so that what is told is measured.

SIGSTOP is delivered when the process leaves the kernel, which is after its refused call: within a millisecond as a
rule, later only if the process waits for a processor.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from agent.guard.protocol import Message

WAIT_NS: Final = 50_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Expected:
    message: Message
    pid: int
    since: int


class Stops:
    """False when nobody is waited for."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._expected: list[_Expected] = []

    def __bool__(self) -> bool:
        """Whether a stop is still to be confirmed."""
        return bool(self._expected)

    def expect(self, crossing: Message, pid: int, since: int) -> None:
        """SIGSTOP was sent to `pid` for the event read at `since` (monotonic ns)."""
        self._expected.append(_Expected(message=crossing, pid=pid, since=since))

    def confirmed(self, now: int) -> list[Message]:
        """Crossings to tell: stopped ones with their time, those gone or not stopped within `WAIT_NS` without."""
        ready = []
        waiting = []
        for expected in self._expected:
            state = _state(expected.pid)
            if state in ("T", "t"):
                expected.message["outcome"] = "stopped"
                expected.message["stopped_ms"] = round((now - expected.since) / 1e6, 3)
            elif state not in ("", "Z", "X") and now - expected.since < WAIT_NS:
                waiting.append(expected)
                continue
            ready.append(expected.message)
        self._expected = waiting
        return ready


def _state(pid: int) -> str:
    try:
        descriptor = os.open(b"/proc/%d/stat" % pid, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        text = os.read(descriptor, 512)
    except ProcessLookupError:
        return ""
    finally:
        os.close(descriptor)
    return chr(text[text.rindex(b")") + 2])
