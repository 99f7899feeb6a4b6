"""A regular assessment: the newest is kept whole, its score with the store and day by day."""

from __future__ import annotations

from typing import cast

from central.documents import Assessment
from central.ingest.batch import Batch, Figures, Incoming
from central.ingest.kinds.snapshot import is_newest, put_snapshot


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:
    """Replace the picture, if this is the newest."""
    if is_newest(batch, report):
        put_snapshot(batch, report)
        score = cast("Assessment", report.document).score
        figures.score = None if score is None else round(score)
