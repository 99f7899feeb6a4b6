"""How stores that wait hear of orders, on both databases: one look for all, several instances, nothing twice."""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from postgres import Cluster, run_cluster
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database, reading
from central.database.writer import Writer
from central.direct.delivery import Waiting
from central.direct.orders import give_order, withdraw
from central.direct.signing import OrderKey, with_key
from central.models import Delivery, Order, Store
from central.moments import now
from central.people.directory import machine_viewer

STORES = 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with run_cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'hq.db'}"
    else:
        url = request.getfixturevalue("cluster").create()
    made = open_database(url, create=True)
    with sessionmaker(made).begin() as session:
        for number in range(STORES):
            session.add(Store(id=f"s-{number}", name=f"店{number}", public_key=secrets.token_bytes(32), made_at=now()))
    yield made
    made.dispose()


class Instance:
    """One instance of head office over a database: its writer, its waiting stores."""

    def __init__(self, engine: Engine) -> None:
        key = OrderKey(Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
        self.sessions: sessionmaker[Session] = sessionmaker(engine, expire_on_commit=False, info=with_key(key))
        self.writer = Writer(self.sessions)
        self.writer.start()
        self.waiting = Waiting(sessionmaker(reading(engine)), self.writer)

    def give(self, *stores: str, kind: Any = "rescan") -> str:
        with self.sessions.begin() as session:
            chosen: Any = [session.get_one(Store, store) for store in stores] or "all"
            return give_order(session, machine_viewer(), kind, chosen, {}, reason="测试").id


@pytest.fixture
def instance(engine: Engine) -> Iterator[Callable[[], Instance]]:
    made: list[Instance] = []

    def make() -> Instance:
        made.append(Instance(engine))
        return made[-1]

    yield make
    for one in made:
        one.writer.close()


def test_an_order_given_at_one_instance_is_told_by_another_within_a_second(instance: Callable[[], Instance]) -> None:
    one, other = instance(), instance()

    async def play() -> None:
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(one.waiting.wait(f"s-{number}", 0, 20)) for number in range(STORES)]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(other.give)
        begun = loop.time()
        news = await asyncio.gather(*tasks)
        assert loop.time() - begun < 2.0
        assert all(len(found.deliveries) == 1 for found in news)
        for number, found in enumerate(news):
            one.waiting.note_told(f"s-{number}", found.deliveries)
        await asyncio.sleep(1.0)
        assert not one.waiting._waiters

    asyncio.run(play())
    with one.sessions() as session:
        assert set(session.scalars(select(Delivery.state))) == {"told"}


def test_a_store_that_is_not_meant_goes_on_waiting(instance: Callable[[], Instance]) -> None:
    one = instance()

    async def play() -> None:
        meant, other = (asyncio.create_task(one.waiting.wait(store, 0, 3)) for store in ("s-1", "s-2"))
        await asyncio.sleep(0.4)
        await asyncio.to_thread(one.give, "s-1")
        assert len((await meant).deliveries) == 1
        assert not other.done()
        assert (await other).deliveries == ()

    asyncio.run(play())


def test_a_second_request_of_a_store_takes_the_first_ones_place(instance: Callable[[], Instance]) -> None:
    one = instance()

    async def play() -> None:
        first = asyncio.create_task(one.waiting.wait("s-1", 0, 20))
        await asyncio.sleep(0.3)
        second = asyncio.create_task(one.waiting.wait("s-1", 0, 1))
        assert (await first).displaced
        assert not (await second).displaced

    asyncio.run(play())


def test_orders_given_at_once_by_several_get_numbers_of_their_own(instance: Callable[[], Instance]) -> None:
    instances = [instance() for _ in range(3)]
    threads = [threading.Thread(target=one.give) for one in instances for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with instances[0].sessions() as session:
        for store in ("s-0", "s-7"):
            numbers = session.scalars(
                select(Delivery.number).where(Delivery.store_id == store).order_by(Delivery.number)
            )
            assert list(numbers) == list(range(1, 10))


def test_a_store_is_told_a_bounded_number_at_once_and_the_rest_next_time(instance: Callable[[], Instance]) -> None:
    one = instance()
    for _ in range(25):
        one.give("s-3")

    async def play() -> None:
        first = await one.waiting.wait("s-3", 0, 0)
        assert [delivery["number"] for delivery in first.deliveries] == list(range(1, 21))
        assert len((await one.waiting.wait("s-3", 20, 0)).deliveries) == 5
        # numbers that were never given: this database comes from a backup
        assert (await one.waiting.wait("s-3", 10**15, 0)).deliveries[0]["number"] == 1

    asyncio.run(play())


def test_what_was_withdrawn_is_never_told(instance: Callable[[], Instance]) -> None:
    one = instance()
    order = one.give("s-4", "s-5")
    with one.sessions.begin() as session:
        assert withdraw(session, machine_viewer(), session.get_one(Order, order)) == 0

    async def play() -> None:
        assert (await one.waiting.wait("s-4", 0, 0)).deliveries == ()

    asyncio.run(play())


def test_an_order_dated_back_by_another_instances_clock_is_still_seen(instance: Callable[[], Instance]) -> None:
    one = instance()

    async def play() -> None:
        task = asyncio.create_task(one.waiting.wait("s-6", 0, 5))
        await asyncio.sleep(0.4)

        def give_late() -> None:
            with one.sessions.begin() as session:
                order = give_order(
                    session, machine_viewer(), "rescan", [session.get_one(Store, "s-6")], {}, reason="测试"
                )
                order.sent_at = now() - timedelta(seconds=40)

        await asyncio.to_thread(give_late)
        assert len((await task).deliveries) == 1

    asyncio.run(play())
