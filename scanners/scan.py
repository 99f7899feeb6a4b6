"""Discover, hand to workers, collect: the items of some roots, in the order of listing.

Every file, member and table is listed once and counted once. A worker that is killed or lost costs the file it had,
which is counted, and no more. The daemon's process parses nothing but the first bytes of a file.
"""

from __future__ import annotations

import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from config.errors import ClocheError
from config.schema import DetectSettings, ScanSettings
from scanners.assembly import assemble
from scanners.discover import Discovery, Found, reason_of
from scanners.own import known_by_others
from scanners.pool import Worker, WorkerLost, Workshop, new_run_key
from scanners.records import Coverage, FileIdentity, Item, Reason
from scanners.snapshot import Snapshot, clear_leftovers, is_sqlite, take
from scanners.wire import MAX_ITEMS, ItemMessage, Job, Message

_WINDOW: Final = 256  # files that may be finished or in work before the first of them is handed on
_KEYS_PER_FILE: Final = 1 << 23  # person keys kept of one file (64 MiB of them)
_DENSEST: Final = 10  # bytes of a file for each byte on disk, where a filesystem compresses
_LONGEST_SECONDS: Final = 86_400.0
_COOPERATIVE: Final = 0.8  # share of the time after which a worker ends an item by itself, with what it has


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a scan is. `path` is the one handed on last, raw: mask it before it is shown."""

    path: bytes
    files: int
    bytes: int


def _ignore(_value: object) -> None:
    """Nobody wants to know."""


def _unknown(_path: bytes, _identity: FileIdentity) -> None:
    """Nothing was read before."""


@dataclass(frozen=True, kw_only=True)
class ScanRequest:
    """What to scan and how.

    `roots` and `reserved` are absolute paths; `workers` processes run beside each other; `on_worker` gets the pid of
    each before it reads anything; `known` gives the items of a file that need not be read again;
    `spool` is a folder on a disk for snapshots of large databases.
    """

    roots: tuple[bytes, ...]
    settings: ScanSettings
    detect: DetectSettings
    names: bool = True
    workers: int = 2
    reserved: tuple[bytes, ...] = ()
    on_progress: Callable[[Progress], None] = _ignore
    on_worker: Callable[[int], None] = _ignore
    known: Callable[[bytes, FileIdentity], Sequence[Item] | None] = _unknown
    spool: str = "/var/tmp"  # noqa: S108  folders in it are made with mkdir(2) under names that can't be guessed


def scan(request: ScanRequest) -> Iterator[Item]:
    """The items under `request.roots`, each file followed by what is in it. Closing the iterator ends all workers.

    Raises:
        UsageError: a root does not exist.
        ClocheError: a worker does not start.
    """
    discovery = Discovery(exclude=request.settings.exclude, reserved=request.reserved)
    return _Run(request, discovery.walk(request.roots)).items()


@dataclass(kw_only=True, eq=False)
class _Task:
    """One listed path on its way."""

    found: Found
    messages: list[tuple[ItemMessage, frozenset[int]]] = field(default_factory=list)
    keys: int = 0
    snapshot: Snapshot | None = None
    seconds: float = 0.0
    deadline: float = 0.0
    failure: Reason = ""
    known: Sequence[Item] = ()
    done: bool = False


class _Run:
    """One scan."""

    def __init__(self, request: ScanRequest, listing: Iterator[Found]) -> None:
        self._request = request
        self._listing = listing
        self._workshop = Workshop(
            scan=request.settings,
            detect=request.detect,
            names=request.names,
            run_key=new_run_key(),
            on_worker=request.on_worker,
        )
        self._selector = selectors.DefaultSelector()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, _Task] = {}
        self._line: deque[_Task] = deque()
        self._files = 0
        self._bytes = 0

    def items(self) -> Iterator[Item]:
        """All of it."""
        clear_leftovers(self._request.spool)
        listed_all = False
        try:
            while True:
                while not listed_all and len(self._line) < _WINDOW and len(self._busy) < self._request.workers:
                    found = next(self._listing, None)
                    if found is None:
                        listed_all = True
                        break
                    self._start(found)
                while self._line and self._line[0].done:
                    yield from self._hand_on(self._line.popleft())
                if self._busy:
                    self._wait()
                elif listed_all and not self._line:
                    return
        finally:
            self._close()

    def _start(self, found: Found) -> None:
        """Give a listed path to a worker, or settle it at once."""
        task = _Task(found=found)
        self._line.append(task)
        name = os.path.basename(found.path)
        if found.status == "read":
            task.found = found = known_by_others(found, name)
        if found.descriptor < 0:
            task.done = True
            return
        if found.identity is not None:
            task.known = self._request.known(found.path, found.identity) or ()
        if task.known:
            os.close(found.descriptor)
            task.done = True
            return
        facts = os.fstat(found.descriptor)
        descriptors = [found.descriptor]
        database = is_sqlite(found.descriptor)
        try:
            if database:
                task.snapshot = take(
                    found.descriptor,
                    found.folder,
                    name,
                    in_memory=(self._request.settings.worker_memory_mb << 20) // 4,
                    spool=self._request.spool,
                )
                descriptors = [task.snapshot.main] + [task.snapshot.log] * (task.snapshot.log >= 0)
        except OSError as error:
            task.failure = reason_of(error)
            self._settle(task)
            return
        settings = self._request.settings
        task.seconds = time_for(facts, settings)
        job = Job(
            name=os.fsdecode(name),
            size=facts.st_size,
            seconds=task.seconds * _COOPERATIVE,
            database=database,
            path=task.snapshot.path if task.snapshot else "",
        )
        worker = self._hand_over(job, descriptors)
        self._busy[worker] = task
        task.deadline = time.monotonic() + task.seconds

    def _hand_over(self, job: Job, descriptors: list[int]) -> Worker:
        """A worker that has the job now; one that died while it was idle costs no file."""
        while self._idle:
            worker = self._idle.pop()
            try:
                worker.give(job, descriptors)
            except WorkerLost:
                self._lose(worker, "crashed")
            else:
                return worker
        worker = self._hire()
        try:
            worker.give(job, descriptors)
        except WorkerLost as error:
            self._lose(worker, "crashed")
            raise ClocheError("a scan worker ended before its first file") from error
        return worker

    def _hire(self) -> Worker:
        worker = self._workshop.open()
        self._selector.register(worker, selectors.EVENT_READ)
        return worker

    def _wait(self) -> None:
        """Hear what workers say; end those that are over their time."""
        first = min(task.deadline for task in self._busy.values())
        for key, _events in self._selector.select(max(0.0, first - time.monotonic())):
            worker = key.fileobj
            assert isinstance(worker, Worker)  # noqa: S101  nothing else is registered
            try:
                for message, keys in worker.receive():
                    self._hear(worker, message, keys)
                    if worker not in self._busy:
                        break
            except WorkerLost:
                self._lose(worker, "crashed")
        now = time.monotonic()
        for worker in [worker for worker, task in self._busy.items() if task.deadline <= now]:
            self._lose(worker, "timeout")

    def _hear(self, worker: Worker, message: Message, keys: frozenset[int]) -> None:
        task = self._busy.get(worker)
        if task is None:
            raise WorkerLost
        if isinstance(message, ItemMessage):
            task.keys += len(keys)
            if len(task.messages) >= MAX_ITEMS or task.keys > _KEYS_PER_FILE:
                self._lose(worker, "too_large")
                return
            task.messages.append((message, keys))
            task.deadline = time.monotonic() + task.seconds
        elif message.type == "opened" and task.snapshot is not None:
            task.snapshot.forget_name()
        elif message.type == "done":
            del self._busy[worker]
            self._idle.append(worker)
            self._settle(task)

    def _lose(self, worker: Worker, reason: Reason) -> None:
        """A worker is gone, or goes now; its file is counted with `reason`."""
        self._selector.unregister(worker)
        worker.kill()
        task = self._busy.pop(worker, None)
        if worker in self._idle:
            self._idle.remove(worker)
        if task is not None:
            task.failure = reason
            self._settle(task)

    def _settle(self, task: _Task) -> None:
        """The file is finished; see whether it stayed the same meanwhile."""
        if task.snapshot is not None:
            task.failure = task.failure or task.snapshot.reason
            task.snapshot.close()
        elif task.found.identity is not None and not task.failure:
            facts = os.fstat(task.found.descriptor)
            if (facts.st_mtime_ns, facts.st_size) != (task.found.identity.mtime_ns, task.found.identity.size):
                task.failure = "changed"
        os.close(task.found.descriptor)
        task.done = True

    def _hand_on(self, task: _Task) -> Iterator[Item]:
        items = task.known or assemble(task.found, task.messages, task.failure)
        self._files += 1
        self._bytes += items[0].size if items[0].status in ("read", "partial") else 0
        self._request.on_progress(Progress(files=self._files, bytes=self._bytes, path=task.found.path))
        yield from items

    def _close(self) -> None:
        for worker in [*self._busy, *self._idle]:
            worker.kill()
        for task in self._busy.values():
            if task.snapshot is not None:
                task.snapshot.close()
            os.close(task.found.descriptor)
        self._busy.clear()
        self._idle.clear()
        self._selector.close()
        close = getattr(self._listing, "close", None)
        if close is not None:
            close()


def time_for(facts: os.stat_result, settings: ScanSettings) -> float:
    """Seconds that a file may take: by its size, but a hole of a terabyte is not given days."""
    megabytes = min(facts.st_size, facts.st_blocks * 512 * _DENSEST) / (1 << 20)
    return min(settings.item_timeout_seconds + settings.timeout_seconds_per_mb * megabytes, _LONGEST_SECONDS)


class CoverageCount:
    """Counts items as they come."""

    def __init__(self) -> None:
        self._counts = {"read": 0, "partial": 0, "unread": 0, "skipped": 0}
        self._bytes = 0

    def add(self, item: Item) -> None:
        """Count one. Bytes are those of files: members and tables are within their file."""
        self._counts[item.status] += 1
        if item.identity is not None and item.status in ("read", "partial"):
            self._bytes += item.size

    @property
    def coverage(self) -> Coverage:
        """So far."""
        return Coverage(
            listed=sum(self._counts.values()),
            read=self._counts["read"],
            partial=self._counts["partial"],
            unread=self._counts["unread"],
            skipped=self._counts["skipped"],
            bytes=self._bytes,
        )


def coverage(items: Iterable[Item]) -> Coverage:
    """The coverage of a whole list."""
    count = CoverageCount()
    for item in items:
        count.add(item)
    return count.coverage
