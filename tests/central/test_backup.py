"""Backups: whole or not there, checked, without keys, and put back on both databases and from one to the other."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ingesting import Writes, add_stores, read, take
from postgres import Cluster
from sqlalchemy import Engine, func, inspect, select

from central.cli import hq
from central.database import backup as backup_module
from central.database.backup import read_backup, restore_backup, write_backup
from central.database.engine import open_database
from central.database.failures import read_url
from central.models import Base, Store, StoredEvent, StoredReport
from central.testing import PROGRAM, environment_of
from config.errors import ClocheError, CorruptError, RefusedError, UsageError

NOW = datetime.now(UTC).isoformat()


def filled(url: str) -> Engine:
    """A database with something of everything that matters."""
    engine = open_database(url, create=True)
    add_stores(engine, "s-1", "s-2")
    write = Writes(store="s-1")
    take(
        engine,
        write("inventory", {"persons": 3, "places": 1}),
        write("alert", {"id": "1", "at": NOW, "kind": "bound", "text": "顾客"}),
        write("events", {"events": [{"at": at, "kind": "open"} for at in (NOW, "2026-01-05T10:00:00Z")]}),
        write("audit", {"entries": 3, "head": "ab" * 32}),
    )
    return engine


def contents(engine: Engine) -> dict[str, list[Any]]:
    """All rows of all tables, as they compare."""
    with read(engine) as session:
        return {
            table.name: sorted(
                json.dumps(dict(row), default=repr, sort_keys=True) for row in session.execute(select(table)).mappings()
            )
            for table in Base.metadata.sorted_tables
        }


def test_a_backup_put_into_an_empty_database_is_the_same(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    engine = filled(database_url)
    found = write_backup(read_url(database_url), tmp_path / "one.backup")
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o600
    assert found.size == found.path.stat().st_size
    is_sqlite = database_url.startswith("sqlite")
    assert (found.kind, found.stores) == (("sqlite", 2) if is_sqlite else ("postgresql", None))
    other = f"sqlite:///{tmp_path / 'other.db'}" if is_sqlite else request.getfixturevalue("cluster").create()
    assert restore_backup(read_url(other), read_backup(found.path), replace=False) is None
    again = open_database(other)
    assert contents(again) == contents(engine)
    again.dispose()
    engine.dispose()
    assert not list(tmp_path.glob(".*partial"))


def test_a_backup_never_replaces_a_file_and_leaves_none_behind(database_url: str, tmp_path: Path) -> None:
    filled(database_url).dispose()
    (tmp_path / "there").write_text("mine")
    with pytest.raises(RefusedError, match="never replaces"):
        write_backup(read_url(database_url), tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(ClocheError, match="cannot be written"):
        write_backup(read_url(database_url), tmp_path / "nowhere" / "backup")


def test_what_a_database_holds_is_replaced_only_when_told(database_url: str, tmp_path: Path) -> None:
    engine = filled(database_url)
    before = contents(engine)
    saved = write_backup(read_url(database_url), tmp_path / "one.backup")
    add_stores(engine, "s-later")
    engine.dispose()
    with pytest.raises(RefusedError, match="--yes"):
        restore_backup(read_url(database_url), saved, replace=False)
    copy = restore_backup(read_url(database_url), saved, replace=True)
    engine = open_database(database_url)
    assert contents(engine) == before
    engine.dispose()
    if copy is not None:
        with closing(sqlite3.connect(copy)) as old:
            assert old.execute("SELECT count(*) FROM stores").fetchone() == (3,)
    assert (copy is None) == (not database_url.startswith("sqlite"))


def test_a_damaged_backup_is_refused_and_the_database_stays(database_url: str, tmp_path: Path) -> None:
    engine = filled(database_url)
    before = contents(engine)
    saved = write_backup(read_url(database_url), tmp_path / "one.backup")
    whole = saved.path.read_bytes()
    for name, content in {
        "cut": whole[: len(whole) * 2 // 3], "begin": whole[:4000],
        "overwritten": whole[:5000] + os.urandom(len(whole) - 9000) + whole[-4000:],
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises((CorruptError, UsageError)):
            read_backup(tmp_path / name)
    for name, content in {"text": b"hello", "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="no backup"):
            read_backup(tmp_path / name)
    with closing(sqlite3.connect(tmp_path / "alien.db")) as alien:
        alien.execute("CREATE TABLE recipes (dish TEXT)")
    with pytest.raises(UsageError, match="no backup"):
        read_backup(tmp_path / "alien.db")
    assert contents(engine) == before
    engine.dispose()


def test_a_backup_of_a_newer_version_is_refused(database_url: str, tmp_path: Path) -> None:
    engine = filled(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'a999'")
    engine.dispose()
    saved = write_backup(read_url(database_url), tmp_path / "newer.backup")
    with pytest.raises(RefusedError, match=r"newer cloche-hq.*a999"):
        restore_backup(read_url(f"sqlite:///{tmp_path / 'x.db'}"), saved, replace=True)
    assert not (tmp_path / "x.db").exists()


@pytest.mark.needs("postgres")
def test_from_sqlite_to_postgresql_every_row_comes_along(cluster: Cluster, tmp_path: Path) -> None:
    engine = filled(f"sqlite:///{tmp_path / 'hq.db'}")
    saved = write_backup(read_url(f"sqlite:///{tmp_path / 'hq.db'}"), tmp_path / "one.backup")
    url = cluster.create()
    restore_backup(read_url(url), saved, replace=False)
    moved = open_database(url)
    assert contents(moved) == contents(engine)
    names = inspect(moved).get_table_names()
    assert "events_202601" in names or datetime.now(UTC).year > 2027
    assert take(moved, Writes(store="s-1", next_number=5)("alert", {"id": "9", "at": NOW, "kind": "b"})) == ["accepted"]
    moved.dispose()
    engine.dispose()
    with pytest.raises(RefusedError, match="is not empty"):
        restore_backup(read_url(url), saved, replace=True)


@pytest.mark.needs("postgres")
def test_a_backup_of_postgresql_does_not_go_into_sqlite(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.create()
    filled(url).dispose()
    saved = write_backup(read_url(url), tmp_path / "one.backup")
    with pytest.raises(RefusedError, match="cannot be put into SQLite"):
        restore_backup(read_url(f"sqlite:///{tmp_path / 'x.db'}"), saved, replace=True)


@pytest.mark.needs("postgres")
def test_a_running_head_office_is_not_restored_over(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.create()
    engine = filled(url)
    saved = write_backup(read_url(url), tmp_path / "one.backup")
    with engine.connect(), pytest.raises(RefusedError, match="running"):
        restore_backup(read_url(url), saved, replace=True)
    engine.dispose()
    restore_backup(read_url(url), saved, replace=True)


@pytest.mark.needs("postgres")
def test_a_password_reaches_pg_dump_and_nobody_else(cluster: Cluster, tmp_path: Path) -> None:
    cluster.create("hq_by_password")
    url = cluster.loopback_url("hq_by_password")
    filled(url).dispose()
    saved = write_backup(read_url(url), tmp_path / "one.backup")
    assert cluster.password.encode() not in saved.path.read_bytes()
    with pytest.raises(ClocheError, match="pg_dump failed") as failed:
        write_backup(read_url(cluster.loopback_url("hq_by_password", "wrong-word")), tmp_path / "two.backup")
    assert "wrong-word" not in str(failed.value)
    assert not (tmp_path / "two.backup").exists()


@pytest.mark.needs("postgres")
def test_without_pg_dump_it_says_what_to_install(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = cluster.create()
    open_database(url, create=True).dispose()
    monkeypatch.setattr(backup_module, "SERVER_PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClocheError, match="postgresql-client"):
        write_backup(read_url(url), tmp_path / "one.backup")


def test_the_commands_back_up_and_restore_and_no_key_is_in_the_file(tmp_path: Path) -> None:
    home, runner = tmp_path / "office", CliRunner()
    assert runner.invoke(hq, ["--home", str(home), "init"]).exit_code == 0
    sheet = str(tmp_path / "sheet")
    assert runner.invoke(hq, ["--home", str(home), "keys", "init", "--recovery-file", sheet]).exit_code == 0
    file = tmp_path / "hq.backup"
    done = runner.invoke(hq, ["backup", str(file), "--home", str(home), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["file"], told["stores"]) == (str(file), 0)
    content = file.read_bytes()
    secrets = [path for path in (*home.glob("*.key"), *home.glob("keys/*.key")) if path.is_file()]
    assert len(secrets) >= 4
    for path in secrets:
        secret = path.read_bytes().strip()
        pieces = [secret, *(line for line in secret.splitlines() if len(line) > 30 and b"-----" not in line)]
        assert not any(piece in content for piece in pieces), path.name
    refused = runner.invoke(hq, ["restore", str(file), "--home", str(home)])
    assert isinstance(refused.exception, RefusedError)
    restored = runner.invoke(hq, ["restore", str(file), "--yes", "--home", str(home), "--json"])
    assert restored.exit_code == 0, restored.output
    assert Path(json.loads(restored.stdout)["copy"]).exists()
    absent = runner.invoke(hq, ["restore", str(tmp_path / "none"), "--home", str(home)])
    assert isinstance(absent.exception, UsageError)


def test_a_backup_is_whole_while_reports_come_in(tmp_path: Path) -> None:
    """Another process writes all the time; each backup holds whole transactions: three events a report."""
    url = f"sqlite:///{tmp_path / 'hq.db'}"
    engine = open_database(url, create=True)
    add_stores(engine, "s-1")
    tests = str(Path(__file__).resolve().parents[1])
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from ingesting import Writes, take\n"
        "from central.database.engine import open_database\n"
        "engine, write = open_database(sys.argv[2]), Writes(store='s-1')\n"
        "while True: take(engine, write('events', {'events': [{'at': '2026-01-05T10:00:00Z', 'kind': 'k'}] * 3}))\n"
    )
    writing = subprocess.Popen([*PROGRAM[:1], "-c", program, tests, url], env=environment_of(""))
    try:
        with read(engine) as session:
            while not session.scalar(select(func.count()).select_from(StoredReport)):
                session.rollback()
        for number in range(5):
            saved = write_backup(read_url(url), tmp_path / f"{number}.backup")
            copy = open_database(f"sqlite:///{saved.path}")
            with read(copy) as session:
                reports = session.scalar(select(func.count()).select_from(StoredReport))
                events = session.scalar(select(func.count()).select_from(StoredEvent))
                assert events == 3 * (reports or 0)
                assert session.get(Store, "s-1") is not None
            copy.dispose()
        with pytest.raises(RefusedError, match="running"):
            restore_backup(read_url(url), read_backup(tmp_path / "0.backup"), replace=True)
    finally:
        writing.kill()
        writing.wait()
        engine.dispose()
    assert os.path.exists(tmp_path / "4.backup")
