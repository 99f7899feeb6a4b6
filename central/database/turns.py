"""Whose turn it is to write, among the processes of one machine that serve one head office.

SQLite has one write lock, and who waits for it sleeps and looks again, up to a tenth of a second at a time: of two
processes that write all the time one waits for seconds, and both do half of what they could. PostgreSQL has none, but
what waits meanwhile goes into one larger transaction, which costs a tenth less. A lock of the kernel (flock(2)) wakes
who waits at once. It is held beside the database's own locks, which others (commands, other machines) know alone.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from config.log import describe, get_logger

log = get_logger("hq.store")


class Turn:
    """Held around each transaction of a writer. Where its file cannot be had (a full disk, no descriptors) whoever
    writes goes on without: what is right, the database's own locks say, and what is wrong, its own errors."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Wait for it."""
        try:
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            log.warning("writers do not take turns", error=describe(error))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The next one's: closing gives it up."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
