"""Training and vendors of a store as rows, from its newest reports of them. A document that this version cannot read
(an older one wrote it) counts as nothing told: it must not hold up the others."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from central.documents import DocumentError, Training, Vendors
from central.models import Snapshot, TrainingFigures, VendorShare
from config.log import get_logger

log = get_logger("hq.summary")
Told = tuple[Training, datetime] | None


def read_training(session: Session, store_id: str) -> Told:
    """What a store told of training, and when."""
    row = session.execute(
        select(Snapshot.document, Snapshot.written_at).where(Snapshot.store_id == store_id, Snapshot.kind == "training")
    ).first()
    try:
        return (Training.model_validate(row[0]), row[1]) if row else None
    except DocumentError as error:
        log.warning("training cannot be read", store=store_id, field=str(error))
        return None


def keep_training(session: Session, store_id: str, told: Told) -> None:
    """Replace a store's figures of training."""
    session.execute(delete(TrainingFigures).where(TrainingFigures.store_id == store_id))
    if told is not None:
        training, at = told
        figures = {name: getattr(training, name) for name in ("staff", "done", "due", "overdue")}
        session.execute(insert(TrainingFigures), [{"store_id": store_id, "told_at": at, **figures}])


def read_vendors(session: Session, store_id: str) -> Vendors:
    """The vendors that a store told."""
    document = session.scalar(
        select(Snapshot.document).where(Snapshot.store_id == store_id, Snapshot.kind == "vendors")
    )
    try:
        return Vendors.model_validate(document) if document else Vendors()
    except DocumentError as error:
        log.warning("vendors cannot be read", store=store_id, field=str(error))
        return Vendors()


def keep_vendors(session: Session, store_id: str, told: Vendors) -> None:
    """Replace what a store shares with vendors; of two with one identifier the last counts."""
    session.execute(delete(VendorShare).where(VendorShare.store_id == store_id))
    rows = {
        vendor.id: {
            "store_id": store_id, "vendor_id": vendor.id, "name": vendor.name, "shared": vendor.shared,
            "persons": vendor.persons, "contract_until": vendor.contract_until, "window_open": vendor.window_open,
        }
        for vendor in told.vendors
    }  # fmt: skip
    if rows:
        session.execute(insert(VendorShare), list(rows.values()))
