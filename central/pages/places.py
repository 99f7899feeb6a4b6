"""Where customers' information lies in a store: all places that it told, worst first, with filters."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.documents import Inventory, Location
from central.models import Section, Snapshot
from central.pages.doors import Visit
from central.pages.paging import page_of

MAX_TEXT: Final = 80
OPEN: Final = "plain"
_DECODER: Final = msgspec.json.Decoder(list[Location])


@dataclass(frozen=True, kw_only=True)
class PlaceFilter:
    """What a reader narrows the places to; '' and 0 for no narrowing."""

    kind: str = ""
    level: int = 0
    state: str = ""
    text: str = ""

    @property
    def is_set(self) -> bool:
        """Anything."""
        return bool(self.kind or self.level or self.state or self.text)

    def fits(self, place: Location) -> bool:
        """Whether a place is asked for."""
        return (
            (not self.kind or place.kind == self.kind)
            and (not self.level or place.level == self.level)
            and (not self.state or place.state == self.state)
            and (not self.text or self.text in place.path.lower() or self.text in place.label.lower())
        )


def places_of(session: Session, store_id: str) -> list[Location]:
    """All places that a store told (it tells at most 10,000, the worst ones)."""
    documents = session.scalars(select(Section.document).where(Section.store_id == store_id))
    return [place for document in documents for place in _DECODER.decode(document)]


def worst_first(place: Location) -> tuple[bool, int, int, str]:
    """A key to sort by: what lies open first, then by level, then by how many customers."""
    return place.state != OPEN, -place.level, -place.persons, place.path


def worst_places(session: Session, store_id: str, most: int) -> list[Location]:
    """The worst places of a store."""
    return heapq.nsmallest(most, places_of(session, store_id), key=worst_first)


def places_page(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The list of a store's places."""
    store = visit.store()
    wish = read_filter(visit)
    every = places_of(visit.session, store.id)
    chosen = sorted((place for place in every if wish.fits(place)), key=worst_first)
    paging = page_of(visit.request, len(chosen))
    document = visit.session.scalar(
        select(Snapshot.document).where(Snapshot.store_id == store.id, Snapshot.kind == "inventory")
    )
    inventory = Inventory.model_validate(document) if document else None
    return "store_places.html", {
        "store": store,
        "places": chosen[paging.offset : paging.offset + paging.size],
        "paging": paging,
        "wish": wish,
        "told": len(every),
        "omitted": inventory.omitted if inventory else 0,
        "persons": sum(place.persons for place in chosen),
        "kinds": sorted({place.kind for place in every}),
        "levels": sorted({place.level for place in every}, reverse=True),
        "states": sorted({place.state for place in every}),
    }


def read_filter(visit: Visit) -> PlaceFilter:
    """From the address; what is too long is cut, what is no level narrows nothing."""
    query = visit.request.query_params
    level = query.get("level", "")
    return PlaceFilter(
        kind=query.get("kind", "")[:MAX_TEXT], level=int(level) if level in ("1", "2", "3", "4") else 0,
        state=query.get("state", "")[:MAX_TEXT], text=query.get("q", "").strip().lower()[:MAX_TEXT],
    )  # fmt: skip
