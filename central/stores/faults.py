"""Faults in what came in a store's name, counted by kind."""

from __future__ import annotations

from sqlalchemy.orm import Session

from central.models import Fault
from central.moments import now


def note_fault(session: Session, store_id: str, kind: str, detail: str) -> None:
    """Count a fault in what came in a store's name."""
    fault = session.get(Fault, (store_id, kind))
    if fault is None:
        fault = Fault(store_id=store_id, kind=kind, count=0, first_at=now(), last_at=now(), detail="")
        session.add(fault)
    fault.count += 1
    fault.last_at, fault.settled_at = now(), None
    fault.detail = detail[:300]
