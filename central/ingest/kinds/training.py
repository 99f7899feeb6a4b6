"""How far training is."""

from __future__ import annotations

from central.ingest.batch import Batch, Figures, Incoming
from central.ingest.kinds.snapshot import is_newest, put_snapshot


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Replace the picture, if this is the newest."""
    if is_newest(batch, report):
        put_snapshot(batch, report)
