"""How the agent is, which alerts it still counts as open, and where its record stands."""

from __future__ import annotations

from typing import cast

from central.documents import Health
from central.ingest.batch import Batch, Figures, Incoming
from central.ingest.kinds.snapshot import is_newest, put_snapshot


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:
    """Replace the picture, if this is the newest; an anchor of the record counts however late it comes."""
    document = cast("Health", report.document)
    if document.audit is not None:
        batch.anchors.append((report, document.audit.entries, document.audit.head))
    if not is_newest(batch, report):
        return
    put_snapshot(batch, report)
    figures.version, figures.tier, figures.mode = document.version[:40], document.tier[:40], document.mode[:20]
    if document.open_alerts is not None:
        batch.closings.append((report.store_id, report.envelope.number, frozenset(document.open_alerts)))
