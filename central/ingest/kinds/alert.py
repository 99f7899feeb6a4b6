"""A behaviour that was seen, open or closed."""

from __future__ import annotations

from typing import cast

from central.documents import Alert, encode_document
from central.ingest.batch import Batch, Figures, Incoming


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Keep it as last told."""
    document = cast("Alert", report.document)
    text = encode_document(document).decode()
    batch.put(
        "alerts", (report.store_id, document.id, report.envelope.number, document.at, document.open, text)
    )  # fmt: skip
