"""The fallback without root: watchdog on inotify(7). It names nobody, refuses nothing, and misses some.

inotify tells neither pid nor uid, merges equal events in a row, and loses all beyond its queue (watchdog saw 11 to 13
thousand of 50 thousand opens where permission events saw all). Folders are watched, so a file renamed out of them is
lost from sight. Since no process is named, the own scan's opens look like anybody's: bounds and decoys rest while an
exempt worker lives. Watches beyond `fs.inotify.max_user_watches` fail, and the items are named as not watched.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from agent.guard.decide import Decider, Policy, Subject, Target
from agent.watch.api import Access, AccessEvent, Crossing, Gap, Happening, MarkResult, Taught, Tier, Watched
from config.schema import WatchSettings

_OPERATIONS: Final[dict[str, Access]] = {
    "opened": "open", "modified": "modify", "deleted": "delete", "moved": "move",
}  # fmt: skip
_QUEUE: Final = 20_000
_MOST_FOLDERS: Final = 64  # watchdog keeps two threads for each
_GRACE_NS: Final = 1_000_000_000
_SOMEBODY: Final = Subject(pid=0, started=0, program=b"", program_id=(0, 0), root_owned=False, uid=-1, session="")


class InotifyWatch(FileSystemEventHandler):
    """Tells opens, changes and deletions of watched files; judges bounds over everybody together."""

    def __init__(self, settings: WatchSettings) -> None:
        """Nothing watched yet; a thread of watchdog's runs until `close`."""
        self._by_path: dict[bytes, Watched] = {}
        self._folders: dict[bytes, object] = {}
        self._exempt: set[int] = {os.getpid()}
        self._quiet_until = 0
        self._lost = 0
        self._events: deque[tuple[float, int, bytes, Access]] = deque()
        self._signal = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._observer = Observer()
        self._observer.start()
        self._decider = Decider(
            Policy(
                max_files=settings.max_files,
                max_persons=settings.max_persons,
                window_ns=int(settings.window_seconds * 1e9),
            )
        )

    @property
    def tier(self) -> Tier:
        """Always `inotify`."""
        return "inotify"

    def mark(self, items: Iterable[Watched]) -> MarkResult:
        """Watch the folders of these; nested folders share one watch."""
        marked = 0
        failed: list[tuple[str, str]] = []
        for item in items:
            if not os.path.lexists(item.path):
                failed.append((item.key, "ENOENT"))
            elif not self._watch_folder(os.path.dirname(os.path.abspath(item.path))):
                failed.append((item.key, "full"))
            else:
                self._by_path[os.path.abspath(item.path)] = item
                marked += 1
        return MarkResult(marked=marked, failed=tuple(failed))

    def unmark(self, keys: Sequence[str]) -> None:
        """Forget these; their folders stay watched."""
        gone = set(keys)
        self._by_path = {path: item for path, item in self._by_path.items() if item.key not in gone}

    def deny(self, keys: Sequence[str]) -> frozenset[str]:  # noqa: ARG002  the protocol's parameter
        """Nothing can be refused here."""
        return frozenset()

    def allow(self, keys: Sequence[str]) -> None:
        """Nothing was refused."""

    def exempt(self, pid: int) -> bool:
        """Let the rules rest while this process lives. Nothing is refused to anybody, so the answer is False."""
        self._exempt.add(pid)
        return False

    def teach(self, taught: Taught) -> None:
        """Nothing is refused or stopped here."""

    def pardon(self, session: str) -> None:
        """Start the common count anew."""
        self._decider.pardon(session)

    def pump(self, timeout: float) -> list[Happening]:
        """See `Watch`."""
        if not self._events and timeout > 0:
            poll = select.poll()
            poll.register(self._signal, select.POLLIN)
            poll.poll(timeout * 1000)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._signal)
        found: list[Happening] = []
        for _ in range(len(self._events)):
            found.extend(self._judge(*self._events.popleft()))
        if self._lost:
            found.append(Gap(at=time.time(), cause="guard_queue", lost=self._lost))
            self._lost = 0
        return found

    def fileno(self) -> int:
        """An eventfd that is readable when something waits."""
        return self._signal

    def close(self) -> None:
        """End watchdog's threads."""
        self._observer.stop()
        self._observer.join()
        if self._signal >= 0:
            os.close(self._signal)
            self._signal = -1

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in watchdog's thread: queue and wake, nothing else."""
        operation = _OPERATIONS.get(event.event_type)
        path = os.fsencode(event.src_path)
        if operation is None or event.is_directory or path not in self._by_path:
            return
        if len(self._events) >= _QUEUE:
            self._lost += 1
            return
        self._events.append((time.time(), time.monotonic_ns(), path, operation))
        with contextlib.suppress(OSError):
            os.eventfd_write(self._signal, 1)

    def _watch_folder(self, folder: bytes) -> bool:
        if any(folder == known or folder.startswith(known.rstrip(b"/") + b"/") for known in self._folders):
            return True
        if len(self._folders) >= _MOST_FOLDERS:
            return False
        try:
            self._folders[folder] = self._observer.schedule(self, os.fsdecode(folder), recursive=True)
        except OSError:
            return False
        return True

    def _judge(self, at: float, now: int, path: bytes, operation: Access) -> list[Happening]:
        item = self._by_path.get(path)
        if item is None:
            return []
        access = AccessEvent(at=at, monotonic_ns=now, key=item.key, path=path, operation=operation)
        if operation != "open" or self._resting(now):
            return [access]
        target = Target(key=item.key, persons=item.persons, live=item.live, decoy=item.decoy)
        broken = self._decider.decide(_SOMEBODY, target, now, exempt=False).broken
        if broken is None:
            return [access]
        return [
            Crossing(
                event=access,
                rule=broken.rule,
                subject=broken.subject,
                keys=broken.keys,
                persons=broken.persons,
                response="alert",
                outcome="alerted",
            )
        ]

    def _resting(self, now: int) -> bool:
        for pid in list(self._exempt):
            if pid != os.getpid():
                if os.path.exists(f"/proc/{pid}"):
                    self._quiet_until = now + _GRACE_NS
                else:
                    self._exempt.discard(pid)
        return now < self._quiet_until
