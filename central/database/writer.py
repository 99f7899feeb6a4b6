"""The one thread of a process that writes to the database.

A commit is on disk when it returns (SQLite `synchronous=FULL`, PostgreSQL `fsync`), and an answer is given only after
it. One thread takes what waits and commits it together, because an fsync a report would be the limit. Several
processes may do so on one database: SQLite has one write lock; on PostgreSQL whoever changes a store locks its row
first, in the order of identifiers.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from central.database.failures import LASTING, DatabaseError, failure_of
from config.errors import ClocheError
from config.log import describe, get_logger

BATCH: Final = 200
BATCH_BYTES: Final = 16 << 20
HELD_BYTES: Final = 64 << 20
"""Of reports that wait: beyond it, head office is busy whatever their number."""
TRIES: Final = 4

Job = Callable[[Session], Any]
Take = Callable[[Connection, Sequence[Any]], Sequence[Any]]
log = get_logger("hq.store")


class BusyError(ClocheError):
    """More waits to be written than head office will hold: come back later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    """A job, or (`job` None) a report of `size` bytes."""

    job: Job | None
    report: Any
    size: int
    future: Future[Any] | Soon


class Soon:
    """A future of an event loop, with what a thread's future has that the writer needs: the futures of one commit are
    settled in one turn of the loop, for a turn each was a tenth of a report's time."""

    __slots__ = ("_result", "awaited", "loop")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.awaited: asyncio.Future[Any] = self.loop.create_future()
        self._result: tuple[Any, Exception | None] = (None, None)

    def set_running_or_notify_cancel(self) -> bool:
        """False if whoever asked gave up."""
        return not self.awaited.done()

    def set_result(self, result: Any) -> None:
        """Kept until `settle`."""
        self._result = result, None

    def set_exception(self, error: Exception) -> None:
        """Kept until `settle`."""
        self._result = None, error

    def settle(self) -> None:
        """Tell who waits; in the loop's thread."""
        if not self.awaited.done():
            result, error = self._result
            if error is None:
                self.awaited.set_result(result)
            else:
                self.awaited.set_exception(error)


def _settle(soon: list[Soon]) -> None:
    for one in soon:
        one.settle()


class Writer:
    """Runs jobs one after another and takes reports in together, many in a transaction.

    Promise: a future has its result only after the commit; what fails undoes itself alone. While the database is gone,
    full or slow every future gets a `DatabaseError`, and the next transaction tries again. Limit: at most `limit`
    jobs and reports, and 64 MiB of reports, wait; beyond that `submit` and `take` raise `BusyError`. After a
    connection lost in a commit nobody knows whether it was carried out: the one who asked gets an error, asks again,
    and has to find the same.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        *,
        limit: int = 1000,
        take: Take | None = None,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self._sessions = sessions
        self._take = take
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(maxsize=limit)
        self._held = self._at_hand = 0
        self._lock = threading.Lock()
        self._turn = turn or nullcontext()
        self._thread = threading.Thread(target=self._run, name="hq-writer", daemon=True)

    @property
    def waiting(self) -> int:
        """How many jobs and reports wait, those of the transaction at hand among them."""
        return self._queue.qsize() + self._at_hand

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, job: Job) -> Future[Any]:
        """Have `job` run with a session inside the next transaction. It may run more than once, each time from anew.

        Raises:
            BusyError: too much waits already.
        """
        return self._put(_Waiting(job=job, report=None, size=0, future=Future()))

    def take(self, report: Any, size: int) -> Future[Any]:
        """Have a report of `size` bytes taken in with the others that wait.

        Raises:
            BusyError: too much waits already.
        """
        return self._put(_Waiting(job=None, report=report, size=size, future=Future()))

    def take_soon(self, report: Any, size: int) -> asyncio.Future[Any]:
        """`take` for a coroutine of the running loop.

        Raises:
            BusyError: too much waits already.
        """
        soon = Soon()
        self._enter(_Waiting(job=None, report=report, size=size, future=soon))
        return soon.awaited

    def _put(self, entry: _Waiting) -> Future[Any]:
        self._enter(entry)
        assert isinstance(entry.future, Future)  # noqa: S101  made so by the callers
        return entry.future

    def _enter(self, entry: _Waiting) -> None:
        with self._lock:
            if entry.size and self._held + entry.size > HELD_BYTES:
                raise BusyError("the queue is full")
            self._held += entry.size
        try:
            self._queue.put_nowait(entry)
        except queue.Full as error:
            self._release(entry.size)
            raise BusyError("the queue is full") from error

    def _release(self, size: int) -> None:
        with self._lock:
            self._held -= size

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._gather()
            if batch:
                self._at_hand = len(batch)
                self._carry_out(batch)
                self._at_hand = 0
                self._wake(batch)
                self._release(sum(entry.size for entry in batch))
            batch.clear()  # nothing is held while nothing comes

    def _wake(self, batch: list[_Waiting]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Soon]] = {}
        for entry in batch:
            if isinstance(entry.future, Soon):
                by_loop.setdefault(entry.future.loop, []).append(entry.future)
        for loop, soon in by_loop.items():
            with suppress(RuntimeError):  # the loop has ended: nobody waits
                loop.call_soon_threadsafe(_settle, soon)

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """What waits, at least one; True with the end of it."""
        batch: list[_Waiting] = []
        size = 0
        entry = self._queue.get()
        while entry is not None:
            if entry.future.set_running_or_notify_cancel():
                batch.append(entry)
                size += entry.size
            else:  # whoever asked gave up before it began
                self._release(entry.size)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                return batch, False
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _carry_out(self, batch: list[_Waiting]) -> None:
        """All in one transaction; if it fails for their own sake, one after another."""
        try:
            results = self._with_tries(batch)
        except Exception as error:  # noqa: BLE001  to the futures of those who wait, here or one by one
            lasting = _lasting(error)
            if lasting is None and len(batch) > 1:
                log.debug("batch undone", entries=len(batch), error=describe(error))
                for entry in batch:
                    self._carry_out([entry])
                return
            if lasting is not None:
                log.error("the database failed", failure=lasting.failure, entries=len(batch), error=describe(error))
            for entry in batch:
                entry.future.set_exception(lasting or error)
            return
        for entry, result in zip(batch, results, strict=True):
            if isinstance(result, _Failed):
                entry.future.set_exception(result.error)
            else:
                entry.future.set_result(result)

    def _with_tries(self, batch: list[_Waiting]) -> list[Any]:
        """The results, committed; a deadlock with another process is tried again."""
        for number in range(TRIES):
            try:
                with self._turn, self._sessions.begin() as session:
                    return self._work(session, batch)
            except SQLAlchemyError as error:
                if number == TRIES - 1 or not (_is_collision(error) or (len(batch) == 1 and _is_taken(error))):
                    raise
                time.sleep(random.uniform(0, 0.05) * (number + 1))  # noqa: S311  no secret
        raise AssertionError

    def _work(self, session: Session, batch: list[_Waiting]) -> list[Any]:
        results: dict[int, Any] = {}
        reports = [(place, entry.report) for place, entry in enumerate(batch) if entry.job is None]
        if reports and self._take is not None:
            outcomes = self._take(session.connection(), [report for _, report in reports])
            results = {place: outcome for (place, _), outcome in zip(reports, outcomes, strict=True)}
        for place, entry in enumerate(batch):
            if entry.job is not None:
                results[place] = _do(entry.job, session, alone=len(batch) == 1)
        return [results[place] for place in range(len(batch))]


@dataclass(frozen=True, kw_only=True)
class _Failed:
    """A job that undid itself and left the others."""

    error: Exception


def _do(job: Job, session: Session, *, alone: bool) -> Any:
    """One job, its changes sent before the next one asks (flushing at each question costs twice the time)."""
    if alone:
        with session.no_autoflush:
            result = job(session)
        session.flush()
        return result
    try:
        with session.begin_nested(), session.no_autoflush:
            return job(session)
    except Exception as error:
        if isinstance(error, SQLAlchemyError) and (
            _is_collision(error) or _is_taken(error) or failure_of(error) in LASTING
        ):
            raise
        return _Failed(error=error)


def _is_collision(error: SQLAlchemyError) -> bool:
    """PostgreSQL chose this transaction to give way to another."""
    return _state(error) in {"40P01", "40001"}


def _is_taken(error: SQLAlchemyError) -> bool:
    """A key was taken, perhaps by another process a moment ago: seen from anew, it may not be in the way."""
    return _state(error) == "23505"


def _state(error: SQLAlchemyError) -> str | None:
    """PostgreSQL's code of an error; SQLite has none."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None


def _lasting(error: Exception) -> DatabaseError | None:
    """The database's own condition behind an error, if it is that."""
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, SQLAlchemyError):
        failure = failure_of(error)
        if failure in LASTING:
            return DatabaseError(failure)
    return None
