"""Which version a database is of, and bringing it to this one with Alembic, in this process.

The whole way up is one transaction with a lock: two head offices that start at once migrate once, and one that is
killed half-way has changed nothing. A SQLite file is copied first; whoever has PostgreSQL has backups (`cloche-hq
backup`).
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, text

from central.database.failures import show_url
from config.errors import ClocheError, RefusedError
from config.log import get_logger

if TYPE_CHECKING:  # a start on a database that is current does without Alembic and its 9 MB
    from alembic.config import Config

SCRIPTS: Final = Path(__file__).parent / "migrations"
LOCK: Final = 0x636C6F636865
"""PostgreSQL advisory lock held by who migrates ("cloche")."""
_REVISION: Final = re.compile(r"""^(revision|down_revision)\b[^=\n]*=\s*["'](\w+)["']""", re.MULTILINE)
State = Literal["empty", "foreign", "old", "current", "newer"]

log = get_logger("hq.store")


def make_config(scripts: Path = SCRIPTS) -> Config:
    """Alembic's configuration without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def known_versions(scripts: Path = SCRIPTS) -> tuple[str, frozenset[str]]:
    """The newest version and all of them, read from the migrations' own lines.

    Raises:
        ClocheError: not one of them is the newest.
    """
    found: set[str] = set()
    before: set[str] = set()
    for file in (scripts / "versions").glob("*.py"):
        for name, version in _REVISION.findall(file.read_text(encoding="utf-8")):
            (found if name == "revision" else before).add(version)
    newest = found - before
    if len(newest) != 1:
        raise ClocheError(f"{scripts}: the migrations have {len(newest)} ends in place of one")
    return newest.pop(), frozenset(found)


def state_of(connection: Connection, scripts: Path = SCRIPTS) -> tuple[State, str]:
    """How a database stands to this version, and the revision it is of ('' for none)."""
    newest, known = known_versions(scripts)
    tables = inspect(connection).get_table_names()
    revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if "alembic_version" in tables else ""
    if not revision:
        return ("foreign" if tables else "empty"), ""
    if revision == newest:
        return "current", revision
    return ("old" if revision in known else "newer"), revision


def require_current(engine: Engine, place: URL, scripts: Path = SCRIPTS) -> None:
    """Check that a database is of this version.

    Raises:
        ClocheError: it is not.
    """
    if place.get_backend_name() == "sqlite" and place.database and not os.path.exists(place.database):
        raise ClocheError(f"{place.database}: no head-office database; make one with `cloche-hq init`")
    with engine.connect() as connection:
        state, revision = state_of(connection, scripts)
    if state == "old":
        raise RefusedError(f"{show_url(place)}: of an older version ({revision}); upgrade it with `cloche-hq migrate`")
    if state != "current":
        raise _wrong(state, revision, place)


def bring_up(engine: Engine, place: URL, *, create: bool, tell: Callable[[str], None], scripts: Path = SCRIPTS) -> bool:
    """Bring a database to this version; True if anything was done.

    Args:
        engine: an engine for it.
        place: its URL.
        create: an empty one gets its tables.
        tell: told in a line that an old one is being upgraded, and where its copy is.
        scripts: the migrations; others for tests with other versions.

    Raises:
        ClocheError: it is not ours, empty without `create`, or newer.
    """
    is_sqlite = place.get_backend_name() == "sqlite"
    if is_sqlite and not create and place.database and not os.path.exists(place.database):
        raise ClocheError(f"{place.database}: no head-office database; make one with `cloche-hq init`")
    with engine.connect() as connection:
        state, revision = state_of(connection, scripts)
    if state == "current":
        return False
    if state not in {"old", "empty"} or (state == "empty" and not create):
        raise _wrong(state, revision, place)
    if state == "old":
        copy = copy_sqlite(Path(place.database or ""), f"before-upgrade-from-{revision}") if is_sqlite else None
        tell(f"{show_url(place)}: upgrading from version {revision}" + (f"; copy: {copy}" if copy else ""))
    migrator = _migrating_engine(place)
    try:
        with migrator.begin() as connection:
            if not is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            state, revision = state_of(connection, scripts)  # another process may have been first
            if state in {"old", "empty"}:
                from alembic import command

                chosen = make_config(scripts)
                chosen.attributes["connection"] = connection
                command.upgrade(chosen, "head")
                if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise ClocheError(f"{show_url(place)}: the upgrade would break references; nothing was changed")
            elif state != "current":
                raise _wrong(state, revision, place)
    finally:
        migrator.dispose()
    return True


def copy_sqlite(file: Path, ending: str) -> Path:
    """A copy of a database before it is changed, `FILE.ENDING` beside it, mode 0600, by SQLite's online backup.

    Raises:
        ClocheError: it cannot be written.
    """
    target = file.with_name(f"{file.name}.{ending}")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        if os.geteuid() == 0:
            facts = file.stat()
            os.chown(partial, facts.st_uid, facts.st_gid)
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise ClocheError(f"{target}: the copy of what is there failed ({type(error).__name__})") from error
    return target


def _migrating_engine(place: URL) -> Engine:
    """A connection of its own: without the server's time limit, and on SQLite with references unchecked until the end,
    for a table is changed there by making it anew."""
    engine = create_engine(place, poolclass=NullPool, hide_parameters=True)
    if place.get_backend_name() == "sqlite":

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA busy_timeout=60000")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _wrong(state: State, revision: str, place: URL) -> ClocheError:
    shown = show_url(place)
    if state == "newer":
        return RefusedError(f"{shown}: written by a newer cloche-hq (version {revision}); upgrade this program first")
    if state == "foreign":
        return ClocheError(f"{shown}: holds other tables than head office's; give it a database of its own")
    return ClocheError(f"{shown}: no head-office database; make one with `cloche-hq init`")
