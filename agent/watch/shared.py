"""One watch for several threads: the loop that pumps it, and operations that mark, deny and allow beside it.

A blocking `pump` must not keep a declaration from denying, so the wait for something to read happens outside the lock.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Iterable, Sequence

from agent.watch.api import Happening, MarkResult, Taught, Tier, Watch, Watched


class SharedWatch:
    """Wraps a `Watch`; promises that calls from several threads don't mix. One thread at a time may pump."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._lock = threading.RLock()

    @property
    def tier(self) -> Tier:
        """What is really reached here."""
        return self._watch.tier

    def replace(self, watch: Watch) -> None:
        """Go on with another watch (the guard came back, or came at last); the old one is closed."""
        with self._lock:
            old, self._watch = self._watch, watch
            old.close()

    def mark(self, items: Iterable[Watched]) -> MarkResult:
        """See `Watch`."""
        wanted = list(items)
        with self._lock:
            return self._watch.mark(wanted)

    def unmark(self, keys: Sequence[str]) -> None:
        """See `Watch`."""
        with self._lock:
            self._watch.unmark(keys)

    def deny(self, keys: Sequence[str]) -> frozenset[str]:
        """See `Watch`."""
        with self._lock:
            return self._watch.deny(keys)

    def allow(self, keys: Sequence[str]) -> None:
        """See `Watch`."""
        with self._lock:
            self._watch.allow(keys)

    def exempt(self, pid: int) -> bool:
        """See `Watch`."""
        with self._lock:
            return self._watch.exempt(pid)

    def teach(self, taught: Taught) -> None:
        """See `Watch`."""
        with self._lock:
            self._watch.teach(taught)

    def pardon(self, session: str) -> None:
        """See `Watch`."""
        with self._lock:
            self._watch.pardon(session)

    def pump(self, timeout: float) -> list[Happening]:
        """See `Watch`; waits outside the lock."""
        with self._lock:
            descriptor = self._watch.fileno()
        if descriptor >= 0:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(timeout * 1000)
        else:
            time.sleep(timeout)
        with self._lock:
            return self._watch.pump(0)

    def fileno(self) -> int:
        """See `Watch`."""
        return self._watch.fileno()

    def close(self) -> None:
        """See `Watch`."""
        with self._lock:
            self._watch.close()
