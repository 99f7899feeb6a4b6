"""What lies where: the newest counts, and places section by section."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import select

from central.documents import Inventory
from central.ingest.batch import Batch, Figures, Incoming, table_of
from central.ingest.kinds.snapshot import is_newest, put_snapshot
from central.ingest.packed import PackedInventory
from central.ingest.shelves import put_sections, put_worst
from central.models import Snapshot


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:
    """Replace the counts, if this is the newest; take every section that the newest report names."""
    packed = cast("PackedInventory", report.document)
    counts, number = packed.counts, report.envelope.number
    if not is_newest(batch, report):
        wanted = _newest_digests(batch, report.store_id)
        if packed.names and wanted:
            figures.wants_inventory = put_sections(batch, figures, number, packed, wanted)
        return
    put_snapshot(batch, report, packed.snapshot)
    figures.persons, figures.places = counts.persons, counts.places
    figures.sealed, figures.exposed = counts.sealed, counts.exposed
    figures.listed = counts.coverage.listed
    figures.unread = counts.coverage.unread + counts.coverage.partial
    figures.scanned_at = counts.scanned_at
    if counts.worst and not counts.section_digests:
        put_worst(batch, report.store_id, number, counts.worst)
        figures.wants_inventory = False
    else:
        figures.wants_inventory = put_sections(batch, figures, number, packed, counts.section_digests)


def _newest_digests(batch: Batch, store_id: str) -> dict[str, str]:
    """What the newest report of this store says it consists of."""
    inside = batch.put_document("snapshots", (store_id, "inventory"))
    if inside is not None:
        return Inventory.model_validate_json(inside).section_digests
    snapshot = table_of(Snapshot)
    query = select(snapshot.c.document).where(snapshot.c.store_id == store_id, snapshot.c.kind == "inventory")
    document: Any = batch.connection.execute(query).scalar()
    return Inventory.model_validate(document).section_digests if document else {}
