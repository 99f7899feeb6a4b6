"""Two machines that speak as one store.

Every start of a store's link gives itself a random name and sends it along. A new name takes over from the one before:
that is a restart. A name that speaks again after another has taken over is a second machine with the same key: a
restored image, a copied disk. Limit: which of the two is the store, head office cannot know; and a copy of a running
machine's memory has the same name, until one of the two starts anew.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from central.database.writer import Writer
from central.models import Instance
from central.moments import now
from central.stores.faults import Tally

NAME: Final = re.compile(r"[A-Za-z0-9_-]{8,40}")
RECHECK_SECONDS: Final = 30.0
MOST_KEPT: Final = 20
MOST_KNOWN: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class _Current:
    """The instance that took over last, and from where it spoke."""

    name: str
    address: str
    read_at: float


class Instances:
    """Notices clones. One process sees one at once; several that share a database within half a minute."""

    def __init__(self, sessions: sessionmaker[Session], writer: Writer, tally: Tally) -> None:
        self._sessions = sessions
        self._writer = writer
        self._tally = tally
        self._current: dict[str, _Current] = {}
        self._reading: asyncio.Future[None] | None = None

    async def heard(self, store_id: str, name: str, address: str) -> None:
        """An instance spoke for a store."""
        if not NAME.fullmatch(name):
            return
        if self._reading is None:
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read_all))
        if not self._reading.done():
            await asyncio.shield(self._reading)
        current = self._current.get(store_id)
        if current is None or current.read_at + RECHECK_SECONDS < time.monotonic():
            current = await asyncio.to_thread(self._read, store_id)
            self._keep(store_id, current)
        if current is not None and current.name == name:
            return
        took_over, current = await asyncio.wrap_future(
            self._writer.submit(lambda session: take_over(session, store_id, name, address))
        )
        self._keep(store_id, current)
        if not took_over:
            detail = f"{address} / {current.address}"
            await self._tally.note(store_id, "clone", detail, address)

    def _read_all(self) -> None:
        """Know all stores at once at the start: after a restart they come back together."""
        newest = (
            select(Instance.store_id, func.max(Instance.first_at).label("at")).group_by(Instance.store_id).subquery()
        )
        with self._sessions() as session:
            rows = session.execute(
                select(Instance.store_id, Instance.instance, Instance.address)
                .join(newest, (Instance.store_id == newest.c.store_id) & (Instance.first_at == newest.c.at))
                .limit(MOST_KNOWN // 2)
            ).all()
        moment = time.monotonic()
        for row in rows:
            self._current[row.store_id] = _Current(name=row.instance, address=row.address, read_at=moment)

    def _read(self, store_id: str) -> _Current | None:
        with self._sessions() as session:
            return _newest(session, store_id)

    def _keep(self, store_id: str, current: _Current | None) -> None:
        if current is not None:
            if len(self._current) >= MOST_KNOWN:
                self._current.clear()
            self._current[store_id] = current


def take_over(session: Session, store_id: str, name: str, address: str) -> tuple[bool, _Current]:
    """Let a new instance take over; False for one that another has taken over from. And which is current then."""
    rows = list(
        session.scalars(select(Instance).where(Instance.store_id == store_id).order_by(Instance.first_at.desc()))
    )
    moment = now()
    for place, row in enumerate(rows):
        if row.instance == name:
            row.last_at = moment
            newest = rows[0]
            return place == 0, _Current(name=newest.instance, address=newest.address, read_at=time.monotonic())
    for row in rows[MOST_KEPT - 1 :]:
        session.delete(row)
    session.add(Instance(store_id=store_id, instance=name, first_at=moment, last_at=moment, address=address[:60]))
    session.flush()
    return True, _Current(name=name, address=address, read_at=time.monotonic())


def _newest(session: Session, store_id: str) -> _Current | None:
    row = session.scalar(
        select(Instance).where(Instance.store_id == store_id).order_by(Instance.first_at.desc()).limit(1)
    )
    return _Current(name=row.instance, address=row.address, read_at=time.monotonic()) if row else None
