"""The database of head office, and the one thread that writes to it.

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
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from central.models import Act, Base, Fact, Fault
from config.errors import ClocheError
from config.log import describe, get_logger

SCHEMA: Final = 1
BATCH: Final = 100

Job = Callable[[Session], Any]
log = get_logger("hq.store")


class BusyError(ClocheError):
    """More waits to be written than head office will hold: come back later."""


def open_database(url: str, *, create: bool = False) -> Engine:
    """The engine for a database URL, its schema checked.

    Raises:
        ClocheError: it cannot be opened, is not ours, or was written by a newer version.
    """
    engine = create_engine(url)
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    if is_sqlite:
        event.listen(engine, "connect", _prepare)
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        if not is_sqlite:
            Base.metadata.create_all(engine)
            return engine
        with engine.begin() as connection:
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            if version > SCHEMA:
                raise ClocheError(f"{shown}: written by a newer cloche-hq (schema {version}, this one knows {SCHEMA})")
            if create:
                Base.metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
            elif version == 0:
                raise ClocheError(f"{shown}: no head-office database; make one with `cloche-hq init`")
    except SQLAlchemyError as error:
        engine.dispose()
        raise ClocheError(f"{shown}: cannot be opened ({type(error).__name__})") from error
    except ClocheError:
        engine.dispose()
        raise
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


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


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def note_fault(session: Session, store_id: str, kind: str, detail: str) -> None:
    """Count a fault in what came in a store's name."""
    fault = session.get(Fault, (store_id, kind))
    if fault is None:
        fault = Fault(store_id=store_id, kind=kind, count=0, first_at=now(), last_at=now(), detail="")
        session.add(fault)
    fault.count += 1
    fault.last_at = now()
    fault.detail = detail[:300]


def note_act(session: Session, actor: str, act: str, detail: str = "") -> None:
    """Record what somebody did at head office."""
    session.add(Act(at=now(), actor=actor[:120], act=act, detail=detail[:300]))


def read_fact(session: Session, key: str, default: str) -> str:
    """A setting of this head office."""
    fact = session.get(Fact, key)
    return fact.value if fact else default
