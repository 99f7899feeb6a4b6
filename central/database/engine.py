"""Opening the database of head office: SQLite or PostgreSQL by URL.

SQLite: WAL, `synchronous=FULL` (a commit is on disk when it returns), and every transaction of `open_database`'s engine
begins with `BEGIN IMMEDIATE`: one that read first and wrote later would fail at once when another process wrote in
between (SQLITE_BUSY_SNAPSHOT; no waiting helps). What only reads takes `reading`, and waits for nobody.
PostgreSQL: READ COMMITTED; a lost connection is noticed before it is used, a statement that hangs is cancelled.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from central.database.failures import explain, read_url, show_url
from central.database.migrate import bring_up, require_current
from config.errors import ClocheError, UsageError

POOL: Final = 20
"""Connections kept by a process (`CLOCHEHQ_POOL`); half as many more for a moment."""
POOL_WAIT: Final = 10
BUSY_MS: Final = 10_000
STATEMENT_MS: Final = 30_000
_READS: Final = "cloche_reads"


def open_database(url: str, *, create: bool = False, on_upgrade: Callable[[str], None] | None = None) -> Engine:
    """The engine for a database URL, its tables as this version knows them.

    Args:
        url: `sqlite:///FILE`, `postgresql://…`, `postgres://…` or `postgresql+psycopg://…`.
        create: make the tables in an empty database, and upgrade an old one.
        on_upgrade: an old database is upgraded, and this is told so; without it (and without `create`) it is refused.

    Raises:
        UsageError: the URL is none.
        DatabaseError: it cannot be reached or used.
        ClocheError: it is not ours, empty, or of another version than this program.
    """
    place = read_url(url)
    engine = make_engine(place)
    try:
        if create or on_upgrade is not None:
            bring_up(engine, place, create=create, tell=on_upgrade or (lambda _message: None))
        else:
            require_current(engine, place)
    except SQLAlchemyError as error:
        engine.dispose()
        raise explain(error, show_url(place)) from None
    except ClocheError:
        engine.dispose()
        raise
    return engine


def make_engine(place: URL) -> Engine:
    """An engine, nothing looked at yet.

    Raises:
        UsageError: `CLOCHEHQ_POOL` is no number of connections.
    """
    size = pool_size()
    if place.get_backend_name() == "sqlite":
        engine = create_engine(
            place, pool_size=size, max_overflow=size // 2, pool_timeout=POOL_WAIT, pool_use_lifo=True,
            connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False}, hide_parameters=True,
        )  # fmt: skip
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        place, pool_size=size, max_overflow=size // 2, pool_timeout=POOL_WAIT, pool_pre_ping=True, pool_use_lifo=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5, "application_name": "cloche-hq", "keepalives_idle": 30, "tcp_user_timeout": 30_000,
            "options": f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC",
        },
    )  # fmt: skip


def pool_size() -> int:
    """How many connections a process keeps.

    Raises:
        UsageError: `CLOCHEHQ_POOL` is no number from 2 to 500.
    """
    text = os.environ.get("CLOCHEHQ_POOL", "")
    if not text:
        return POOL
    if not text.isdecimal() or not 2 <= int(text) <= 500:
        raise UsageError("CLOCHEHQ_POOL: a number from 2 to 500")
    return int(text)


def reading(engine: Engine) -> Engine:
    """The same connections for what only reads: on SQLite its transactions take no lock that a writer waits for."""
    return engine.execution_options(**{_READS: True})


def prepare_sqlite(connection: Any, _record: Any) -> None:
    """Settings of a new SQLite connection; transactions are begun by us, not by the driver."""
    raw: sqlite3.Connection = connection
    raw.isolation_level = None
    cursor = raw.cursor()
    # each connection keeps its own 8 MB of pages, and a server has a dozen of them; the kernel keeps the rest
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-8192"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
