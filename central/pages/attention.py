"""Which store needs somebody, and why: an open incident first, then alerts, then data lying
open, then silence, then what was never scanned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.documents import Incident
from central.models import Fault, Gap, Store, StoredIncident

Urgency = Literal["incident", "alert", "fault", "exposed", "silent", "unscanned", "fine"]
ORDER: Final[tuple[Urgency, ...]] = ("incident", "alert", "fault", "exposed", "silent", "unscanned", "fine")
SILENT_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One store on the first page. `share` is the part of the places with customers that is sealed, in percent."""

    store: Store
    urgency: Urgency
    is_silent: bool
    share: int | None
    incidents: tuple[Incident, ...] = ()
    faults: int = 0
    gaps: int = 0

    @property
    def needs_someone(self) -> bool:
        """Not fine."""
        return self.urgency != "fine"


def sealed_share(store: Store) -> int | None:
    """Percent of the places that are sealed, cut not rounded: 100 means all. None where there are no places."""
    return store.sealed * 100 // store.places if store.places else None


def tiles(session: Session, moment: datetime) -> list[Tile]:
    """All stores, the most urgent first."""
    faulty = set(session.scalars(select(Fault.store_id)))
    gapped = set(session.scalars(select(Gap.store_id)))
    incidents: dict[str, list[Incident]] = {}
    opened = select(StoredIncident).where(StoredIncident.is_open).order_by(StoredIncident.discovered_at.desc())
    for row in session.scalars(opened):
        incidents.setdefault(row.store_id, []).append(Incident.model_validate(row.document))
    found = [
        _tile(store, moment, tuple(incidents.get(store.id, ())), store.id in faulty, store.id in gapped)
        for store in session.scalars(select(Store))
    ]
    return sorted(found, key=lambda tile: (ORDER.index(tile.urgency), -tile.store.persons, tile.store.name))


def _tile(store: Store, moment: datetime, incidents: tuple[Incident, ...], faulty: bool, gapped: bool) -> Tile:
    is_silent = store.heard_at is None or store.heard_at + SILENT_AFTER < moment
    urgency: Urgency = "fine"
    if incidents:
        urgency = "incident"
    elif store.open_alerts:
        urgency = "alert"
    elif faulty or gapped:
        urgency = "fault"
    elif store.exposed or store.unread:
        urgency = "exposed"
    elif is_silent:
        urgency = "silent"
    elif store.scanned_at is None:
        urgency = "unscanned"
    return Tile(
        store=store, urgency=urgency, is_silent=is_silent, share=sealed_share(store), incidents=incidents,
        faults=int(faulty), gaps=int(gapped),
    )  # fmt: skip
