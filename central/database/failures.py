"""What went wrong with the database, in words: gone, refused, full, slow, locked. Never the password.

PostgreSQL's words for a failed connection carry no code (libpq gives none before there is a connection), so the few
that matter are known by their text; libpq's own are always English, the server's may not be.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final, Literal

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from config.errors import ClocheError, UsageError

Failure = Literal["gone", "refused", "full", "slow", "missing", "crowded", "damaged", "other"]

_TEXTS: Final[tuple[tuple[Failure, tuple[str, ...]], ...]] = (
    ("refused", ("authentication failed", r"no pg_hba\.conf entry", "no password supplied", "role .* does not exist")),
    ("missing", ("database .* does not exist",)),
    ("crowded", ("too many (connections|clients)", "remaining connection slots")),
)  # fmt: skip
"""Everything else that keeps a connection from being made or kept counts as gone."""
_SQLITE: Final[dict[str, Failure]] = {
    "SQLITE_FULL": "full", "SQLITE_BUSY": "slow", "SQLITE_LOCKED": "slow", "SQLITE_CANTOPEN": "gone",
    "SQLITE_READONLY": "refused", "SQLITE_PERM": "refused", "SQLITE_NOTADB": "damaged", "SQLITE_CORRUPT": "damaged",
    "SQLITE_IOERR": "gone",
}  # fmt: skip
_WORDS: Final[dict[Failure, str]] = {
    "gone": "the database cannot be reached",
    "refused": "the database refuses this account: check user, password, rights",
    "full": "the disk of the database is full",
    "slow": "the database did not answer in time",
    "missing": "there is no such database: create it first (createdb)",
    "crowded": "the database takes no more connections: lower CLOCHEHQ_POOL or raise max_connections",
    "damaged": "the file is no SQLite database, or is damaged",
    "other": "the database failed",
}
LASTING: Final[frozenset[Failure]] = frozenset({"gone", "refused", "full", "slow", "missing", "crowded", "damaged"})
"""The database's own condition, not the fault of what was asked: the same request may do later."""


class DatabaseError(ClocheError):
    """The database cannot be used now. `failure` says why."""

    def __init__(self, failure: Failure, shown: str = "") -> None:
        super().__init__(f"{shown}: {_WORDS[failure]}" if shown else _WORDS[failure])
        self.failure: Failure = failure


def failure_of(error: BaseException) -> Failure:
    """What kind of failure an exception of SQLAlchemy or a driver is."""
    if isinstance(error, PoolTimeoutError):
        return "slow"
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", "") or ""
        return next((failure for start, failure in _SQLITE.items() if name.startswith(start)), "other")
    if type(cause).__module__.startswith("psycopg"):
        return _of_postgres(cause)
    return "gone" if isinstance(error, DBAPIError) and error.connection_invalidated else "other"


def _of_postgres(error: object) -> Failure:
    # imported here: a head office on SQLite does without its 8 MB
    import psycopg
    from psycopg import errors

    if not isinstance(error, psycopg.Error):
        return "other"
    if isinstance(error, errors.DiskFull | errors.OutOfMemory):
        return "full"
    if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable | errors.ConnectionTimeout):
        return "slow"
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return "refused"
    if error.sqlstate and error.sqlstate[:2] in {"08", "57"}:
        return "gone"
    if error.sqlstate in {"58030", "58P01", "58P02"}:
        return "full" if "No space left" in str(error) else "gone"
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not error.sqlstate:
        text = str(error)
        if "No space left" in text:
            return "full"
        for failure, patterns in _TEXTS:
            if any(re.search(pattern, text) for pattern in patterns):
                return failure
        return "gone"
    return "other"


def explain(error: SQLAlchemyError, shown: str) -> DatabaseError:
    """The error to raise for one of SQLAlchemy, naming the database by `shown`."""
    return DatabaseError(failure_of(error), shown)


def read_url(text: str) -> URL:
    """A database URL: SQLite, or PostgreSQL however people write it.

    Raises:
        UsageError: it is none; it is not repeated, for it may hold a password.
    """
    wrong = "CLOCHEHQ_DATABASE: not of the form sqlite:////FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        url = make_url(text)
        backend = url.get_backend_name()
        if backend not in {"sqlite", "postgresql", "postgres"}:
            raise UsageError(wrong)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise UsageError(wrong) from None
    return url.set(drivername="sqlite" if backend == "sqlite" else "postgresql+psycopg")


def show_url(url: URL) -> str:
    """Where a database is, for a message: host, port and name alone."""
    if url.get_backend_name() == "sqlite":
        return url.database or "sqlite"
    host = url.host or str(url.query.get("host", ""))
    return f"postgresql://{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"
