"""Read files for the persons in them: the agent opens, unprivileged workers parse, records come back.

One file at a time: a list of a million persons in one worker takes less memory than in two, and nobody waits for it.
What was not read, or not whole, is said with its reason, by item; nothing of a file's content comes back but records
(`scanners.person_records`) and, for a list, the contacts in them.
"""

from __future__ import annotations

import base64
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import numpy as np

from config.schema import DetectSettings, ScanSettings
from scanners.discover import reason_of
from scanners.person_records import MASKED, ORGANISATION, RECORD, Records, Values
from scanners.pool import Worker, WorkerLost, Workshop
from scanners.records import Reason
from scanners.scan import time_for
from scanners.snapshot import Snapshot, is_sqlite, take
from scanners.wire import MAX_ITEMS, MAX_RECORDS, ItemMessage, Job, PersonsMessage

_COOPERATIVE: Final = 0.8


OnRecords = Callable[[tuple[str, ...], Records, tuple[Values, ...]], None]
"""Gets the entities that the bits of `types` stand for, records, and values (empty unless they are asked for)."""


@dataclass(frozen=True, kw_only=True)
class PersonsSource:
    """One file to read: its name without a folder, a readable descriptor that stays the caller's, and its folder.

    `folder` is a descriptor where the file lies in place, so that the log of a live database is found; else -1.
    """

    name: bytes = field(repr=False)
    descriptor: int
    folder: int = -1


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A part of a file that was not read whole: '' is the file itself, else a member or table of it (raw: mask it)."""

    suffix: str = field(repr=False)
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class PersonsRequest:
    """How to read."""

    scan: ScanSettings
    detect: DetectSettings
    run_key: bytes = field(repr=False)
    on_worker: Callable[[int], None] = lambda _pid: None
    spool: str = "/var/tmp"  # noqa: S108  see scanners.scan


def records_of(message: PersonsMessage) -> Records:
    """The records of a message.

    Raises:
        WorkerLost: they are none, or the values are not as many: no worker of ours says so.
    """
    try:
        data = base64.b64decode(message.records, validate=True)
    except ValueError:
        raise WorkerLost from None
    if not data or len(data) % RECORD.itemsize or len(data) > MAX_RECORDS * RECORD.itemsize:
        raise WorkerLost
    rows = np.frombuffer(data, RECORD)
    if message.values and len(message.values) != len(rows):
        raise WorkerLost
    if (rows["side"] > ORGANISATION).any() or (rows["what"] > MASKED).any() or not rows["keys"].any(axis=1).all():
        raise WorkerLost
    return rows


class PersonsReader:
    """Reads one file after the other; a context, which ends its worker."""

    def __init__(self, request: PersonsRequest) -> None:
        """Start nothing yet."""
        self._request = request
        self._workshop = Workshop(
            scan=request.scan, detect=request.detect, names=request.scan.names, run_key=request.run_key,
            on_worker=request.on_worker, persons=True,
        )  # fmt: skip
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        """As a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the worker."""
        self._end()

    def read(self, source: PersonsSource, on_records: OnRecords, *, values: bool = False) -> tuple[Unread, ...]:
        """Read a file; what of it was not read whole. `values`: with the contacts, for a list.

        Raises:
            ClocheError: a worker does not start.
        """
        snapshot: Snapshot | None = None
        facts = os.fstat(source.descriptor)
        before = (facts.st_mtime_ns, facts.st_size)
        descriptors = [source.descriptor]
        database = is_sqlite(source.descriptor)
        try:
            if database and source.folder >= 0:
                snapshot = take(
                    source.descriptor, source.folder, source.name,
                    in_memory=(self._request.scan.worker_memory_mb << 20) // 4, spool=self._request.spool,
                )  # fmt: skip
                descriptors = [snapshot.main] + [snapshot.log] * (snapshot.log >= 0)
        except OSError as error:
            return (Unread(suffix="", reason=reason_of(error)),)
        try:
            seconds = time_for(facts, self._request.scan)
            job = Job(
                name=os.fsdecode(source.name), size=facts.st_size, seconds=seconds * _COOPERATIVE, database=database,
                path=snapshot.path if snapshot else "", values=values,
            )  # fmt: skip
            unread = self._run(job, descriptors, (seconds, snapshot), on_records)
            if snapshot is not None:
                failure: Reason = snapshot.reason
            elif source.folder < 0:
                failure = ""  # a copy of ours, which SQLite may write to
            else:
                facts = os.fstat(source.descriptor)
                failure = "" if (facts.st_mtime_ns, facts.st_size) == before else "changed"
            if failure and not any(part.suffix == "" for part in unread):
                unread = (Unread(suffix="", reason=failure), *unread)
            return unread
        finally:
            if snapshot is not None:
                snapshot.close()

    def _run(
        self, job: Job, descriptors: list[int], bounds: tuple[float, Snapshot | None], on_records: OnRecords
    ) -> tuple[Unread, ...]:
        seconds, snapshot = bounds
        unread: list[Unread] = []
        items = 0
        try:
            worker = self._given(job, descriptors)
            deadline = time.monotonic() + seconds
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([worker], [], [], left)[0]:
                    if deadline - time.monotonic() > 0:
                        continue
                    self._end()
                    return (*unread, Unread(suffix="", reason="timeout"))
                for message, _keys in worker.receive():
                    if isinstance(message, ItemMessage):
                        items += 1
                        if items > MAX_ITEMS:
                            raise WorkerLost
                        if message.status != "read":
                            unread.append(Unread(suffix=message.suffix, reason=message.reason))
                    elif isinstance(message, PersonsMessage):
                        on_records(message.entities, records_of(message), message.values)
                    elif message.type == "opened" and snapshot is not None:
                        snapshot.forget_name()
                    elif message.type == "done":
                        return tuple(unread)
                    deadline = time.monotonic() + seconds
        except WorkerLost:
            self._end()
            return (*unread, Unread(suffix="", reason="crashed"))

    def _given(self, job: Job, descriptors: list[int]) -> Worker:
        """A worker that has the job; one that died while it was idle costs nothing."""
        if self._worker is not None:
            try:
                self._worker.give(job, descriptors)
            except WorkerLost:
                self._end()
            else:
                return self._worker
        self._worker = self._workshop.open()
        self._worker.give(job, descriptors)
        return self._worker

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None
