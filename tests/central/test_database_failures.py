"""A database that is gone, full, slow or locked: said so, nothing lost, and head office goes on when it is back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from ingesting import ZONE, Writes, add_stores, read
from postgres import Cluster, run_cluster
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from central.database import engine as engine_module
from central.database.engine import open_database
from central.database.failures import DatabaseError
from central.database.writer import Writer
from central.ingest.take import Taker
from central.models import Fact, StoredReport
from central.testing import OfficeProcess, SpeakingStore, serve_office

NOW = datetime.now(UTC).isoformat()
ALERT = {"id": "1", "at": NOW, "kind": "bound"}


@contextmanager
def speaking(office: OfficeProcess, count: int = 1) -> Iterator[list[SpeakingStore]]:
    with office.client() as client:
        stores = [SpeakingStore(client=client) for _ in range(count)]
        for store in stores:
            assert store.enrol(office.token()).status_code == 200
            assert store.report("health", {}).status_code == 200
        yield stores
        for store in stores:
            store.close()


def until_taken(store: SpeakingStore, body: bytes, seconds: float = 30) -> httpx.Response:
    """What a store's link does: again, until it is taken."""
    deadline = time.monotonic() + seconds
    while (answer := store.send(body)).status_code != 200:
        assert answer.status_code in {429, 503}, answer.text
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    return answer


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    with run_cluster() as running:
        yield running


@pytest.mark.needs("postgres")
def test_a_postgresql_that_goes_and_comes_back_costs_nothing(own_cluster: Cluster, tmp_path: Path) -> None:
    with serve_office(tmp_path / "office", database=own_cluster.create()) as office, speaking(office) as (store,):
        for mode in ("fast", "immediate"):
            taken = store.body("alert", ALERT)
            assert store.send(taken).json()["outcome"] == "accepted"
            own_cluster.stop(mode)
            body = store.body("alert", ALERT)
            refused = store.send(body)
            assert (refused.status_code, refused.json()["error"]) == (503, "database")
            assert int(refused.headers["Retry-After"]) > 0
            assert store.client.get("/", follow_redirects=True).status_code in {200, 503}
            own_cluster.start()
            assert until_taken(store, body).json()["outcome"] == "accepted"
            assert store.send(taken).json()["outcome"] == "known"


@pytest.mark.needs("postgres")
def test_a_postgresql_that_stands_still_is_waited_for(own_cluster: Cluster, tmp_path: Path) -> None:
    with serve_office(tmp_path / "office", database=own_cluster.create()) as office, speaking(office) as (store,):
        pids = [
            row[0] for row in own_cluster.run("SELECT pid FROM pg_stat_activity WHERE application_name='cloche-hq'")
        ]
        answers: list[httpx.Response] = []
        body = store.body("alert", ALERT)
        sending = threading.Thread(target=lambda: answers.append(store.send(body)))
        for pid in pids:
            os.kill(int(str(pid)), signal.SIGSTOP)
        try:
            sending.start()
            sending.join(2)
            assert not answers
        finally:
            for pid in pids:
                os.kill(int(str(pid)), signal.SIGCONT)
        sending.join(30)
        assert [answer.status_code for answer in answers] == [200]


@pytest.mark.needs("root", "mount")
def test_a_full_disk_is_said_so_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", folder], check=True)
    try:
        with serve_office(folder / "office") as office, speaking(office) as (store,):
            text_of_it = "长" * 4000
            acknowledged: list[bytes] = []
            for number in range(2000):
                body = store.body("alert", ALERT | {"id": str(number), "text": text_of_it})
                answer = store.send(body)
                if answer.status_code != 200:
                    break
                acknowledged.append(body)
            assert (answer.status_code, answer.json()) == (503, {"error": "database", "detail": "full"})
            assert int(answer.headers["Retry-After"]) > 0
            assert store.send(body).status_code == 503
            subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
            assert until_taken(store, body).json()["outcome"] == "accepted"
            for body in (acknowledged[0], acknowledged[-1]):
                assert store.send(body).json()["outcome"] == "known"
        with closing(sqlite3.connect(folder / "office" / "hq.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert database.execute("SELECT count(*) FROM alerts").fetchone() == (len(acknowledged) + 1,)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_more_than_head_office_holds_is_busy_and_what_it_holds_is_answered(tmp_path: Path) -> None:
    """Thirty stores send 3.9 MB each while somebody else holds the database's one write lock."""
    with serve_office(tmp_path / "office") as office, speaking(office, 30) as stores:
        bodies = [store.body("alert", ALERT | {"unknown": "x" * 3_900_000}) for store in stores]
        answers: dict[int, httpx.Response] = {}

        def send(place: int) -> None:
            answers[place] = stores[place].send(bodies[place])

        threads = [threading.Thread(target=send, args=(place,)) for place in range(30)]
        with closing(sqlite3.connect(tmp_path / "office" / "hq.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 8
            while len(answers) < 8 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert {answer.status_code for answer in answers.values()} == {429}
            assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers.values())
            other.execute("ROLLBACK")
        for thread in threads:
            thread.join()
        statuses = [answer.status_code for answer in answers.values()]
        assert set(statuses) == {200, 429}
        resident = Path(f"/proc/{office.pid}/status").read_text().split("VmHWM:")[1].split()[0]
        assert int(resident) < 500_000
        for place, answer in answers.items():
            if answer.status_code == 429:
                assert until_taken(stores[place], bodies[place]).json()["outcome"] == "accepted"


@pytest.mark.needs("postgres")
def test_a_connection_that_was_cut_is_not_used_again(cluster: Cluster) -> None:
    engine = open_database(cluster.create("cut"), create=True)
    writer = Writer(sessionmaker(engine))
    writer.start()
    assert writer.submit(lambda session: session.scalar(text("SELECT 1"))).result(10) == 1
    cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut'")
    assert writer.submit(lambda session: session.scalar(text("SELECT 2"))).result(10) == 2

    def cut_in_the_middle(session: Session) -> None:
        session.add(Fact(key="half", value="x"))
        session.flush()
        cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut'")

    with pytest.raises(DatabaseError, match="cannot be reached"):
        writer.submit(cut_in_the_middle).result(10)
    assert writer.submit(lambda session: session.get(Fact, "half")).result(10) is None
    writer.close()
    engine.dispose()


def test_a_locked_sqlite_is_slow_and_then_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BUSY_MS", 100)
    engine = open_database(f"sqlite:///{tmp_path / 'hq.db'}", create=True)
    writer = Writer(sessionmaker(engine))
    writer.start()
    with closing(sqlite3.connect(tmp_path / "hq.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="did not answer in time"):
            writer.submit(lambda session: session.add(Fact(key="a", value=""))).result(10)
        other.execute("ROLLBACK")
    writer.submit(lambda session: session.add(Fact(key="a", value=""))).result(10)
    writer.close()
    engine.dispose()


def test_one_report_that_the_database_will_not_have_holds_up_no_other(database_url: str) -> None:
    engine = open_database(database_url, create=True)
    add_stores(engine, "s-1", "s-2", "s-3")

    class Fussy(Taker):
        def take_many(self, connection, incoming):
            outcomes = super().take_many(connection, incoming)
            if any(report.store_id == "s-2" for report in incoming):
                connection.execute(text("INSERT INTO facts (key, value) VALUES (NULL, NULL)"))
            return outcomes

    writer = Writer(sessionmaker(engine), take=Fussy(ZONE).take_many)
    futures = [writer.take(Writes(store=name)("alert", ALERT), 1) for name in ("s-1", "s-2", "s-3")]
    job = writer.submit(lambda session: session.add(Fact(key="a", value="")))
    writer.start()
    assert futures[0].result(10) == "accepted"
    assert futures[2].result(10) == "accepted"
    job.result(10)
    with pytest.raises(DBAPIError):
        futures[1].result(10)
    writer.close()
    with read(engine) as session:
        assert set(session.scalars(select(StoredReport.store_id))) == {"s-1", "s-3"}
        assert session.get(Fact, "a") is not None
    engine.dispose()


@pytest.mark.needs("postgres")
def test_two_that_lock_each_other_out_both_end_well(cluster: Cluster) -> None:
    """Each writes the other's row second: PostgreSQL ends one, whose transaction is done again."""
    url = cluster.create()
    engine = open_database(url, create=True)
    with Session(engine) as session:
        session.add_all([Fact(key=key, value="0") for key in "ab"])
        session.commit()
    gate, writers = threading.Barrier(2), [Writer(sessionmaker(engine)) for _ in range(2)]
    first = [True, True]

    def change(place: int, keys: str) -> object:
        def job(session: Session) -> None:
            for number, key in enumerate(keys):
                fact = session.get_one(Fact, key, with_for_update=True)
                fact.value = str(int(fact.value) + 1)
                session.flush()
                if number == 0 and first[place]:
                    first[place] = False
                    gate.wait(10)

        return writers[place].submit(job)

    futures = [change(0, "ab"), change(1, "ba")]
    for writer in writers:
        writer.start()
    for future in futures:
        future.result(30)
    for writer in writers:
        writer.close()
    with read(engine) as session:
        assert [session.get_one(Fact, key).value for key in "ab"] == ["2", "2"]
    engine.dispose()


def test_who_gave_up_waiting_does_not_stop_the_writer(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'hq.db'}", create=True)
    writer = Writer(sessionmaker(engine))
    given_up = writer.submit(lambda session: session.add(Fact(key="never", value="")))
    given_up.cancel()
    kept = writer.submit(lambda session: session.add(Fact(key="kept", value="")))
    writer.start()
    kept.result(10)
    writer.close()
    with read(engine) as session:
        assert session.scalars(select(Fact.key)).all() == ["kept"]
    engine.dispose()
