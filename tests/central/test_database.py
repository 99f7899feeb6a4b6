"""The database of head office: made by migration, of this version or refused, and plain words when it fails."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from postgres import Cluster
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.orm import Session

from central.cli import hq
from central.database.compare import PARTITION, is_ours
from central.database.engine import make_engine, open_database, reading
from central.database.failures import DatabaseError, read_url, show_url
from central.database.migrate import SCRIPTS, bring_up
from central.models import Base, Fact
from config.errors import ClocheError, RefusedError, UsageError

LATER = '''"""A later version."""
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
def upgrade():
    op.add_column("facts", sa.Column("note", sa.String(20), nullable=True))
    {more}
def downgrade():
    raise NotImplementedError
'''


def later_version(folder: Path, more: str = "pass") -> Path:
    """Our migrations and one more."""
    scripts = folder / "migrations"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "0002_later.py").write_text(LATER.format(more=more))
    return scripts


def put_fact(engine: Engine, key: str, value: str) -> None:
    with Session(engine) as session:
        session.add(Fact(key=key, value=value))
        session.commit()


def test_the_migration_makes_what_the_models_say(database_url: str) -> None:
    engine = open_database(database_url, create=True)
    with engine.connect() as connection:
        options = {"include_name": is_ours, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_an_open_database_says_nothing_and_keeps_what_it_holds(database_url: str) -> None:
    engine = open_database(database_url, create=True)
    put_fact(engine, "name", "测试总部")
    engine.dispose()
    told: list[str] = []
    for again in (
        open_database(database_url),
        open_database(database_url, create=True),
        open_database(database_url, on_upgrade=told.append),
    ):
        with Session(reading(again)) as session:
            assert session.get_one(Fact, "name").value == "测试总部"
        again.dispose()
    assert told == []


def test_an_old_database_is_upgraded_with_a_word_and_a_newer_one_refused(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url, create=True)
    put_fact(engine, "name", "测试总部")
    place, told = read_url(database_url), list[str]()
    scripts = later_version(tmp_path)
    assert bring_up(engine, place, create=False, tell=told.append, scripts=scripts)
    assert not bring_up(engine, place, create=False, tell=told.append, scripts=scripts)
    assert len(told) == 1
    assert "0001" in told[0]
    assert "note" in {column["name"] for column in inspect(engine).get_columns("facts")}
    engine.dispose()
    if place.database and place.get_backend_name() == "sqlite":
        (copy,) = Path(place.database).parent.glob("*.before-upgrade-from-0001")
        assert str(copy) in told[0]
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        with closing(sqlite3.connect(copy)) as old:
            assert old.execute("SELECT value FROM facts").fetchall() == [("测试总部",)]
    for arguments in ({}, {"create": True}, {"on_upgrade": told.append}):
        with pytest.raises(RefusedError, match=r"newer cloche-hq.*0002"):
            open_database(database_url, **arguments)


def test_an_upgrade_that_fails_changes_nothing(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url, create=True)
    put_fact(engine, "name", "测试总部")
    scripts = later_version(tmp_path, more='raise RuntimeError("the power went")')
    with pytest.raises(RuntimeError):
        bring_up(engine, read_url(database_url), create=False, tell=lambda _message: None, scripts=scripts)
    assert "note" not in {column["name"] for column in inspect(engine).get_columns("facts")}
    engine.dispose()
    again = open_database(database_url)
    with Session(reading(again)) as session:
        assert session.get_one(Fact, "name").value == "测试总部"
    again.dispose()


def test_an_old_database_is_left_alone_by_whoever_does_not_say_so(database_url: str) -> None:
    engine = open_database(database_url, create=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    engine.dispose()
    with pytest.raises(RefusedError):  # to this program, a version it never heard of is a newer one
        open_database(database_url)


def test_two_that_start_at_once_make_the_tables_once(database_url: str) -> None:
    program = (
        "import sys; from central.database.engine import open_database; "
        "open_database(sys.argv[1], create=True).dispose()"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, database_url]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    open_database(database_url).dispose()


def test_a_database_of_somebody_else_is_not_touched(database_url: str) -> None:
    engine = make_engine(read_url(database_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (dish TEXT)"))
    for arguments in ({}, {"create": True}):
        with pytest.raises(ClocheError, match="other tables"):
            open_database(database_url, **arguments)
    assert inspect(engine).get_table_names() == ["recipes"]
    engine.dispose()


def test_an_empty_database_is_no_head_office(database_url: str) -> None:
    with pytest.raises(ClocheError, match="cloche-hq init"):
        open_database(database_url)
    with pytest.raises(ClocheError, match="cloche-hq init"):
        open_database(database_url, on_upgrade=print)
    assert not (database_url.startswith("sqlite") and Path(database_url.removeprefix("sqlite:///")).exists())


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "hq.db").write_bytes(b"not a database, but longer than a header of SQLite" * 100)
    with pytest.raises(DatabaseError, match=r"hq\.db: the file is no SQLite database"):
        open_database(f"sqlite:///{tmp_path / 'hq.db'}")
    with pytest.raises(DatabaseError, match="cannot be reached"):
        open_database("sqlite:////nowhere/hq.db", create=True)


@pytest.mark.parametrize("url", ["", "hq.db", "mysql://u:geheim@h/d", "postgresql+asyncpg:u:geheim@@"])
def test_a_url_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="CLOCHEHQ_DATABASE") as refused:
        read_url(url)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("start", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_password_is_never_shown(start: str) -> None:
    place = read_url(f"{start}://boss:geheim@db.example:5433/hq?password=geheim2")
    assert place.drivername == "postgresql+psycopg"
    assert show_url(place) == "postgresql://db.example:5433/hq"


@pytest.mark.needs("postgres")
def test_postgresql_that_refuses_says_why(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "hq_with_password"
    cluster.create(name)
    good = cluster.loopback_url(name)
    open_database(good, create=True).dispose()
    with pytest.raises(DatabaseError, match="refuses this account") as refused:
        open_database(cluster.loopback_url(name, "wrong-word"))
    assert "wrong-word" not in f"{refused.value!r} {refused.value} {refused.value.__context__}"
    with pytest.raises(DatabaseError, match="no such database"):
        open_database(cluster.loopback_url("nobody_made_this"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DatabaseError, match=rf"postgresql://127\.0\.0\.1:{port}/hq: the database cannot be reached"):
        open_database(f"postgresql://a:b@127.0.0.1:{port}/hq")
    cluster.run("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 0")
    with pytest.raises(DatabaseError, match="takes no more connections"):
        open_database(good.replace(f"cloche:{cluster.password}", "few:few"))
    monkeypatch.setenv("CLOCHEHQ_POOL", "many")
    with pytest.raises(UsageError, match="CLOCHEHQ_POOL"):
        open_database(good)


def test_the_command_upgrades_and_says_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, runner = tmp_path / "office", CliRunner()
    assert runner.invoke(hq, ["--home", str(home), "init"]).exit_code == 0
    done = runner.invoke(hq, ["migrate", "--home", str(home), "--json"])
    assert done.exit_code == 0, done.output
    assert '"changed": false' in done.stdout
    monkeypatch.setenv("CLOCHEHQ_DATABASE", f"sqlite:///{tmp_path / 'other.db'}")
    assert runner.invoke(hq, ["migrate", "--home", str(home)]).exit_code == 1
    made = runner.invoke(hq, ["migrate", "--create", "--home", str(home), "--json"])
    assert '"changed": true' in made.stdout
    open_database(f"sqlite:///{tmp_path / 'other.db'}").dispose()


def test_migrations_and_statements_for_citus_are_in_the_package() -> None:
    assert (SCRIPTS / "env.py").exists()
    assert (SCRIPTS / "script.py.mako").exists()
    assert list((SCRIPTS / "versions").glob("0001_*.py"))


def test_every_table_is_spread_once_and_stores_lead_the_keys_of_what_is_theirs() -> None:
    statements = (SCRIPTS.parent / "citus.sql").read_text()
    named = re.findall(r"^SELECT (\w+)\('(\w+)'(?:, '(\w+)')?", statements, re.MULTILINE)
    assert sorted(table for _, table, _ in named) == sorted(Base.metadata.tables)
    spread = {table: column for function, table, column in named if function == "create_distributed_table"}
    copied = {table for function, table, _ in named if function == "create_reference_table"}
    assert spread.pop("stores") == "id"
    order = [table for _, table, _ in named]
    for table in Base.metadata.sorted_tables:
        keys = [column.name for column in table.primary_key]
        assert (table.name in spread) == (keys[0] == "store_id"), table.name
        assert spread.get(table.name, "store_id") == "store_id"
        for constraint in table.foreign_key_constraints:
            other = constraint.referred_table.name
            if table.name in spread or table.name == "stores":
                assert other in copied or (other == "stores" and "store_id" in constraint.column_keys), table.name
            else:  # a copied table may refer to copied ones alone
                assert other in copied, table.name
            assert order.index(other) < order.index(table.name), f"{table.name} before {other}"
        for index in (*table.indexes, *table.constraints):
            is_unique = getattr(index, "unique", False) or type(index).__name__ == "UniqueConstraint"
            if table.name in spread and is_unique:
                assert "store_id" in {column.name for column in index.columns}, f"{table.name}: {index.name}"
    assert "ALTER TABLE stores DROP CONSTRAINT stores_public_key_key" in statements


@pytest.mark.needs("postgres")
def test_the_constraint_that_citus_cannot_keep_is_there_by_that_name(cluster: Cluster) -> None:
    url = cluster.create()
    engine = open_database(url, create=True)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE stores DROP CONSTRAINT stores_public_key_key"))
        storage = connection.execute(
            text("SELECT attcompression FROM pg_attribute WHERE attrelid = 'sections'::regclass AND attname='document'")
        ).scalar_one()
    assert storage == "l"
    names = inspect(engine).get_table_names()
    assert any(PARTITION.match(name) for name in names)
    engine.dispose()


def test_what_only_reads_waits_for_nobody(database_url: str) -> None:
    engine = open_database(database_url, create=True)
    put_fact(engine, "name", "a")
    with Session(engine) as writes, Session(reading(engine)) as reads:
        writes.get_one(Fact, "name").value = "b"
        writes.flush()
        assert reads.scalar(select(Fact.value)) == "a"
        writes.commit()
    engine.dispose()
