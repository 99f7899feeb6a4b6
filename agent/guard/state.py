"""What outlives a guard: marks, denials, blocked sessions, policy, exempt processes. JSON lines, appended.

Written to the page cache, not to the disk: it must outlive a killed process, not a power cut (after a reboot device
numbers mean other disks; the first line names the boot, and another boot's file is dropped). A line cut by a kill
is the last one and is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Final

from agent.guard.protocol import Message

_BOOT_ID: Final = b"/proc/sys/kernel/random/boot_id"
_MODE: Final = 0o600


class StateLog:
    """The file `guard.state`, opened before rights are dropped."""

    def __init__(self, path: bytes) -> None:
        """Open or begin it.

        Raises:
            OSError: it cannot be written there.
        """
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
        self._boot = _boot_id()

    def entries(self) -> Iterator[Message]:
        """Everything written in this boot, oldest first."""
        with open(os.dup(self.descriptor), "rb") as file:
            file.seek(0)
            if file.readline() != _line({"type": "boot", "id": self._boot}):
                return
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def rewrite(self, entries: Iterator[Message]) -> None:
        """Replace the file by a shorter one that says the same.

        Raises:
            OSError: the old file stays.
        """
        temporary = self.path + b".new"
        descriptor = os.open(
            temporary,
            os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW,
            _MODE,
        )
        with open(os.dup(descriptor), "wb") as file:
            file.write(_line({"type": "boot", "id": self._boot}))
            file.writelines(_line(entry) for entry in entries)
        os.rename(temporary, self.path)
        os.close(self.descriptor)
        self.descriptor = descriptor

    def append(self, entry: Message) -> None:
        """Add one.

        Raises:
            OSError: the disk is full; the guard goes on without.
        """
        os.write(self.descriptor, _line(entry))


def _line(entry: Message) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def _boot_id() -> str:
    descriptor = os.open(_BOOT_ID, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 64).decode("ascii").strip()
    finally:
        os.close(descriptor)
