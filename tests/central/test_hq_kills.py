"""SIGKILL of head office or of its database at random, under load: every acknowledged report is there, once.

`CLOCHE_HQ_KILLS` says how many kills (4 by default, `make test-hq-kills`: 200). PostgreSQL runs with `fsync` as in
production; it is killed with all its processes at once, as the machine's end takes them.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from ingesting import read
from postgres import Cluster, run_cluster
from sqlalchemy import func, select

from central.database.engine import open_database
from central.models import StoredAlert, StoredEvent, StoredReport
from central.testing import OfficeProcess, SpeakingStore, call_office, serve_office
from central.wire import Kind, digest

STORES = 6
EVENTS = 5
KILLS = int(os.environ.get("CLOCHE_HQ_KILLS", "4"))
pytestmark = [pytest.mark.timeout(60 + 30 * KILLS)]


@dataclass(kw_only=True)
class Speaker:
    """A store that sends one report after another, each until it is taken, and remembers what was acknowledged."""

    store: SpeakingStore
    stop: threading.Event
    acknowledged: dict[int, tuple[Kind, str]] = field(default_factory=dict)
    known: int = 0
    refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            kind, document = self._next()
            number = self.store.next_number
            body = self.store.body(kind, document)
            while not self.stop.is_set():
                try:
                    answer = self.store.send(body)
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 200:
                    self.acknowledged[number] = kind, digest(body)
                    self.known += answer.json()["outcome"] == "known"
                    break
                if answer.status_code not in {429, 503}:
                    self.refused.append(f"{answer.status_code} {answer.text[:100]}")
                    return
                time.sleep(0.05)

    def _next(self) -> tuple[Kind, dict[str, Any]]:
        at = datetime.now(UTC).isoformat()
        number = self.store.next_number
        match number % 3:
            case 0:
                return "inventory", {"persons": number, "places": 1}
            case 1:
                return "alert", {"id": str(number), "at": at, "kind": "bound"}
            case _:
                return "events", {"events": [{"at": at, "kind": "open", "text": "x" * 200}] * EVENTS}


class Machine:
    """Head office and its database, either of which can be killed and comes back."""

    def __init__(self, folder: Path, made: dict[str, Any], cluster: Cluster | None, database: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._folder, self._made, self._cluster, self._database = folder, made, cluster, database
        self._stack = ExitStack()
        self.office: OfficeProcess

    def start(self) -> None:
        self.office = self._stack.enter_context(
            serve_office(self._folder, port=self._port, made=self._made, database=self._database)
        )

    def kill(self, what: str) -> None:
        """`office`, `database` or `both`; and start it again."""
        if what != "database":
            os.kill(self.office.pid, signal.SIGKILL)
        if what != "office":
            assert self._cluster is not None
            self._cluster.kill()
            self._cluster.start()
        if what != "database":
            self._stack.close()
            self.start()

    def close(self) -> None:
        self._stack.close()


@contextmanager
def machine(folder: Path, cluster: Cluster | None) -> Iterator[Machine]:
    database = cluster.create() if cluster else ""
    made = call_office(folder, "init", "--name", "测试总部", "--second-factor", "offered", database=database)
    running = Machine(folder, made, cluster, database)
    running.start()
    try:
        yield running
    finally:
        running.close()


@pytest.mark.needs("postgres")
def test_every_acknowledged_report_outlives_kills_of_head_office_and_postgresql(tmp_path: Path) -> None:
    with run_cluster(durable=True) as cluster, machine(tmp_path / "office", cluster) as running:
        load_and_kill(running, KILLS, ["office", "database", "both"], running.office.database)


def test_every_acknowledged_report_outlives_kills_of_head_office_on_sqlite(tmp_path: Path) -> None:
    with machine(tmp_path / "office", None) as running:
        load_and_kill(running, max(2, KILLS // 4), ["office"], f"sqlite:///{tmp_path / 'office' / 'hq.db'}")


def load_and_kill(running: Machine, kills: int, choices: list[str], database: str) -> None:
    generator, stop = random.Random(), threading.Event()
    with running.office.client() as client:
        speakers = [Speaker(store=SpeakingStore(client=client), stop=stop) for _ in range(STORES)]
        for place, speaker in enumerate(speakers):
            assert speaker.store.enrol(running.office.token(f"测试店{place}")).status_code == 200
        threads = [threading.Thread(target=speaker.run) for speaker in speakers]
        for thread in threads:
            thread.start()
        try:
            for number in range(kills):
                time.sleep(generator.uniform(0.05, 1.2))
                running.kill(choices[number % len(choices)])
                wait_for_more(speakers)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            for speaker in speakers:
                speaker.store.close()
    assert [speaker.refused for speaker in speakers] == [[]] * STORES
    total, known = check(database, speakers), sum(speaker.known for speaker in speakers)
    sys.stdout.write(
        f"\n{kills} kills, {total} reports acknowledged and there, {known} of them after a second sending\n"
    )


def wait_for_more(speakers: list[Speaker]) -> None:
    """Until every store had a report taken since."""
    before = [len(speaker.acknowledged) for speaker in speakers]
    deadline = time.monotonic() + 60
    while any(len(speaker.acknowledged) <= count for speaker, count in zip(speakers, before, strict=True)):
        assert time.monotonic() < deadline, "head office did not come back"
        assert not any(speaker.refused for speaker in speakers), [speaker.refused for speaker in speakers]
        time.sleep(0.02)


def check(database: str, speakers: list[Speaker]) -> int:
    """Each acknowledged report with its bytes' digest and all that it said; how many there are."""
    engine = open_database(database)
    total = 0
    with read(engine) as session:
        for speaker in speakers:
            store = speaker.store.store_id
            there = select(StoredReport.number, StoredReport.digest).where(StoredReport.store_id == store)
            found = {row.number: row.digest for row in session.execute(there)}
            alerts = session.scalars(select(StoredAlert.alert_id).where(StoredAlert.store_id == store)).all()
            counts = select(StoredEvent.number, func.count()).where(StoredEvent.store_id == store)
            events = {row[0]: row[1] for row in session.execute(counts.group_by(StoredEvent.number))}
            assert speaker.acknowledged
            for number, (kind, digested) in speaker.acknowledged.items():
                assert found.get(number) == digested, f"report {number} was acknowledged and is not there"
                if kind == "alert":
                    assert alerts.count(str(number)) == 1
                if kind == "events":
                    assert events.get(number) == EVENTS
            assert set(events) <= set(found), "events of a report that is not there"
            total += len(speaker.acknowledged)
    engine.dispose()
    return total
