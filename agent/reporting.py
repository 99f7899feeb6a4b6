"""What a store tells head office: counts, levels and masked names, built from the inventory and the agent's state.

Every text that comes from outside (paths, alerts, users, programs) passes `agent.mask` here once more, whoever made
it: what leaves the store is masked even if a room forgot. Incidents are put by `agent.incident`, masked by it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

from agent.console import printable
from agent.inventory.records import Alert, Run, StoredItem
from agent.wiring import Agent
from config.errors import ClocheError

WORST: Final = 100
OPEN_ALERTS: Final = 1000


@dataclass(kw_only=True)
class _Place:
    """A file with what was found in it, in its members and its tables."""

    path: bytes
    kind: str
    state: str
    level: int = 1
    persons: int = 0
    entities: set[str] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Anybody who may read the file reads the customers."""
        return self.state == "plain"


def report_inventory(agent: Agent) -> int:
    """Put the picture of what lies where; the report's number.

    Raises:
        ClocheError: the disk refused it.
    """
    return agent.outbox.put("inventory", inventory_document(agent))


def report_health(agent: Agent) -> int:
    """Put how the agent is, which alerts are open, and the head of the record; the health report's number.

    Raises:
        ClocheError: the disk refused it.
    """
    return agent.outbox.put("health", health_document(agent))


def report_alert(agent: Agent, alert: Alert) -> int:
    """Put one alert as it stands, open or closed; the report's number.

    Raises:
        ClocheError: the disk refused it.
    """
    return agent.outbox.put("alert", alert_document(agent, alert))


def report_record(agent: Agent) -> int:
    """Put the signed head of the audit log, for head office to anchor; the report's number.

    Raises:
        ClocheError: the disk refused it.
    """
    head = agent.audit.sign_head()
    return agent.outbox.put("audit", {"entries": head.seq, "head": head.hash, "signed_at": head.time})


def inventory_document(agent: Agent) -> dict[str, Any]:
    """Counts by kind and level, the worst places with masked paths, coverage with its causes."""
    run = agent.inventory.last_run()
    places: dict[bytes, _Place] = {}
    kinds: dict[bytes, str] = {}
    causes: Counter[str] = Counter()
    for item in agent.inventory.items():
        if item.state == "gone":
            continue
        if item.container is None:
            kinds[item.path] = item.kind
        if item.status in ("unread", "partial") and item.state == "plain":
            causes[item.reason or item.status] += 1
        if item.findings:
            _add(places, item)
    for place in places.values():
        place.kind = kinds.get(place.path, place.kind)
    ordered = sorted(places.values(), key=lambda place: (not place.is_open, -place.level, -place.persons, place.path))
    return {
        "scanned_at": run.ended_at.isoformat() if run and run.ended_at else None,
        "persons": run.persons if run else 0,
        "places": len(places),
        "sealed": sum(place.state in ("sealed", "vault") for place in places.values()),
        "exposed": sum(place.is_open for place in places.values()),
        "coverage": _coverage(run),
        "causes": [{"reason": reason, "items": count} for reason, count in causes.most_common(64)],
        "groups": _groups(places.values()),
        "worst": [
            {
                "path": agent.mask(printable(place.path)), "kind": place.kind, "level": place.level,
                "persons": place.persons, "state": place.state, "entities": sorted(place.entities),
            }
            for place in ordered[:WORST]
        ],
        "omitted": max(0, len(ordered) - WORST),
    }  # fmt: skip


def health_document(agent: Agent) -> dict[str, Any]:
    """Version, tier, modes, what waits, open alerts, disk, and where the record stands."""
    link, run = agent.outbox.link_state(), agent.inventory.last_run()
    alerts = agent.inventory.alerts()
    head = agent.audit.sign_head()
    disk = _disk(agent)
    return {
        "version": version("cloche"),
        "tier": agent.watch.tier,
        "mode": agent.settings.protect.mode,
        "response": agent.settings.watch.response,
        "keys_ready": agent.keyring.ready,
        "waiting": len(agent.outbox.pending()),
        "refused": len(link.refused),
        "link_fault": agent.mask(link.fault),
        "last_scan_at": run.ended_at.isoformat() if run and run.ended_at else None,
        "scan_clean": run.clean if run else None,
        "open_alerts": [str(alert.id) for alert in alerts[:OPEN_ALERTS]] if len(alerts) <= OPEN_ALERTS else None,
        "disk_free": disk[0],
        "disk_total": disk[1],
        "audit": {"entries": head.seq, "head": head.hash},
    }


def alert_document(agent: Agent, alert: Alert) -> dict[str, Any]:
    """One alert, masked."""
    return {
        "id": str(alert.id), "at": alert.at.isoformat(), "kind": alert.kind, "severity": alert.severity,
        "text": agent.mask(alert.text), "program": agent.mask(alert.program), "user": agent.mask(alert.user),
        "action": alert.action, "stop_ms": alert.stop_ms, "open": alert.open, "files": len(alert.keys),
    }  # fmt: skip


def _add(places: dict[bytes, _Place], item: StoredItem) -> None:
    """Count an item with the file it lies in; persons of its parts may overlap, so the fullest part counts."""
    path = item.container or item.path
    place = places.setdefault(path, _Place(path=path, kind=item.kind, state=item.state))
    place.level, place.persons = max(place.level, item.level), max(place.persons, item.persons)
    place.entities.update(item.entities)


def _groups(places: Iterable[_Place]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, int], Counter[str]] = {}
    for place in places:
        sealed = int(place.state in ("sealed", "vault"))
        groups.setdefault((place.kind, place.level), Counter()).update(items=1, persons=place.persons, sealed=sealed)
    return [
        {
            "kind": kind, "level": level, "items": count["items"], "persons": count["persons"],
            "sealed": count["sealed"],
        }
        for (kind, level), count in sorted(groups.items(), key=lambda entry: (-entry[0][1], -entry[1]["persons"]))
    ]  # fmt: skip


def _coverage(run: Run | None) -> dict[str, int]:
    if run is None:
        return {}
    coverage = run.coverage
    return {
        "listed": coverage.listed, "read": coverage.read, "partial": coverage.partial, "unread": coverage.unread,
        "skipped": coverage.skipped, "bytes": coverage.bytes,
    }  # fmt: skip


def _disk(agent: Agent) -> tuple[int, int]:
    """Free and total bytes where Cloche keeps its state."""
    try:
        facts = os.statvfs(agent.home.state)
    except OSError as error:
        raise ClocheError(f"{agent.home.state}: cannot be asked for its free space: {error.strerror}") from error
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
