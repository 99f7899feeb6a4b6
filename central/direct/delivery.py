"""Bring orders to stores: long polls that are held open, woken by one look at the database a quarter of a second.

A store asks `GET /v1/orders?after=N&wait=S` and is answered at once if something newer than delivery N is there, else
when something comes or the time is over. However many stores wait, each instance of head office looks with one
query whether an order went out since the last look, and only then what there is for whom. Nothing passes between
instances but the database, so any of them may have taken the order in.

`told_at` says when an answer with the order was given to the connection. It is no proof that it arrived: a store asks
again from the last number it has kept, and is told again.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, String, bindparam, case, column, func, select, update, values
from sqlalchemy.orm import Session, aliased, sessionmaker
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from central.answers import answer, busy, other_wire, refusal
from central.database.writer import BusyError, Writer
from central.direct.signing import OrderKey
from central.models import Delivery, Order, Store
from central.moments import now
from central.wire import MAX_NUMBER, ORDERS_SCHEMA
from config.errors import ClocheError
from config.log import describe, get_logger

LOOK_SECONDS: Final = 0.25
TOGETHER_SECONDS: Final = 0.02
"""How long the first look for a store waits for others that come at the same time."""
LONGEST_WAIT: Final = 55.0
FIRST_LOOK_SECONDS: Final = 10.0
"""Longest time for the one look of a store that does not want to wait: the database may be slow."""
LATE: Final = timedelta(seconds=60)
"""How far back each look goes: an order becomes visible when it is committed, not when it is dated, and the clocks of
two instances differ."""
MOST_TOLD: Final = 20
MOST_BYTES: Final = 1_048_576
MOST_WAITING: Final = 20_000
ASKED_TOGETHER: Final = 2_000
"""Stores whose news are read with one statement and told in one turn of the loop: what the first of them answer does
not hold up the last."""
DISPLACED_SECONDS: Final = (5.0, 10.0)
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")

SECONDS: Final = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")

log = get_logger("hq.direct")


@dataclass(frozen=True, kw_only=True)
class News:
    """What there is for a store: deliveries as they travel, in order, and what else head office wants of it."""

    deliveries: tuple[dict[str, Any], ...] = ()
    wants: tuple[str, ...] = ()
    displaced: bool = False
    """Another request of this store took this one's place."""


@dataclass(kw_only=True, eq=False)
class _Waiter:
    store_id: str
    after: int
    at_once: bool
    future: asyncio.Future[News] = field(repr=False)


class Waiting:
    """Requests that wait for orders, in one event loop.

    Promise: an order whose transaction has ended is told to every store that waits here within one look. Limit: one
    request a store; a second one takes the first one's place, which is asked to stay away for some seconds.
    """

    def __init__(self, sessions: sessionmaker[Session], writer: Writer) -> None:
        self._sessions = sessions
        self._writer = writer
        self._waiters: dict[str, _Waiter] = {}
        self._fresh: list[_Waiter] = []
        self._told: list[dict[str, Any]] = []
        self._seen: dict[str, datetime] = {}
        self._look: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once: somebody has just given an order. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # it closes at this moment
                self._loop.call_soon_threadsafe(self._woken.set)

    async def wait(self, store_id: str, after: int, seconds: float) -> News:
        """What there is for a store after delivery `after`; waits for it at most so long, 0 for one look.

        Raises:
            BusyError: too many wait.
        """
        if len(self._waiters) >= MOST_WAITING and store_id not in self._waiters:
            raise BusyError("too many stores wait")
        loop = asyncio.get_running_loop()
        waiter = _Waiter(store_id=store_id, after=after, at_once=seconds <= 0, future=loop.create_future())
        before = self._waiters.get(store_id)
        if before is not None and not before.future.done():
            before.future.set_result(News(displaced=True))
        self._waiters[store_id] = waiter
        self._fresh.append(waiter)
        if self._look is None or self._look.done():
            self._loop = loop
            self._woken = asyncio.Event()
            self._look = loop.create_task(self._keep_looking())
        self._woken.set()
        try:
            async with asyncio.timeout(seconds if seconds > 0 else FIRST_LOOK_SECONDS):
                return await waiter.future
        except TimeoutError:
            return News(wants=await asyncio.to_thread(self._wants_of, store_id))
        finally:
            if self._waiters.get(store_id) is waiter:
                del self._waiters[store_id]
            if not waiter.future.done():
                waiter.future.cancel()

    def release(self) -> None:
        """Let everybody go: head office stops. In the loop."""
        for waiter in self._waiters.values():
            if not waiter.future.done():
                waiter.future.set_result(News(displaced=True))

    def note_told(self, store_id: str, deliveries: Sequence[dict[str, Any]]) -> None:
        """Have it written down, with the next look, that these were told."""
        moment = now()
        self._told += [
            {"of_store": store_id, "of_number": delivery["number"], "moment": moment} for delivery in deliveries
        ]
        if self._loop is not None and (self._look is None or self._look.done()):
            self._look = self._loop.create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        """While somebody waits: look whenever somebody came, and every quarter of a second."""
        looked = -1.0
        while self._waiters or self._told:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
                await asyncio.sleep(TOGETHER_SECONDS)
            self._woken.clear()
            fresh, self._fresh = self._fresh, []
            loop = asyncio.get_running_loop()
            try:
                went_out = False
                if self._waiters and (not fresh or loop.time() - looked > LOOK_SECONDS):
                    went_out = await asyncio.to_thread(self._went_out)
                    looked = loop.time()
                await self._answer(list(self._waiters.values()) if went_out else fresh)
                await self._write_told()
            except Exception as error:  # noqa: BLE001  a look that fails is made again: stores wait for it
                log.warning("deliveries could not be looked at", error=describe(error))
                self._fresh += [waiter for waiter in fresh if not waiter.future.done()]
                await asyncio.sleep(1.0)

    async def _answer(self, chosen: Sequence[_Waiter]) -> None:
        """Give what there is to those it is for."""
        asked = [waiter for waiter in chosen if not waiter.future.done()]
        for start in range(0, len(asked), ASKED_TOGETHER):
            part = asked[start : start + ASKED_TOGETHER]
            found, wanting = await asyncio.to_thread(self._read, [(one.store_id, one.after) for one in part])
            for waiter in part:
                if waiter.future.done():
                    continue
                deliveries = found.get(waiter.store_id, ())
                wants = ("inventory",) if waiter.store_id in wanting else ()
                if deliveries or waiter.at_once:
                    waiter.future.set_result(News(deliveries=tuple(deliveries), wants=wants))

    def _went_out(self) -> bool:
        """Whether an order went out that no look has seen yet."""
        since = now() - LATE
        with self._sessions() as session:
            query = select(Order.id, Order.sent_at).where(Order.sent_at > since)
            recent = {row.id: row.sent_at for row in session.execute(query)}
        is_new = bool(recent.keys() - self._seen.keys())
        self._seen = recent
        return is_new

    def _read(self, asked: Sequence[tuple[str, int]]) -> tuple[dict[str, list[dict[str, Any]]], set[str]]:
        """What each of these stores has not been told yet, and those whose picture here is not whole.

        A store that knows numbers which were never given to it gets everything: this database comes from a backup.
        """
        given = values(column("store_id", String), column("after_number", BigInteger)).data(list(asked)).cte("asked")
        other = aliased(Delivery)
        last = (
            select(func.coalesce(func.max(other.number), 0))
            .where(other.store_id == given.c.store_id)
            .correlate(given)
            .scalar_subquery()
        )
        after = case((given.c.after_number > last, 0), else_=given.c.after_number)
        with self._sessions() as session:
            rows = session.execute(
                select(Delivery.store_id, Delivery.number, Delivery.order_id)
                .join(given, (given.c.store_id == Delivery.store_id) & (Delivery.number > after))
                .where(Delivery.state != "withdrawn")
                .order_by(Delivery.store_id, Delivery.number)
            ).all()
            wanted = {row.order_id for row in rows}
            texts = self._texts(session, sorted(wanted))
            wanting = set(
                session.scalars(
                    select(Store.id).where(Store.wants_inventory, Store.id.in_([store for store, _ in asked]))
                )
            )
        found: dict[str, list[dict[str, Any]]] = {}
        sizes: dict[str, int] = {}
        for row in rows:
            told = found.setdefault(row.store_id, [])
            text = texts[row.order_id]
            size = sizes[row.store_id] = sizes.get(row.store_id, 0) + len(text["body"])
            if not told or (len(told) < MOST_TOLD and size <= MOST_BYTES):
                told.append({"number": row.number, **text})
        return found, wanting

    def _texts(self, session: Session, order_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        texts = {}
        for start in range(0, len(order_ids), ASKED_TOGETHER):
            query = select(Order.id, Order.body, Order.signatures).where(
                Order.id.in_(order_ids[start : start + ASKED_TOGETHER])
            )
            for row in session.execute(query):
                texts[row.id] = {"body": row.body, "signatures": row.signatures}
        return texts

    async def _write_told(self) -> None:
        told, self._told = self._told, []
        if not told:
            return
        try:
            await asyncio.wrap_future(self._writer.submit(lambda session: _mark_told(session, told)))
        except ClocheError:
            self._told = told + self._told
            raise

    def _wants_of(self, store_id: str) -> tuple[str, ...]:
        with self._sessions() as session:
            wants = session.scalar(select(Store.wants_inventory).where(Store.id == store_id))
        return ("inventory",) if wants else ()


def _mark_told(session: Session, told: list[dict[str, Any]]) -> None:
    own = (Delivery.store_id == bindparam("of_store")) & (Delivery.number == bindparam("of_number"))
    statement = update(Delivery).where(own, Delivery.state == "waiting", Delivery.told_at.is_(None))
    session.connection().execute(statement.values(told_at=bindparam("moment"), state="told"), told)


class OrdersApi:
    """`GET /v1/orders` (docs/wire-v1.md)."""

    def __init__(self, waiting: Waiting, key: OrderKey) -> None:
        self._waiting = waiting
        self._key = key
        self._random = random.SystemRandom()

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [Route("/v1/orders", self.orders, methods=["GET"])]

    async def orders(self, request: Request) -> Response:
        """Orders for a store that is known by its certificate."""
        if refused := other_wire(request):
            return refused
        certificate = request.scope.get("extensions", {}).get("cloche.certificate")
        if certificate is None:
            return refusal(401, "certificate")
        asked = request.query_params
        after, wait = asked.get("after", "0"), asked.get("wait", "0")
        challenge = asked.get("challenge", "")
        if not (after.isascii() and after.isdecimal() and len(after) <= 16 and int(after) <= MAX_NUMBER):
            return refusal(422, "malformed", "after")
        if not SECONDS.fullmatch(wait):
            return refusal(422, "malformed", "wait")
        if challenge and not CHALLENGE.fullmatch(challenge):
            return refusal(422, "malformed", "challenge")
        store_id = certificate["store"]
        seconds = min(float(wait), LONGEST_WAIT)
        try:
            news = await self._wait(request, store_id, int(after), seconds)
        except BusyError:
            return busy(int(self._random.uniform(*DISPLACED_SECONDS)))
        document = {
            "schema": ORDERS_SCHEMA, "deliveries": list(news.deliveries), "wants": list(news.wants),
            "again_in": self._again_in(news), "time": self._key.tell_time(now(), challenge) if challenge else None,
        }  # fmt: skip
        if news.deliveries:
            self._waiting.note_told(store_id, news.deliveries)
        return answer(200, document)

    async def _wait(self, request: Request, store_id: str, after: int, seconds: float) -> News:
        """As long as the store listens."""
        work = asyncio.ensure_future(self._waiting.wait(store_id, after, seconds * self._random.uniform(0.85, 1)))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else News()
        finally:
            for task in (work, gone):
                task.cancel()
                with suppress(asyncio.CancelledError, BusyError):
                    await task

    def _again_in(self, news: News) -> float:
        """Seconds after which the store is to ask again: a thousand that were told together do not come together."""
        if news.displaced:
            return round(self._random.uniform(*DISPLACED_SECONDS), 2)
        return round(self._random.uniform(0, 1.0 if news.deliveries else 0.5), 2)


async def _gone(request: Request) -> None:
    """Return when the other side hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
