"""What the inventory knows of the affected items: how large they are, since when they were known, which are fresh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from agent.incident.records import Incident
from agent.inventory.models import ItemRow, RunRow
from agent.investigation.hypotheses import EXPORTS, FRESH, Fresh

if TYPE_CHECKING:
    from agent.wiring import Agent

_IN_ONE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the inventory knows of the affected items: bytes by key, when the last was first scanned, fresh exports."""

    sizes: dict[str, int]
    since: datetime | None
    fresh: tuple[Fresh, ...]


def known_of(agent: Agent, incident: Incident) -> Known:
    """Read off inventory.db, a few hundred keys at a time; items that were never scanned are not in it."""
    names = {item.key: item.name for item in incident.items if item.key}
    keys = sorted(names)
    sizes: dict[str, int] = {}
    fresh: list[Fresh] = []
    since: datetime | None = None
    begun = (incident.discovered_at - FRESH).timestamp()
    with agent.inventory.reading() as session:
        for place in range(0, len(keys), _IN_ONE):
            part = keys[place : place + _IN_ONE]
            mine = (ItemRow.key.in_(part), ItemRow.container.is_(None))
            rows = session.execute(
                select(ItemRow.key, ItemRow.size, ItemRow.mtime_ns, ItemRow.mode, RunRow.started_at)
                .join(RunRow, RunRow.id == ItemRow.first_run)
                .where(*mine)
            )
            first_seen: dict[str, datetime] = {}
            for key, size, mtime_ns, mode, started_at in rows:
                sizes[key] = max(size, sizes.get(key, 0))
                first_seen[key] = min(started_at, first_seen.get(key, started_at))
                if is_fresh(names[key], mtime_ns / 1e9, begun, incident.discovered_at.timestamp()):
                    fresh.append(Fresh(name=names[key], open_to_all=bool(mode & 0o004)))
            since = max((moment for moment in (since, *first_seen.values()) if moment is not None), default=None)
    return Known(sizes=sizes, since=since, fresh=tuple(fresh))


def is_fresh(name: str, changed: float, begun: float, discovered: float) -> bool:
    """An export, by its ending, that was made within the two days before the discovery."""
    return begun <= changed <= discovered and name.rpartition(".")[2].lower() in EXPORTS
