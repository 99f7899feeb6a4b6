"""The waiting reports as the link sees them: read-only files, and the one file that it writes, `link.state`.

Everything goes by a descriptor of the folder, opened before rights are dropped: it works where the path can no longer
be walked. A torn `link.state` counts as absent and costs a repeated sending, which head office answers as known.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.link.settings import Enrolment, read_enrolment
from central.wire import KINDS, MAX_BODY, Kind
from config.errors import ClocheError, RefusedError

STATE_FILE: Final = "link.state"
MAX_STATE: Final = 16_384
SIGNATURE_SIZE: Final = 64
CERTAIN_NS: Final = 1_000_000_000
_KINDS: Final[dict[str, Kind]] = {kind: kind for kind in KINDS}


@dataclass(frozen=True, kw_only=True)
class Report:
    """One waiting report. `body` is what was signed, byte for byte."""

    number: int
    kind: Kind
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class LinkState:
    """What the link says about itself; the daemon believes none of it beyond dropping what was acknowledged.

    `refused` are reports that head office will never take, by number and HTTP status.
    """

    acknowledged: int = 0
    last_contact: str = ""
    fault: str = ""
    refused: tuple[tuple[int, int], ...] = ()


class Spool:
    """The waiting reports as the link sees them, by a descriptor of the folder that is kept open.

    Opened before rights are dropped, it works where the path can no longer be walked.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder.

        Raises:
            RefusedError: it does not exist or may not be read.
        """
        self.folder = folder
        self._state: int | None = None
        try:
            self._directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise RefusedError(f"{folder}: cannot be opened: {error.strerror}") from error

    def close(self) -> None:
        """Give the descriptors back. Calling it twice is harmless."""
        for descriptor in (self._directory, self._state):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
        self._directory, self._state = -1, None

    def entries(self) -> list[tuple[int, Kind]]:
        """Number and kind of every file of the spool, acknowledged ones included, in order."""
        return sorted(entry for name in os.listdir(self._directory) if (entry := _entry(name)) is not None)

    def sizes(self) -> list[tuple[int, Kind, int]]:
        """The same, with the bytes of each file."""
        found = []
        with os.scandir(self._directory) as files:
            for file in files:
                entry = _entry(file.name)
                if entry is not None:
                    found.append((*entry, file.stat(follow_symlinks=False).st_size))
        return sorted(found)

    def stamp(self) -> tuple[int, bool]:
        """When a file last came into the folder or left it (ns), and whether that is long enough ago to be certain.

        The kernel's clock of a file ticks every 4 ms or so: what came within the tick in which the folder was looked
        at would not be seen.
        """
        changed = os.fstat(self._directory).st_mtime_ns
        return changed, abs(time.time_ns() - changed) > CERTAIN_NS

    def pending(self) -> list[tuple[int, Kind]]:
        """Number and kind of every report not yet acknowledged, in order."""
        acknowledged = self.state().acknowledged
        return [entry for entry in self.entries() if entry[0] > acknowledged]

    def read(self, number: int, kind: Kind) -> Report | None:
        """One report, or None where a newer one has replaced it meanwhile.

        Raises:
            ClocheError: the file cannot be read.
        """
        name = file_name(number, kind)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ClocheError(f"{self.folder / name}: cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(SIGNATURE_SIZE + MAX_BODY + 1)
        return Report(number=number, kind=kind, signature=content[:SIGNATURE_SIZE], body=content[SIGNATURE_SIZE:])

    def enrolment(self) -> Enrolment | None:
        """Where head office is, or None if the store is not enrolled.

        Raises:
            ClocheError: the file is damaged.
        """
        return read_enrolment(self._directory)

    def state(self) -> LinkState:
        """What the link last wrote; the empty state where that is absent, torn or no state at all.

        Read by the daemon as well, so a hijacked link's words must end nothing here: `1e999` is no number
        (OverflowError), brackets in brackets are no state (RecursionError).
        """
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            descriptor = os.open(
                STATE_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=self._directory
            )
            with os.fdopen(descriptor, "rb") as file:
                values = json.loads(file.read(MAX_STATE))
            return LinkState(
                acknowledged=int(values["acknowledged"]),
                last_contact=str(values["last_contact"]),
                fault=str(values["fault"]),
                refused=tuple((int(number), int(status)) for number, status in values["refused"]),
            )
        return LinkState()

    def open_state(self) -> None:
        """Take the right to write `link.state`, before rights are dropped.

        Raises:
            RefusedError: the daemon has not made the file, or it may not be written.
        """
        try:
            self._state = os.open(STATE_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory)
        except OSError as error:
            raise RefusedError(f"{self.folder / STATE_FILE}: cannot be written: {error.strerror}") from error

    def write_state(self, state: LinkState) -> None:
        """Record an acknowledgement or a fault, durable on return. `open_state` comes first.

        Raises:
            ClocheError: the disk refused it; the report will be sent once more.
        """
        values = {
            "acknowledged": state.acknowledged, "last_contact": state.last_contact, "fault": state.fault[:200],
            "refused": state.refused[-200:],
        }  # fmt: skip
        content = json.dumps(values).encode()
        if self._state is None:
            raise RefusedError(f"{self.folder / STATE_FILE}: was not opened for writing")
        try:
            os.pwrite(self._state, content, 0)
            os.ftruncate(self._state, len(content))
            os.fsync(self._state)
        except OSError as error:
            raise ClocheError(f"{self.folder / STATE_FILE}: cannot be written: {error.strerror}") from error


def _entry(name: str) -> tuple[int, Kind] | None:
    """Number and kind of a report by the name of its file."""
    number, _, rest = name.partition(".")
    kind = _KINDS.get(rest)
    return (int(number), kind) if kind is not None and number.isdecimal() else None


def file_name(number: int, kind: Kind) -> str:
    """Name of a report's file in the spool."""
    return f"{number:016d}.{kind}"
