"""An incident, with the case it belongs to and the nearest of its clocks that still run.

They may run on after it has ended: the summary to the authority is due 30 days after the handling.
"""

from __future__ import annotations

from typing import Final, cast

from central.documents import CLOSED, Incident, encode_document
from central.ingest.batch import Batch, Figures, Incoming

RUNNING: Final = frozenset({"running", "overdue"})


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Keep it as last told."""
    document = cast("Incident", report.document)
    deadlines = [clock.deadline for clock in document.clocks if clock.deadline and clock.state in RUNNING]
    is_open = document.phase not in CLOSED
    batch.put(
        "incidents",
        (
            report.store_id, document.id, report.envelope.number, document.case[:40] if document.case else None,
            document.kind[:20], document.phase[:20], is_open, document.discovered_at,
            min(deadlines, default=None), encode_document(document).decode(),
        ),
    )  # fmt: skip
