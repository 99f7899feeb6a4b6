"""Stores get their people: only those concerned, once, with a version that rises; end to end with a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from accounts_desk import database
from hq_founding import found
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.direct.signing import sessions_with_key
from central.home import HeadOfficeHome
from central.models import Delivery, Order, PeoplePush, Region, Store
from central.moments import now
from central.office_keys import make_office_keys
from central.people import directory
from central.people.directory import machine_viewer
from central.people.push import give_parcels, wanted
from central.people.rights import Right
from central.testing import serve_office

CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
TODAY = date(2026, 3, 3)


@pytest.fixture
def sessions(database_url: str, tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    home = HeadOfficeHome(folder=tmp_path / "home")
    home.folder.mkdir()
    home.keys.mkdir()
    make_office_keys(home)
    engine = open_database(database_url, create=True)
    made = sessions_with_key(home, engine)
    with made.begin() as session:
        session.add(Region(id="r-1", name="测试北区"))
        session.flush()
        for number in range(1, 5):
            key = bytes([number]) * 32
            region = "r-1" if number < 3 else None
            session.add(
                Store(id=f"s-{number}", name=f"测试{number}店", region_id=region, public_key=key, made_at=now())
            )
        session.add(Store(id="s-new", name="未登记店", made_at=now()))
    yield made
    engine.dispose()


def push(sessions: sessionmaker[Session], today: date = TODAY) -> list[str]:
    """Push; the stores that were given an order by it, sorted."""
    with sessions.begin() as session:
        before = {tuple(row) for row in session.execute(select(Delivery.store_id, Delivery.number))}
        give_parcels(session, wanted(session, today))
        session.flush()
        after = {tuple(row) for row in session.execute(select(Delivery.store_id, Delivery.number))}
    return sorted(store for store, _number in after - before)


def add(sessions: sessionmaker[Session], name: str, *rights: Right) -> str:
    with sessions.begin() as session:
        person = directory.add(session, machine_viewer(), name, mobile="138 0000 0001")
        for right in rights:
            directory.grant(session, machine_viewer(), person, right)
        return person.id


def test_only_stores_concerned_are_told_and_only_once(sessions: sessionmaker[Session]) -> None:
    add(sessions, "测试法务", Right(role="legal", scope="all"))
    assert push(sessions) == ["s-1", "s-2", "s-3", "s-4"]
    assert push(sessions) == []
    add(sessions, "测试店长", Right(role="store_manager", scope="store", scope_id="s-2"))
    add(sessions, "测试区域", Right(role="area_manager", scope="region", scope_id="r-1"))
    assert push(sessions) == ["s-1", "s-2"]
    add(sessions, "没有职责")
    assert push(sessions) == []
    with sessions.begin() as session:
        orders = [json.loads(body) for body in session.scalars(select(Order.body).order_by(Order.made_at))]
        assert all(order["kind"] == "people" for order in orders)
        versions: dict[str, list[int]] = {}
        for order in orders:
            for store in order["stores"] if order["stores"] != "all" else ["s-1", "s-2", "s-3", "s-4"]:
                versions.setdefault(store, []).append(order["params"]["version"])
    assert all(found == sorted(set(found)) for found in versions.values())


def test_a_stand_in_is_told_when_its_days_begin_and_end(sessions: sessionmaker[Session]) -> None:
    person = add(sessions, "测试甲", Right(role="store_manager", scope="store", scope_id="s-1"))
    other = add(sessions, "测试乙")
    push(sessions, date(2026, 3, 1))
    with sessions.begin() as session:
        from central.models import Person

        one, two = session.get(Person, person), session.get(Person, other)
        assert one is not None
        assert two is not None
        directory.stand_in(session, machine_viewer(), one, two, date(2026, 3, 2), date(2026, 3, 4))
    assert [push(sessions, date(2026, 3, day)) for day in (1, 2, 3, 5)] == [[], ["s-1"], [], ["s-1"]]


def test_a_list_that_did_not_arrive_is_sent_again(sessions: sessionmaker[Session]) -> None:
    add(sessions, "测试法务", Right(role="legal", scope="all"))
    push(sessions)
    with sessions.begin() as session:
        session.execute(update(Delivery).where(Delivery.store_id == "s-1").values(state="expired"))
        session.execute(update(Delivery).where(Delivery.store_id == "s-2").values(state="refused"))
        session.execute(update(PeoplePush).values(pushed_at=now() - timedelta(days=26)))
        session.execute(update(Delivery).where(Delivery.store_id == "s-3").values(state="done"))
    assert push(sessions) == ["s-1", "s-4"]


def test_a_store_that_enrols_later_is_told_too(sessions: sessionmaker[Session]) -> None:
    add(sessions, "测试法务", Right(role="legal", scope="all"))
    push(sessions)
    with sessions.begin() as session:
        session.execute(update(Store).where(Store.id == "s-new").values(public_key=bytes([9]) * 32))
    assert push(sessions) == ["s-new"]


def wait_for(condition: Callable[[], Any], seconds: float = 40) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.2)
    return found


@contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    with log.open("ab") as errors:
        process = subprocess.Popen([*command], stdout=errors, stderr=errors)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_a_real_store_takes_its_people_and_keeps_its_own_accounts(tmp_path: Path) -> None:
    home = tmp_path / "store"
    with serve_office(tmp_path / "office", made=found(tmp_path / "office")) as office:
        enrolled = subprocess.run(
            [*CLOCHE, "enrol", office.url, "--token", office.token("测试店"), "--home", str(home), "--json"],
            capture_output=True, text=True, check=True, env={**os.environ, "LANG": "en"},
        )  # fmt: skip
        store = json.loads(enrolled.stdout)["store"]
        (home / "cloche.toml").write_text(
            '[[people]]\nname = "测试店长"\nroles = ["store_manager"]\nuser = "dian"\n', encoding="utf-8"
        )
        log = tmp_path / "log"
        with running(*CLOCHE, "daemon", "--home", str(home), log=log), running(*LINK, "--home", str(home), log=log):
            time.sleep(3)
            with database(office) as session:
                assert session.scalars(select(Order)).all() == []  # nobody has seen to people yet
            office.call(
                "people", "add", "测试店长", "--mobile", "138 0000 0001", "--role", f"store_manager@store:{store}"
            )

            def state() -> str:
                with database(office) as session:
                    found = session.execute(select(Delivery.state, Delivery.reason)).all()
                    assert not any(row.state in ("refused", "failed") for row in found), found
                    return "done" if any(row.state == "done" for row in found) else ""

            wait_for(state)
        (people,) = home.rglob("people.json")
        document = json.loads(people.read_text(encoding="utf-8"))
        assert people.stat().st_mode & 0o077 == 0 or people.parent.stat().st_mode & 0o077 == 0
    rows = {row["name"]: row for row in document["people"]}
    assert set(rows) == {"测试店长", "admin"}
    assert rows["测试店长"]["phone"] == "138 0000 0001"
    assert rows["测试店长"]["user"] == "dian"
    assert rows["admin"]["user"] == ""
