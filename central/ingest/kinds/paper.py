"""A paper or picture of an incident. The store masks it; here only its form is checked."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final, cast

from central.documents import PaperSent
from central.ingest.batch import Batch, Figures, Incoming

MOST_BYTES: Final = 2 << 20


def apply(batch: Batch, figures: Figures, report: Incoming) -> None:  # noqa: ARG001  one shape for all kinds
    """Keep it as last told; one whose content is not what it says is a fault, and is not kept."""
    document = cast("PaperSent", report.document)
    try:
        content = base64.b64decode(document.content, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if len(content) > MOST_BYTES or hashlib.sha256(content).hexdigest() != document.sha256:
        batch.fault(report, "paper", f"report {report.envelope.number}: a paper that is not what its digest says")
        return
    batch.put(
        "papers",
        (
            report.store_id, document.incident, document.name, report.envelope.number, document.media, document.sha256,
            report.envelope.written_at, content,
        ),
    )  # fmt: skip
