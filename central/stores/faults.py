"""Faults in what came in a store's name, counted by kind.

Somebody hostile can make one a thousand times a second: `Tally` writes the first at once and what follows once a
second, as a number. The record of acts gets an entry where a kind is new or had been quiet for an hour.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.database.writer import BusyError, Writer
from central.ingest.urgency import urgency
from central.models import Fault, Gap, Store
from central.moments import now
from central.people.record import note_act
from config.log import describe, get_logger

QUIET: Final = timedelta(hours=1)
FLUSH_SECONDS: Final = 1.0
MOST_STRANGERS: Final = 50

log = get_logger("hq.faults")


def note_fault(session: Session, store_id: str, kind: str, detail: str, *, count: int = 1, address: str = "") -> None:
    """Count a fault in what came in a store's name; with an `address` it goes into the record of acts as well."""
    fault = session.get(Fault, (store_id, kind))
    moment = now()
    is_news = fault is None or fault.settled_at is not None or fault.last_at + QUIET < moment
    if fault is None:
        fault = Fault(store_id=store_id, kind=kind, count=0, first_at=moment, last_at=moment, detail="")
        session.add(fault)
    fault.count += count
    fault.last_at, fault.settled_at = moment, None
    fault.detail = detail[:300]
    if address and is_news:
        note_act(session, address, f"fault.{kind}"[:40], detail, store_id=store_id)
    session.flush()
    store = session.get(Store, store_id)
    if store is not None and is_news:
        keep_faults(session, store)


def keep_faults(session: Session, store: Store) -> None:
    """Count a store's faults anew, and with them how much it needs somebody."""
    store.faults = count_faults(session, store.id)
    store.urgency = urgency(
        incidents=store.open_incidents, alerts=store.open_alerts, faults=store.faults, exposed=store.exposed,
        unread=store.unread, is_scanned=store.scanned_at is not None,
    )  # fmt: skip


def count_faults(session: Session, store_id: str) -> int:
    """Kinds of faults of a store that nobody has settled, and its gaps."""
    kinds = session.scalar(
        select(func.count()).select_from(Fault).where(Fault.store_id == store_id, Fault.settled_at.is_(None))
    )
    gaps = session.scalar(select(func.count()).select_from(Gap).where(Gap.store_id == store_id))
    return (kinds or 0) + (gaps or 0)


@dataclass(kw_only=True)
class _Pending:
    count: int
    detail: str
    address: str


class Tally:
    """Notes faults without ever keeping a request waiting behind a flood of them.

    Limit: what strangers without a certificate do in a store's name is noted at most 50 times a second in all.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._second, self._strangers = 0, 0

    async def note(self, store_id: str, kind: str, detail: str, address: str, *, is_stranger: bool = False) -> None:
        """Count one fault; on return it is committed, unless one of its kind was within the last second."""
        pending = self._pending.get((store_id, kind))
        if pending is not None:
            pending.count, pending.detail, pending.address = pending.count + 1, detail, address
            return
        if is_stranger and self._is_flood():
            return
        self._pending[store_id, kind] = _Pending(count=0, detail=detail, address=address)
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush, store_id, kind)
        try:
            await asyncio.wrap_future(
                self._writer.submit(lambda session: _count(session, store_id, kind, detail, 1, address))
            )
        except BusyError:
            log.warning("a fault could not be noted: the queue is full", store=store_id, kind=kind)

    def _flush(self, store_id: str, kind: str) -> None:
        pending = self._pending.pop((store_id, kind))
        if pending.count == 0:
            return
        self._pending[store_id, kind] = _Pending(count=0, detail=pending.detail, address=pending.address)
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush, store_id, kind)
        count, detail, address = pending.count, pending.detail, pending.address
        try:
            self._writer.submit(lambda session: _count(session, store_id, kind, detail, count, address))
        except BusyError as error:
            log.warning("faults could not be noted", store=store_id, kind=kind, count=count, error=describe(error))

    def _is_flood(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._strangers = second, 0
        self._strangers += 1
        return self._strangers > MOST_STRANGERS


def _count(session: Session, store_id: str, kind: str, detail: str, count: int, address: str) -> None:
    if session.get(Store, store_id) is not None:
        note_fault(session, store_id, kind, detail, count=count, address=address)
