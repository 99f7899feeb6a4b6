"""What was wrong with what came in a store's name: what it means, what to do, and settling it with a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from central.models import Fault, Gap, Store
from central.moments import now
from central.pages.doors import Fields, Visit
from central.stores.faults import keep_faults
from config.text import load_packs

MAX_NOTE: Final = 200
OTHER: Final = "other"


@dataclass(frozen=True, kw_only=True)
class ExplainedFault:
    """A fault with the key of what is said about it."""

    fault: Fault
    key: str
    """`hq_pages.fault_means_KEY` and `hq_pages.fault_do_KEY`."""


def faults_of(session: Session, store_id: str) -> list[ExplainedFault]:
    """Faults that nobody has settled, the newest first."""
    rows = session.scalars(
        select(Fault).where(Fault.store_id == store_id, Fault.settled_at.is_(None)).order_by(Fault.last_at.desc())
    )
    packs = load_packs()
    return [
        ExplainedFault(fault=row, key=row.kind if f"hq_pages.fault_means_{row.kind}" in packs else OTHER)
        for row in rows
    ]


def settle_fault(visit: Visit, fields: Fields) -> str:
    """Somebody looked into it; the note is on record. It opens again when it happens again.

    Raises:
        HTTPException: 404, there is no such fault.
        UsageError: no note, or not confirmed.
    """
    store = visit.store("stores")
    fields.text("confirmed")
    note = fields.text("note", most=MAX_NOTE)
    fault = visit.session.get(Fault, (store.id, visit.request.path_params["kind"]))
    if fault is None:
        raise HTTPException(404)
    if fault.settled_at is None:
        fault.settled_at = now()
        _count_anew(visit.session, store)
        visit.note("fault.settled", f"{fault.kind} x{fault.count}: {note}", store_id=store.id)
    return f"/stores/{store.id}#faults"


def settle_gaps(visit: Visit, fields: Fields) -> str:
    """Somebody knows why these reports will not come; should they come after all, they are taken.

    Raises:
        UsageError: no note, or not confirmed.
    """
    store = visit.store("stores")
    fields.text("confirmed")
    note = fields.text("note", most=MAX_NOTE)
    numbers = list(visit.session.scalars(select(Gap.number).where(Gap.store_id == store.id).order_by(Gap.number)))
    if numbers:
        visit.session.execute(delete(Gap).where(Gap.store_id == store.id))
        _count_anew(visit.session, store)
        named = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        visit.note("gaps.settled", f"{len(numbers)} ({named}): {note}", store_id=store.id)
    return f"/stores/{store.id}#faults"


def _count_anew(session: Session, store: Store) -> None:
    session.flush()
    keep_faults(session, store)
    session.flush()
