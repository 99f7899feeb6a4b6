"""What became of an order (`central.direct.acknowledge`)."""

from __future__ import annotations

from typing import cast

from central.direct import acknowledge
from central.documents import OrderState
from central.ingest.batch import Batch, Figures, Incoming


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Note it with the order's delivery; about an order that this store never got it is a fault."""
    wrong = acknowledge.apply(
        batch.connection, report.store_id, report.envelope.number, cast("OrderState", report.document)
    )
    if wrong:
        batch.fault(report, "order", wrong)
