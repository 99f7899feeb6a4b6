"""What the fleet's stores tell: invented, masked as stores mask, and different for each store and day."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

ENTITIES = ["PERSON", "PHONE_NUMBER", "ADDRESS", "CREDIT_CARD"]
EVENTS_A_DAY = 5


def inventory(luck: random.Random, places: int) -> dict[str, Any]:
    """A whole picture in sections."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for number in range(places):
        name = f"{luck.getrandbits(64):016x}"
        sections.setdefault(name[:2], []).append(
            {
                "id": name, "path": f"/srv/测试/{luck.randrange(1000, 9999)}****_{number:04d}.xlsx",
                "kind": "spreadsheet", "label": "会员名单", "level": 1 + number % 4, "persons": luck.randrange(1, 3000),
                "state": "plain" if number % 5 else "sealed", "entities": luck.sample(ENTITIES, 2),
            }
        )  # fmt: skip
    return {
        "scanned_at": datetime.now(UTC).isoformat(), "persons": luck.randrange(1, 90_000), "places": places,
        "sealed": places // 5, "exposed": places - places // 5, "coverage": {"listed": 900, "read": 899, "unread": 1},
        "sections": sections, "section_digests": {name: f"{luck.getrandbits(64):016x}" for name in sections},
    }  # fmt: skip


def health(entries: int, head: str) -> dict[str, Any]:
    """How an agent is."""
    return {
        "version": "0.1.0", "tier": "permission", "mode": "observe", "response": "alert", "keys_ready": True,
        "audit": {"entries": entries, "head": head},
    }  # fmt: skip


def audit(store: str, entries: int) -> dict[str, Any]:
    """Head of a record."""
    return {"entries": entries, "head": hashlib.sha256(f"{store} {entries}".encode()).hexdigest()}


def events(luck: random.Random, day: datetime) -> dict[str, Any]:
    """A day's events."""
    return {
        "events": [
            {
                "at": (day + timedelta(minutes=luck.randrange(1, 1200))).isoformat(), "kind": "watch.read",
                "severity": "notice", "text": "读取 3 个文件", "user": f"till{luck.randrange(4)}", "count": 3,
            }
            for _number in range(EVENTS_A_DAY)
        ]
    }  # fmt: skip


def alert(name: str, day: datetime, luck: random.Random) -> dict[str, Any]:
    """A behaviour that was seen."""
    severity = luck.choice(("notice", "warning", "critical"))
    return {"id": name, "at": day.isoformat(), "kind": "bound", "severity": severity, "action": "alerted"}


def weeks(luck: random.Random, store: str, days: int, places: int) -> Iterator[tuple[str, dict[str, Any], datetime]]:
    """What a store that was away for so many days has kept: kind, document, when."""
    today = datetime.now(UTC)
    for back in range(days, 0, -1):
        day = today - timedelta(days=back)
        yield "events", events(luck, day), day
        yield "audit", audit(store, 1000 + (days - back) * 7), day
        if back % 5 == 0:
            yield "alert", alert(f"away-{back}", day, luck), day
    latest = audit(store, 1000 + days * 7)
    yield "health", health(latest["entries"], latest["head"]), today
    yield "inventory", inventory(luck, places), today
