"""The head of a store's record, anchored where the store cannot rewrite it."""

from __future__ import annotations

from typing import cast

from central.documents import Audit
from central.ingest.batch import Batch, Figures, Incoming


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Anchor it; another head at the same entry is a fault."""
    document = cast("Audit", report.document)
    batch.anchors.append((report, document.entries, document.head))
