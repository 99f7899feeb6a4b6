"""Open inventory.db: WAL, full synchronisation, private to its owner, and of a version that this program knows.

SQLite's WAL with `synchronous=FULL` makes each commit durable (https://www.sqlite.org/pragma.html#pragma_synchronous);
with NORMAL, which many take, a power cut may roll a commit back. `-wal` and `-shm` take the mode of the database
file. pysqlite opens transactions late (before the first write), which lets two writers deadlock on an upgrade: here a
transaction begins when SQLAlchemy says so, IMMEDIATE for writers.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.exc import DatabaseError

from agent.inventory.models import Base
from config.errors import ClocheError, CorruptError

BUSY_MS: Final = 30_000
READING: Final = "reading"

TABLES: Final[tuple[str, ...]] = (
    "agent.inventory.models",
    "agent.approvals.models",
    "agent.drill.models",
    "agent.assess.models",
    "agent.audit.models",
    "agent.cleaning.models",
    "agent.direction.models",
    "agent.incident.duty_models",
    "agent.incident.models",
    "agent.incident.order_models",
    "agent.messages.models",
    "agent.notice.models",
    "agent.reports.models",
    "agent.sealing.register",
    "agent.purge.models",
    "agent.reporting.models",
    "agent.security_check.models",
    "agent.vendors.models",
    "agent.training.models",
    "agent.watch.own",
)
"""Modules that define tables on `Base`: an explicit list, imported before the tables are made."""


def create_first(connection: Connection) -> None:
    """Version 1: every table of the rooms in `TABLES`."""
    Base.metadata.create_all(connection)


def add_about(connection: Connection) -> None:
    """Version 2: what a table is, and how many rows it has. A database made by this program has both already."""
    known = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(items)")}
    for column, kind in (("about", "VARCHAR NOT NULL DEFAULT ''"), ("records", "BIGINT NOT NULL DEFAULT 0")):
        if column not in known:
            connection.exec_driver_sql(f"ALTER TABLE items ADD COLUMN {column} {kind}")


def add_natures(connection: Connection) -> None:
    """Version 3: what stands behind values, and whose they are. What was read before is read again, to know it."""
    known = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(findings)")}
    for column, default in (("nature", "personal"), ("subject", "unknown")):
        if column not in known:
            connection.exec_driver_sql(f"ALTER TABLE findings ADD COLUMN {column} VARCHAR NOT NULL DEFAULT '{default}'")
            connection.exec_driver_sql("UPDATE items SET recipe = ''")


def add_grades(connection: Connection) -> None:
    """Version 4: counted persons, levels and merging of incidents."""
    known = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(incidents)")}
    for column, kind in (
        ("counted_at", "DATETIME"), ("sensitive", "INTEGER"), ("virtual", "INTEGER"),
        ("level", "VARCHAR NOT NULL DEFAULT ''"), ("law_grade", "VARCHAR NOT NULL DEFAULT ''"),
        ("level_by_hand", "VARCHAR NOT NULL DEFAULT ''"), ("law_by_hand", "VARCHAR NOT NULL DEFAULT ''"),
        ("loss_cny", "BIGINT"), ("merged_into", "VARCHAR"),
    ):  # fmt: skip
        if column not in known:
            connection.exec_driver_sql(f"ALTER TABLE incidents ADD COLUMN {column} {kind}")


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (create_first, add_about, add_natures, add_grades)
"""Step n brings version n to n + 1. Never change a step that was released; add one."""


def open_engine(path: Path, migrations: tuple[Callable[[Connection], None], ...] = MIGRATIONS) -> Engine:
    """An engine on the database, made or brought up to date.

    Raises:
        CorruptError: the file is no database, is damaged, or was written by a newer Cloche. It is left as it is.
        ClocheError: it cannot be opened or made.
    """
    make_private(path)
    for module in TABLES:
        import_module(module)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_MS / 1000}, hide_parameters=True)
    event.listen(engine, "connect", prepare_connection)
    event.listen(engine, "begin", begin)
    try:
        check(engine, path)
        migrate(engine, path, migrations)
    except DatabaseError as error:
        engine.dispose()
        cause = type(error.orig).__name__ if error.orig else type(error).__name__
        if isinstance(error.orig, sqlite3.OperationalError):
            raise ClocheError(f"{path}: cannot be opened: {error.orig}") from error
        raise CorruptError(f"{path}: is damaged or no inventory ({cause}): move it away and scan again") from error
    except ClocheError:
        engine.dispose()
        raise
    event.listen(engine, "handle_error", partial(translate, path), retval=True)
    return engine


def translate(path: Path, context: ExceptionContext) -> ClocheError | None:
    """A full disk, a failing one or a damaged page in mid-work: name the file, and nothing of what was written."""
    error = context.original_exception
    if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
        return (ClocheError if isinstance(error, sqlite3.OperationalError) else CorruptError)(f"{path}: {error}")
    return None


def check(engine: Engine, path: Path) -> None:
    """Look for damage before anything is written on top of it (`PRAGMA quick_check`, 0.1 s for 100,000 items).

    Raises:
        CorruptError: a page is damaged.
    """
    with engine.execution_options(**{READING: True}).connect() as connection:
        verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if verdict != "ok":
        raise CorruptError(f"{path}: is damaged: move it away and scan again")


def make_private(path: Path) -> None:
    """Make folder (0700) and file (0600) before SQLite can make them with a wider mode.

    Raises:
        ClocheError: it cannot be made, or is no regular file.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ClocheError(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ClocheError(f"{path}: is no regular file")
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def prepare_connection(connection: Any, _record: object) -> None:
    """Settings that SQLite keeps by connection, not by file."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def begin(connection: Connection) -> None:
    """Start a transaction: IMMEDIATE unless the connection only reads."""
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def migrate(engine: Engine, path: Path, migrations: tuple[Callable[[Connection], None], ...]) -> None:
    """Bring the database to the newest version, each step in one transaction with its number.

    Raises:
        CorruptError: a newer Cloche wrote it.
    """
    with engine.begin() as connection:
        version = connection.execute(text("PRAGMA user_version")).scalar_one()
    if version > len(migrations):
        raise CorruptError(
            f"{path}: has version {version}, this program knows up to {len(migrations)}: install the newer Cloche"
        )
    for number in range(version, len(migrations)):
        with engine.begin() as connection:
            migrations[number](connection)
            connection.execute(text(f"PRAGMA user_version={number + 1}"))
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
