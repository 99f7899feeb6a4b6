"""What people call what lies about, store by store, made anew when a store's inventory has changed.

Limit: a store tells its worst places, up to a bound of its own; what it leaves out is in its counts, not here.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from central.models import Holding, Section

MAX_LABEL: Final = 120
MAX_KIND: Final = 80


class Place(msgspec.Struct, frozen=True):
    """What counts here of a place that a store told (`central.documents`)."""

    kind: str = ""
    level: int = 1
    persons: int = 0
    state: str = ""
    label: str = ""


_DECODER: Final = msgspec.json.Decoder(list[Place])
Counts = dict[tuple[str, str, int], list[int]]
"""(label, kind, level) → places, persons, places that lie open."""


def count_holdings(session: Session, store_id: str) -> Counts:
    """Count a store's places by label, kind and level."""
    counts: Counts = {}
    for document in session.scalars(select(Section.document).where(Section.store_id == store_id)):
        for place in _DECODER.decode(document):
            key = (place.label[:MAX_LABEL], place.kind[:MAX_KIND], place.level)
            held = counts.setdefault(key, [0, 0, 0])
            held[0] += 1
            held[1] += place.persons
            held[2] += place.state == "plain"
    return counts


def keep_holdings(session: Session, store_id: str, counts: Counts) -> None:
    """Replace a store's holdings."""
    session.execute(delete(Holding).where(Holding.store_id == store_id))
    rows = [
        {
            "store_id": store_id, "label": label, "kind": kind, "level": level, "places": held[0], "persons": held[1],
            "exposed": held[2],
        }
        for (label, kind, level), held in sorted(counts.items())
    ]  # fmt: skip
    if rows:
        session.execute(insert(Holding), rows)
