"""Documents of which only the newest is kept."""

from __future__ import annotations

from central.documents import encode_document
from central.ingest.batch import Batch, Incoming


def is_newest(batch: Batch, report: Incoming) -> bool:
    """No report of this kind and store with a higher number is there."""
    return batch.snapshots.get((report.store_id, report.envelope.kind), 0) <= report.envelope.number


def put_snapshot(batch: Batch, report: Incoming, text: str | None = None) -> None:
    """Keep a report's document (or the JSON of what is kept of it) as the newest of its kind."""
    envelope = report.envelope
    batch.snapshots[report.store_id, envelope.kind] = envelope.number
    kept = encode_document(report.document).decode() if text is None else text
    batch.put("snapshots", (report.store_id, envelope.kind, envelope.number, envelope.written_at, kept))
