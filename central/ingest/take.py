"""Take signed reports in: each once, in whatever order, with every irregularity counted and shown.

An answer of 200 means: committed. Sent again, the same bytes under the same number are answered 200 once more;
other bytes under a number that is taken are answered 409 and noted. Reports may come out of order; an older one never
replaces a newer picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from sqlalchemy import Connection

from central.documents import Inventory, read_report
from central.ingest.batch import Batch, Incoming, Outcome
from central.ingest.kinds import APPLIERS
from central.ingest.packed import pack
from central.moments import now
from central.wire import COALESCED, digest


def read_incoming(store_id: str, body: bytes, address: str = "") -> Incoming:
    """A report out of its raw bytes, ready to be taken in; its signature is not looked at.

    Raises:
        DocumentError: naming the field that does not fit.
    """
    envelope, document = read_report(body)
    return Incoming(
        store_id=store_id, digest=digest(body), size=len(body), envelope=envelope,
        document=pack(document) if isinstance(document, Inventory) else document, address=address,
    )  # fmt: skip


class Taker:
    """Takes reports in; days are those of head office's `zone`."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def take_many(self, connection: Connection, incoming: Sequence[Incoming]) -> list[Outcome]:
        """Record reports and what they say, within the caller's transaction; what became of each, in their order."""
        received = now().astimezone(self._zone)
        batch = Batch(connection, received, received.date())
        batch.load(incoming)
        outcomes = [_take(batch, report) for report in incoming]
        batch.write()
        return outcomes


def _take(batch: Batch, report: Incoming) -> Outcome:
    store_id, number = report.store_id, report.envelope.number
    figures = batch.stores.get(store_id)
    if figures is None:
        return "unknown_store"
    known = batch.reports.get((store_id, number))
    if known is not None:
        if known == report.digest:
            return "known"
        batch.fault(report, "conflict", f"number {number} came twice with other content")
        return "conflict"
    _follow_chain(batch, report)
    batch.accept(report)
    APPLIERS[report.envelope.kind](batch, figures, report)
    return "accepted"


def _follow_chain(batch: Batch, report: Incoming) -> None:
    """Notice a kept report that was withheld, replaced or forgotten."""
    store_id, envelope = report.store_id, report.envelope
    gap = batch.gaps.get((store_id, envelope.number))
    if gap is not None:
        if gap != report.digest:
            batch.fault(report, "chain", f"number {envelope.number} is not what a later report names")
        batch.close_gap(store_id, envelope.number)
    previous = envelope.previous
    if previous is None:
        if envelope.kind not in COALESCED and batch.has_kept_before(store_id, envelope.number):
            batch.fault(report, "restarted", f"the chain begins anew at number {envelope.number}")
        return
    if previous.number >= envelope.number:
        batch.fault(report, "chain", f"number {envelope.number} names a later one as the one before it")
        return
    stored = batch.reports.get((store_id, previous.number))
    if stored is None:
        if (store_id, previous.number) not in batch.gaps:
            batch.open_gap(store_id, previous.number, previous.digest)
    elif stored != previous.digest:
        batch.fault(report, "chain", f"number {previous.number} is not what a later report names")
