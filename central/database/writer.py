"""The one thread of a process that writes to the database.

SQLite in WAL mode with `synchronous=FULL`: a commit is on disk when it returns. One writer thread takes what waits
and commits it together, because an fsync a report would be the limit; an answer is given only after the commit.
SQLite lets readers work beside one writer; they see the state before or after a commit, never between.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session, sessionmaker

from config.errors import ClocheError
from config.log import describe, get_logger

BATCH: Final = 100

Job = Callable[[Session], Any]
log = get_logger("hq.store")


class BusyError(ClocheError):
    """More waits to be written than head office will hold: come back later."""


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    job: Job
    future: Future[Any]


class Writer:
    """Runs jobs one after another, many in a transaction.

    Promise: a job's future has its result only after the commit; a job that fails undoes itself alone. Limit: at
    most `limit` jobs wait; beyond that `submit` raises `BusyError`.
    """

    def __init__(self, sessions: sessionmaker[Session], *, limit: int = 1000) -> None:
        self._sessions = sessions
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(maxsize=limit)
        self._thread = threading.Thread(target=self._run, name="hq-writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, job: Job) -> Future[Any]:
        """Have `job` run with a session inside the next transaction.

        Raises:
            BusyError: too much waits already.
        """
        future: Future[Any] = Future()
        try:
            self._queue.put_nowait(_Waiting(job=job, future=future))
        except queue.Full as error:
            raise BusyError("the queue is full") from error
        return future

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < BATCH and batch[-1] is not None:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            waiting = [entry for entry in batch if entry is not None]
            if waiting and not self._together(waiting):
                for entry in waiting:
                    self._alone(entry)
            if batch[-1] is None:
                return

    def _together(self, waiting: list[_Waiting]) -> bool:
        """All in one transaction; False, with nothing done, if any of them failed."""
        try:
            with self._sessions.begin() as session:
                results = [_carry_out(entry.job, session) for entry in waiting]
        except Exception as error:  # noqa: BLE001  each is tried alone next, and its own error goes to its future
            log.debug("batch undone", jobs=len(waiting), error=describe(error))
            return False
        for entry, result in zip(waiting, results, strict=True):
            entry.future.set_result(result)
        return True

    def _alone(self, entry: _Waiting) -> None:
        try:
            with self._sessions.begin() as session:
                result = _carry_out(entry.job, session)
        except Exception as error:  # noqa: BLE001  handed to the one who waits for it
            entry.future.set_exception(error)
        else:
            entry.future.set_result(result)


def _carry_out(job: Job, session: Session) -> Any:
    """One job, its changes sent before the next one asks: flushing at each question costs twice the time."""
    with session.no_autoflush:
        result = job(session)
    session.flush()
    return result
