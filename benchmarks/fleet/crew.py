"""A process with a part of the fleet: does what it is told over a pipe and answers with figures."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from fleet import content, hostile
from fleet.shop import Shop


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a crew is to do: which stores it has, how unruly they are."""

    host: str
    port: int
    authority: str = field(repr=False)
    seed: int
    tokens: list[tuple[str, str]] = field(repr=False)
    """Name and token of each store."""
    hostiles: int
    mishaps: float = 0.06
    places: int = 100


class Crew:
    """The stores of one process."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        luck = random.Random(orders.seed)
        skews = [timedelta(0)] * 17 + [timedelta(days=365), timedelta(days=-365), timedelta(hours=-9)]
        self.shops = [
            Shop(
                name=name, host=orders.host, port=orders.port, authority=orders.authority,
                luck=random.Random(orders.seed * 100_003 + place), skew=luck.choice(skews),
                is_hostile=place < orders.hostiles,
            )
            for place, (name, _token) in enumerate(orders.tokens)
        ]  # fmt: skip
        self.honest = [shop for shop in self.shops if not shop.is_hostile]
        self.polls: list[asyncio.Task[tuple[float, float] | None]] = []
        self.attack: asyncio.Task[dict[str, int]] | None = None

    async def enrol(self) -> dict[str, Any]:
        """All of them, some at a time."""
        gate = asyncio.Semaphore(16)

        async def one(shop: Shop, token: str) -> None:
            async with gate:
                await shop.enrol(token)

        await asyncio.gather(
            *(one(shop, token) for shop, (_name, token) in zip(self.shops, self.orders.tokens, strict=True))
        )
        return {
            "stores": [shop.store_id for shop in self.honest],
            "hostile": [s.store_id for s in self.shops if s.is_hostile],
        }

    async def steady(self, rounds: int) -> dict[str, Any]:
        """Ordinary days: an inventory, then some of everything, with mishaps and disorder."""

        async def one(shop: Shop) -> None:
            await asyncio.sleep(shop.luck.uniform(0, 1))
            await shop.send(shop.write("inventory", content.inventory(shop.luck, self.orders.places)))
            for number in range(rounds):
                now = time.time()
                today = content.datetime.now(content.UTC)
                spool = [
                    shop.counts(shop.write("events", content.events(shop.luck, today)), content.EVENTS_A_DAY),
                    shop.counts(shop.write("alert", content.alert(f"steady-{number}", today, shop.luck))),
                    shop.write("audit", content.audit(shop.store_id, number + 1)),
                    shop.write("health", content.health(number + 1, content.audit(shop.store_id, number + 1)["head"])),
                ]
                shop.spool = spool
                await shop.drain(self.orders.mishaps, disorder=0.1)
                await asyncio.sleep(max(0.0, 1 - (time.time() - now)))

        begun = time.time()
        await asyncio.gather(*(one(shop) for shop in self.honest))
        return {"reports": sum(len(shop.promised) for shop in self.honest), "seconds": time.time() - begun}

    async def hold(self, chosen: list[str]) -> dict[str, Any]:
        """Every store waits for orders; those that are chosen carry out the first one they hear and say so."""

        async def one(shop: Shop) -> tuple[float, float] | None:
            while True:
                deliveries = await shop.poll(50)
                told = time.time()
                for delivery in deliveries:
                    order = json.loads(delivery["body"])
                    shop.heard = delivery["number"]
                    state = {"order": order["id"], "delivery": delivery["number"], "state": "done", "answer": {}}
                    await shop.send(shop.write("order", state))
                    return told, time.time()

        named = set(chosen)
        self.polls = [asyncio.create_task(one(shop)) for shop in self.honest if shop.store_id in named]
        self.others = [asyncio.create_task(one(shop)) for shop in self.honest if shop.store_id not in named]
        return {"waiting": len(self.polls) + len(self.others)}

    async def heard(self) -> dict[str, Any]:
        """When the chosen were told, and when head office had taken their word."""
        ends = await asyncio.gather(*self.polls)
        for task in self.others:
            task.cancel()
        await asyncio.gather(*self.others, return_exceptions=True)
        for shop in self.honest:
            shop.line.cut()
        return {"told": [end[0] for end in ends if end], "done": [end[1] for end in ends if end]}

    async def away(self, days: int) -> dict[str, Any]:
        """All lines cut; each store keeps what it would have said."""
        for shop in self.honest:
            shop.line.cut()
            shop.spool = [
                shop.counts(shop.write(kind, document, at), content.EVENTS_A_DAY if kind == "events" else 1)
                for kind, document, at in content.weeks(shop.luck, shop.store_id, days, self.orders.places)
            ]
        return {"kept": sum(len(shop.spool) for shop in self.honest)}

    async def storm(self) -> dict[str, Any]:
        """All at once, none waits for another; then each asks for orders as it would."""
        begun = time.time()

        async def one(shop: Shop) -> float:
            await shop.drain(self.orders.mishaps / 3, disorder=0.02)
            await shop.poll(0)
            return time.time() - begun

        ends = sorted(await asyncio.gather(*(one(shop) for shop in self.honest)))
        return {"seconds": ends[-1], "half": ends[len(ends) // 2], "busy": sum(shop.busy for shop in self.honest)}

    async def attacks(self) -> dict[str, Any]:
        """The hostile ones begin."""
        self.stop = asyncio.Event()
        bad = [shop for shop in self.shops if shop.is_hostile]
        self.attack = asyncio.create_task(hostile.attack(bad, self.honest, self.stop))
        return {}

    async def peace(self) -> dict[str, Any]:
        """The hostile ones end; what head office answered them, by status."""
        self.stop.set()
        return await self.attack if self.attack else {}

    async def account(self) -> dict[str, Any]:
        """What head office promised to have, store by store."""
        return {
            "stores": [
                {
                    "store": shop.store_id, "promised": shop.promised, "told": shop.told, "heard": shop.heard,
                    "known": shop.known, "cuts": shop.cuts, "hostile": shop.is_hostile,
                }
                for shop in self.shops
            ]
        }  # fmt: skip


def work(pipe: Connection, orders: Orders) -> None:
    """The process: a command, its answer, until `None`."""

    async def run() -> None:
        crew = Crew(orders)
        loop = asyncio.get_running_loop()
        while (command := await loop.run_in_executor(None, pipe.recv)) is not None:
            name, arguments = command
            method: Callable[..., Coroutine[Any, Any, dict[str, Any]]] = getattr(crew, name)
            try:
                pipe.send((True, await method(*arguments)))
            except Exception as error:  # noqa: BLE001  told to the one who gave the command
                pipe.send((False, f"{type(error).__name__}: {error}"))
        for shop in crew.shops:
            shop.line.cut()

    uvloop.run(run())
