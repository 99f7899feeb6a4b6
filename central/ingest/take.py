"""Take a signed report in: once, in whatever order, with every irregularity counted and shown.

An answer of 200 means: committed. Sent again, the same bytes under the same number are answered 200 once more;
other bytes under a number that is taken are answered 409 and noted. Reports may come out of order; an older one never
replaces a newer picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.documents import CLOSED, Alert, Audit, Document, Envelope, Health, Incident, Inventory
from central.models import (
    Anchor,
    Gap,
    Snapshot,
    Store,
    StoredAlert,
    StoredIncident,
    StoredReport,
)  # fmt: skip
from central.moments import now
from central.stores.faults import note_fault
from central.wire import COALESCED

Outcome = Literal["accepted", "known", "conflict"]


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A report whose signature and form are checked."""

    store_id: str
    digest: str
    size: int
    envelope: Envelope
    document: Document = field(repr=False)


def take(session: Session, incoming: Incoming) -> Outcome:
    """Record one report and what it says, within the caller's transaction."""
    store_id, envelope = incoming.store_id, incoming.envelope
    known = session.get(StoredReport, (store_id, envelope.number))
    if known is not None:
        if known.digest == incoming.digest:
            return "known"
        note_fault(session, store_id, "conflict", f"number {envelope.number} came twice with other content")
        return "conflict"
    received = now()
    session.add(
        StoredReport(
            store_id=store_id, number=envelope.number, kind=envelope.kind, digest=incoming.digest,
            size=incoming.size, written_at=envelope.written_at, received_at=received,
        )
    )  # fmt: skip
    store = session.get_one(Store, store_id)
    store.heard_at = received
    store.last_number = max(store.last_number, envelope.number)
    _follow_chain(session, incoming, received)
    _apply(session, store, incoming, received)
    return "accepted"


def _follow_chain(session: Session, incoming: Incoming, received: datetime) -> None:
    """Notice a kept report that was withheld, replaced or forgotten."""
    store_id, envelope = incoming.store_id, incoming.envelope
    gap = session.get(Gap, (store_id, envelope.number))
    if gap is not None:
        if gap.digest != incoming.digest:
            note_fault(session, store_id, "chain", f"number {envelope.number} is not what a later report names")
        session.delete(gap)
    previous = envelope.previous
    if previous is None:
        if envelope.kind not in COALESCED and _has_kept_before(session, store_id, envelope.number):
            note_fault(session, store_id, "restarted", f"the chain begins anew at number {envelope.number}")
        return
    stored = session.get(StoredReport, (store_id, previous.number))
    if stored is None:
        if session.get(Gap, (store_id, previous.number)) is None:
            session.add(Gap(store_id=store_id, number=previous.number, digest=previous.digest, noticed_at=received))
    elif stored.digest != previous.digest:
        note_fault(session, store_id, "chain", f"number {previous.number} is not what a later report names")


def _has_kept_before(session: Session, store_id: str, number: int) -> bool:
    query = select(StoredReport.number).where(
        StoredReport.store_id == store_id, StoredReport.number < number, StoredReport.kind.not_in(COALESCED)
    )
    return session.scalar(query.limit(1)) is not None


def _apply(session: Session, store: Store, incoming: Incoming, received: datetime) -> None:
    document = incoming.document
    match document:
        case Inventory() | Health():
            _apply_snapshot(session, store, incoming, document)
        case Alert():
            _apply_alert(session, store, incoming.envelope.number, document)
        case Incident():
            _apply_incident(session, store, incoming.envelope.number, document)
        case Audit():
            _apply_anchor(session, store, document, received)


def _apply_snapshot(session: Session, store: Store, incoming: Incoming, document: Inventory | Health) -> None:
    envelope = incoming.envelope
    row = session.get(Snapshot, (store.id, envelope.kind))
    if row is not None and row.number > envelope.number:
        return
    if row is None:
        row = Snapshot(store_id=store.id, kind=envelope.kind)
        session.add(row)
    row.number, row.written_at, row.document = envelope.number, envelope.written_at, _plain_json(document)
    if isinstance(document, Inventory):
        store.persons, store.places = document.persons, document.places
        store.scanned_at = document.scanned_at
        store.sealed, store.exposed = document.sealed, document.exposed
        store.unread = document.coverage.unread + document.coverage.partial
        return
    store.tier = document.tier[:40]
    if document.audit is not None:
        _apply_anchor(session, store, document.audit, now())
    if document.open_alerts is not None:
        _close_alerts(session, store, envelope.number, document.open_alerts)


def _close_alerts(session: Session, store: Store, number: int, still_open: tuple[str, ...]) -> None:
    """Alerts told before this report that the store no longer counts as open are closed."""
    for row in session.scalars(
        select(StoredAlert).where(StoredAlert.store_id == store.id, StoredAlert.is_open, StoredAlert.number < number)
    ):
        if row.alert_id not in still_open:
            row.is_open, row.document = False, {**row.document, "open": False}
    session.flush()
    store.open_alerts = _count(session, StoredAlert.store_id, store.id, StoredAlert.is_open)


def _apply_alert(session: Session, store: Store, number: int, document: Alert) -> None:
    row = session.get(StoredAlert, (store.id, document.id))
    if row is not None and row.number > number:
        return
    if row is None:
        row = StoredAlert(store_id=store.id, alert_id=document.id)
        session.add(row)
    row.number, row.at, row.is_open, row.document = number, document.at, document.open, _plain_json(document)
    session.flush()
    store.open_alerts = _count(session, StoredAlert.store_id, store.id, StoredAlert.is_open)


def _apply_incident(session: Session, store: Store, number: int, document: Incident) -> None:
    row = session.get(StoredIncident, (store.id, document.id))
    if row is not None and row.number > number:
        return
    if row is None:
        row = StoredIncident(store_id=store.id, incident_id=document.id)
        session.add(row)
    row.number, row.phase, row.discovered_at = number, document.phase[:20], document.discovered_at
    row.kind = document.kind[:20]
    row.is_open, row.document = document.phase not in CLOSED, _plain_json(document)
    session.flush()
    store.open_incidents = _count(session, StoredIncident.store_id, store.id, StoredIncident.is_open)


def _count(session: Session, column: Any, store_id: str, is_open: Any) -> int:
    return session.scalar(select(func.count()).where(column == store_id, is_open)) or 0


def _apply_anchor(session: Session, store: Store, document: Audit, received: datetime) -> None:
    row = session.get(Anchor, (store.id, document.entries))
    if row is None:
        session.add(Anchor(store_id=store.id, entries=document.entries, head=document.head, received_at=received))
    elif row.head != document.head:
        note_fault(session, store.id, "audit", f"the record has another head at entry {document.entries}")


def _plain_json(document: Document) -> dict[str, Any]:
    return document.model_dump(mode="json")
