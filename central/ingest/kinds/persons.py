"""Fingerprints of affected persons (`central.persons.take`)."""

from __future__ import annotations

from typing import cast

from central.documents import Persons
from central.ingest.batch import Batch, Figures, Incoming
from central.persons.take import Opened


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Hand them over; what is wrong with them is a fault."""
    from central.persons import take

    document = cast("Opened | Persons", report.document)
    wrong = take.apply(batch.connection, report.store_id, report.envelope.number, document)
    if wrong:
        batch.fault(report, "persons", wrong)
