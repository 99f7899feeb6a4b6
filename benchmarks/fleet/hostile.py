"""Hostile stores: enrolled like any other, and up to everything. None of it may be taken, and none may be a failure."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Sequence

from central.wire import encode, report_message
from fleet.shop import Shop

ALERT = {"id": "hostile", "at": "2026-11-01T00:00:00Z", "kind": "bound", "severity": "critical"}
PAUSE = 0.05


async def attack(bad: Sequence[Shop], honest: Sequence[Shop], stop: asyncio.Event) -> dict[str, int]:
    """Attack until told to stop; answers by status, and `taken` for whatever came through."""
    seen: Counter[str] = Counter()
    for shop in bad:  # one honest word each, so that there is something to replay
        await shop.send(shop.write("alert", ALERT))
    await asyncio.gather(*(_one(shop, honest, stop, seen) for shop in bad))
    return dict(seen)


async def _one(shop: Shop, honest: Sequence[Shop], stop: asyncio.Event, seen: Counter[str]) -> None:
    while not stop.is_set():
        victim = shop.luck.choice(honest)
        body = json.dumps(
            {
                "schema": "cloche.report/1", "kind": "alert", "number": 1, "previous": None,
                "written_at": "2026-11-01T00:00:00Z", "document": ALERT | {"severity": "none"},
            }
        ).encode()  # fmt: skip
        forged = encode(victim.key.sign(report_message(body)))
        requests = (
            shop.sign(body, 1, signature="A" * 86),
            shop.sign(body, 1),  # other bytes under a number that is taken
            shop.sign(body, 1, store=victim.store_id),
            shop.sign(body, 1, store=victim.store_id, signature=forged),
            shop.sign(body, 2),  # the head says another number than the body
            shop.sign(gzip.compress(b"0" * 100_000), 3),
            shop.sign(b"[" * 20_000, 3),
            shop.sign(b"x" * 5_000_000, 3),
            shop.sign(body, 1, wire="9"),
        )
        for request in requests:
            try:
                said = await shop.line.ask(request, 30)
            except (OSError, TimeoutError):
                seen["cut"] += 1
                continue
            seen[str(said.status)] += 1
            seen["taken"] += said.status == 200
            await asyncio.sleep(PAUSE)
        await shop.line.ask_half(requests[0])
    shop.line.cut()
