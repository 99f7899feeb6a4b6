"""Events of a store, each a row; on PostgreSQL by month of their time."""

from __future__ import annotations

from typing import cast

from central.documents import Events, encode_document
from central.ingest.batch import Batch, Figures, Incoming


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Keep all of them."""
    document = cast("Events", report.document)
    for place, event in enumerate(document.events):
        batch.events.append(
            (
                report.store_id, event.at, report.envelope.number, place, event.kind, event.severity[:20],
                encode_document(event).decode(),
            )
        )  # fmt: skip
