"""What lies where: the newest counts, and places section by section."""

from __future__ import annotations

from copy import copy
from typing import Any, cast

from msgspec.structs import force_setattr
from sqlalchemy import select

from central.documents import Inventory
from central.ingest.batch import Batch, Figures, Incoming, table_of
from central.ingest.kinds.snapshot import is_newest, put_snapshot
from central.ingest.shelves import put_sections, put_worst
from central.models import Snapshot


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:
    """Replace the counts, if this is the newest; take every section that the newest report names."""
    document = cast("Inventory", report.document)
    number = report.envelope.number
    if not is_newest(batch, report):
        wanted = _newest_digests(batch, report.store_id)
        if document.sections and wanted:
            figures.wants_inventory = put_sections(batch, figures, number, document, wanted)
        return
    put_snapshot(batch, report, _without_sections(document))
    figures.persons, figures.places = document.persons, document.places
    figures.sealed, figures.exposed = document.sealed, document.exposed
    figures.listed = document.coverage.listed
    figures.unread = document.coverage.unread + document.coverage.partial
    figures.scanned_at = document.scanned_at
    if document.worst and not document.section_digests:
        put_worst(batch, report.store_id, number, document)
        figures.wants_inventory = False
    else:
        figures.wants_inventory = put_sections(batch, figures, number, document, document.section_digests)


def _without_sections(document: Inventory) -> Inventory:
    """A copy, made below `replace`: that one would check everything again."""
    if not document.sections:
        return document
    light = copy(document)
    force_setattr(light, "sections", {})
    return light


def _newest_digests(batch: Batch, store_id: str) -> dict[str, str]:
    """What the newest report of this store says it consists of."""
    inside = batch.put_document("snapshots", (store_id, "inventory"))
    if inside is not None:
        return Inventory.model_validate_json(inside).section_digests
    snapshot = table_of(Snapshot)
    query = select(snapshot.c.document).where(snapshot.c.store_id == store_id, snapshot.c.kind == "inventory")
    document: Any = batch.connection.execute(query).scalar()
    return Inventory.model_validate(document).section_digests if document else {}
