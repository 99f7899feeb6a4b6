"""Backups of head office's database: one file, checked after it was written, and put back.

SQLite's online backup copies a database while head office works, and its pages are checked (not each byte of a text:
SQLite keeps no checksums); PostgreSQL has `pg_dump`, whose file is read through again by `pg_restore`. No key of head
office is in the database, so none is in a backup: the folder's keys are backed up apart, and kept apart. A backup of
SQLite may be put into an empty PostgreSQL: that is the way from one to the other.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from sqlalchemy import URL, Connection, create_engine, func, insert, inspect, select, text
from sqlalchemy.pool import NullPool

from central.database.compare import PARTITION
from central.database.engine import make_engine, prepare_sqlite
from central.database.failures import show_url
from central.database.migrate import bring_up, copy_sqlite, known_versions, require_current
from central.database.partitions import make_months, month_of
from central.models import Base, Store, StoredEvent, StoredReport
from central.moments import now
from config.errors import ClocheError, CorruptError, RefusedError, UsageError

Kind = Literal["sqlite", "postgresql"]
_SQLITE_MAGIC: Final = b"SQLite format 3\x00"
_DUMP_MAGIC: Final = b"PGDMP"
_VERSION: Final = re.compile(r"COPY \S*alembic_version \(version_num\) FROM stdin;\n(\w+)\n")
_CHUNK: Final = 500
SERVER_PROGRAMS: Final = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup that was checked: how large it is, of which version, and what it holds (None where only a restore
    would say)."""

    path: Path
    kind: Kind
    size: int
    version: str
    stores: int | None = None
    reports: int | None = None


def write_backup(place: URL, target: Path) -> Backup:
    """Write a backup to a file that does not exist yet, mode 0600, and check it.

    Raises:
        RefusedError: the file exists.
        ClocheError: the database cannot be read, a program is missing, or the disk refused it; nothing is left then.
        CorruptError: what was written is not whole.
    """
    if target.exists():
        raise RefusedError(f"{target}: exists already; a backup never replaces a file")
    partial = target.with_name(f".{target.name}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600))
        if place.get_backend_name() == "sqlite":
            _copy_out(Path(place.database or ""), partial)
        else:
            _run(place, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={partial}")
        found = read_backup(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.link(partial, target)  # never over a file that came meanwhile
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError as error:
        raise RefusedError(f"{target}: exists already; a backup never replaces a file") from error
    except OSError as error:
        raise ClocheError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return Backup(
        path=target, kind=found.kind, size=found.size, version=found.version, stores=found.stores,
        reports=found.reports,
    )  # fmt: skip


def read_backup(path: Path) -> Backup:
    """What a file holds, all of it read through.

    Raises:
        UsageError: it cannot be read, or is no backup of head office.
        CorruptError: it is damaged.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(16)
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if begin == _SQLITE_MAGIC:
        return _read_sqlite(path, size)
    if begin.startswith(_DUMP_MAGIC):
        return _read_dump(path, size)
    raise UsageError(f"{path}: no backup of head office")


def restore_backup(place: URL, backup: Backup, *, replace: bool) -> Path | None:
    """Put a backup into a database, whole or not at all, and bring it to this version; where the copy of what was
    there is (SQLite).

    Args:
        place: the database.
        backup: what `read_backup` found.
        replace: what the database holds may go.

    Raises:
        RefusedError: the database holds something and `replace` is not given, head office runs on it, or the backup
            is of a newer version or of another kind of database.
        ClocheError: it failed; the database is as before.
    """
    _refuse_newer(backup)
    kind: Kind = "sqlite" if place.get_backend_name() == "sqlite" else "postgresql"
    if backup.kind == "postgresql" and kind == "sqlite":
        raise RefusedError(f"{backup.path}: a backup of PostgreSQL; it cannot be put into SQLite")
    is_empty = _is_empty(place)
    if not is_empty and not replace:
        raise RefusedError(f"{show_url(place)}: is not empty; --yes replaces all that it holds")
    if kind == "sqlite":
        _refuse_open(Path(place.database or ""))
        return _restore_sqlite(place, backup, is_empty=is_empty)
    _refuse_running(place)
    if backup.kind == "sqlite":
        if not is_empty:
            raise RefusedError(
                f"{show_url(place)}: is not empty; a backup of SQLite goes into an empty PostgreSQL alone"
            )
        _move_over(place, backup)
    else:
        _restore_dump(place, backup)
    _bring_up(place)
    return None


def _copy_out(source: Path, target: Path) -> None:
    try:
        live = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        with closing(live), closing(sqlite3.connect(target)) as copy:
            live.backup(copy, pages=1024, sleep=0.01)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    except sqlite3.Error as error:
        raise ClocheError(
            f"{source}: cannot be copied ({getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')})"
        ) from error


def _read_sqlite(path: Path, size: int) -> Backup:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise CorruptError(f"{path}: damaged")
            names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not {"alembic_version", Store.__tablename__} <= names:
                raise UsageError(f"{path}: no backup of head office")
            (version,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
            (stores,) = database.execute(f"SELECT count(*) FROM {Store.__tablename__}").fetchone()  # noqa: S608
            (reports,) = database.execute(f"SELECT count(*) FROM {StoredReport.__tablename__}").fetchone()  # noqa: S608
    except (sqlite3.Error, TypeError) as error:
        raise CorruptError(f"{path}: damaged") from error
    return Backup(path=path, kind="sqlite", size=size, version=str(version), stores=stores, reports=reports)


def _read_dump(path: Path, size: int) -> Backup:
    """All of it is turned into statements once, so every block is unpacked; the version is among its data."""
    program = _program("pg_restore")
    whole = subprocess.run(
        [program, "--file=/dev/null", str(path)], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if whole.returncode:
        raise CorruptError(f"{path}: damaged, or of a newer PostgreSQL than {program} knows")
    version = subprocess.run(
        [program, "--data-only", "--table=alembic_version", "--file=-", str(path)],
        capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found = _VERSION.search(version.stdout)
    if found is None:
        raise UsageError(f"{path}: no backup of head office")
    return Backup(path=path, kind="postgresql", size=size, version=found.group(1))


def _refuse_newer(backup: Backup) -> None:
    if backup.version not in known_versions()[1]:
        raise RefusedError(
            f"{backup.path}: of a newer cloche-hq (version {backup.version}); upgrade this program first"
        )


def _is_empty(place: URL) -> bool:
    """No table, or head office's and no store and no report in them."""
    if place.get_backend_name() == "sqlite" and not os.path.exists(place.database or ""):
        return True
    engine = create_engine(place, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            names = set(inspect(connection).get_table_names())
            if not names:
                return True
            if not {"alembic_version", Store.__tablename__, StoredReport.__tablename__} <= names:
                raise ClocheError(f"{show_url(place)}: holds other tables than head office's; give it one of its own")
            return not any(
                connection.execute(select(func.count()).select_from(Base.metadata.tables[name])).scalar_one()
                for name in sorted(names & {"stores", "reports", "people", "acts"})
            )
    finally:
        engine.dispose()


def _restore_sqlite(place: URL, backup: Backup, *, is_empty: bool) -> Path | None:
    """By the online backup as well: it is one transaction, so a kill leaves what was there."""
    file = Path(place.database or "")
    copy = None if is_empty else copy_sqlite(file, f"before-restore-{now():%Y%m%dT%H%M%SZ}")
    try:
        if not file.exists():
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        source = f"{backup.path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(source, uri=True)) as saved, closing(sqlite3.connect(file, timeout=30)) as target:
            saved.backup(target)
            prepare_sqlite(target, None)
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (OSError, sqlite3.Error) as error:
        raise ClocheError(
            f"{file}: cannot be restored ({type(error).__name__}); is head office still running?"
        ) from error
    _bring_up(place)
    return copy


def _restore_dump(place: URL, backup: Backup) -> None:
    """What is there goes and the backup comes in one transaction. `pg_restore --clean` cannot do that with partitions
    (it drops their keys one by one, which PostgreSQL refuses), so `psql` carries its statements out."""
    engine = create_engine(place, poolclass=NullPool, hide_parameters=True)
    try:
        names = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    strange = [name for name in names if name not in {*Base.metadata.tables, "alembic_version"}]
    if any(not PARTITION.match(name) for name in strange):
        raise ClocheError(f"{show_url(place)}: holds other tables than head office's; give it one of its own")
    gone = ", ".join(f'"{name}"' for name in names)
    wipe = ["--command", f"DROP TABLE {gone} CASCADE"] if names else []
    statements = subprocess.Popen(
        [_program("pg_restore"), "--file=-", "--no-owner", "--no-privileges", str(backup.path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        quiet = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        _run(place, "psql", *quiet, *wipe, "--file=-", source=statements.stdout)
    finally:
        if statements.stdout:
            statements.stdout.close()
        statements.wait()


def _bring_up(place: URL) -> None:
    engine = make_engine(place)
    try:
        bring_up(engine, place, create=False, tell=lambda _message: None)
        require_current(engine, place)
    finally:
        engine.dispose()


def _refuse_open(file: Path) -> None:
    """Where this account may look, no other process has the file open."""
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if entry.parts[2] != str(os.getpid()) and os.readlink(entry) == str(file):
                raise RefusedError(f"{file}: head office is running on it; stop it first")


def _refuse_running(place: URL) -> None:
    engine = create_engine(place, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            others = connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name = 'cloche-hq' AND pid <> pg_backend_pid()"
                )
            ).scalar_one()
    finally:
        engine.dispose()
    if others:
        raise RefusedError(f"{show_url(place)}: head office is running on it; stop it first")


def _move_over(place: URL, backup: Backup) -> None:
    """Every row of a SQLite backup into an empty PostgreSQL, in one transaction. The backup is brought to this version
    in a copy first."""
    with tempfile.TemporaryDirectory(prefix="cloche-hq-") as folder:
        work = Path(folder) / "moving.db"
        try:
            shutil.copyfile(backup.path, work)
        except OSError as error:
            raise ClocheError(f"{work}: cannot be written: {error.strerror}") from error
        source_place = URL.create("sqlite", database=str(work))
        _bring_up(source_place)
        source = create_engine(source_place, poolclass=NullPool, hide_parameters=True)
        target = make_engine(place)
        try:
            bring_up(target, place, create=True, tell=lambda _message: None)
            with source.connect() as read, target.begin() as write:
                write.execute(text("SET LOCAL statement_timeout = 0"))
                _copy_rows(read, write)
        finally:
            source.dispose()
            target.dispose()


def _copy_rows(read: Connection, write: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        rows = read.execution_options(yield_per=_CHUNK).execute(select(table))
        for chunk in rows.mappings().partitions(_CHUNK):
            values = [dict(row) for row in chunk]
            if table.name == StoredEvent.__tablename__:
                make_months(write, sorted({month_of(row["at"]) for row in values}))
            write.execute(insert(table), values)


def _program(name: str) -> str:
    """`pg_dump`, `pg_restore` or `psql`, the newest that is here.

    Raises:
        ClocheError: it is not installed.
    """
    found = sorted(SERVER_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if found:
        return str(found[-1])
    program = shutil.which(name)
    if program is None:
        raise ClocheError(f"{name} is not installed (Debian package postgresql-client)")
    return program


def _run(place: URL, name: str, *arguments: str, source: IO[bytes] | None = None) -> None:
    done = subprocess.run(
        [_program(name), *arguments], env=_environment(place), capture_output=True, text=True, check=False,
        stdin=source or subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode == 0:
        return
    said = done.stderr
    if "server version mismatch" in said:
        raise ClocheError(f"{name} is older than the server: install the postgresql-client of the server's version")
    why = "its disk is full" if "No space left" in said else "see the server's log"
    raise ClocheError(f"{show_url(place)}: {name} failed (exit code {done.returncode}); {why}")


def _environment(place: URL) -> Mapping[str, str]:
    """Where to connect, for libpq: by environment, for arguments are seen by everybody on the machine."""
    query: dict[str, str] = {name: value for name, value in place.query.items() if isinstance(value, str)}
    values = {
        "PGHOST": place.host or query.pop("host", ""), "PGPORT": str(place.port or query.pop("port", "")),
        "PGUSER": place.username or query.pop("user", ""), "PGDATABASE": place.database or "",
        "PGPASSWORD": str(place.password or query.pop("password", "")), "PGSSLMODE": query.pop("sslmode", ""),
        "PGSSLROOTCERT": query.pop("sslrootcert", ""), "PGSSLCERT": query.pop("sslcert", ""),
        "PGSSLKEY": query.pop("sslkey", ""), "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C",
        "PATH": os.environ.get("PATH", ""),
    }  # fmt: skip
    return {name: value for name, value in values.items() if value}
