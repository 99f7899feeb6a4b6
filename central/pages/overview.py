"""The first page: stores by what needs somebody."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from central.moments import now
from central.pages.attention import tiles
from central.pages.doors import Doors, Visit


def routes(doors: Doors) -> list[Route]:
    """Path of the first page."""
    return [doors.page("/", overview)]


def overview(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Stores by what needs attention."""
    found = tiles(visit.session, now())
    return "overview.html", {
        "urgent": [tile for tile in found if tile.needs_someone],
        "fine": [tile for tile in found if not tile.needs_someone],
        "persons": sum(tile.store.persons for tile in found),
        "incidents": sum(len(tile.incidents) for tile in found),
    }
