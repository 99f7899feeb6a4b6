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
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from central.database.writer import Writer
from central.models import Instance
from central.moments import now
from central.stores.faults import Tally
from config.log import describe, get_logger

NAME: Final = re.compile(r"[A-Za-z0-9_-]{8,40}")
RECHECK_SECONDS: Final = 30.0
LATE: Final = timedelta(seconds=60)
"""How far back of that each look goes: clocks of machines differ, and a row shows when it is committed."""
MOST_KEPT: Final = 20
MOST_KNOWN: Final = 100_000

log = get_logger("hq.instances")


@dataclass(frozen=True, kw_only=True)
class _Current:
    """The instance that took over last, from where it spoke, and when it began."""

    name: str
    address: str
    at: datetime


class Instances:
    """Notices clones. One process sees one at once; several that share a database within half a minute."""

    def __init__(self, sessions: sessionmaker[Session], writer: Writer, tally: Tally) -> None:
        self._sessions = sessions
        self._writer = writer
        self._tally = tally
        self._current: dict[str, _Current] = {}
        self._read_at = 0.0
        self._first: asyncio.Task[None] | None = None
        self._later: asyncio.Task[None] | None = None

    async def heard(self, store_id: str, name: str, address: str) -> None:
        """An instance spoke for a store.

        Raises:
            BusyError: too much waits to be written.
            SQLAlchemyError: the database failed.
        """
        if not NAME.fullmatch(name):
            return
        if self._first is None:
            self._first = asyncio.create_task(self._read_all())
        if not self._first.done():
            await asyncio.shield(self._first)
        elif self._read_at + RECHECK_SECONDS < time.monotonic():
            self._read_at = time.monotonic()
            self._later = asyncio.create_task(self._read_news())  # beside the requests: a slow database holds none up
        current = self._current.get(store_id)
        if current is None:  # enrolled with another process
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

    async def _read_all(self) -> None:
        """Know all stores at once at the start: after a restart they come back together."""
        try:
            await self._read_since(None)
        except BaseException:
            self._first = None  # whoever comes next tries again
            raise

    async def _read_news(self) -> None:
        """What other processes heard since the last look: one question, however many stores there are."""
        try:
            await self._read_since(now() - timedelta(seconds=RECHECK_SECONDS) - LATE)
        except SQLAlchemyError as error:
            log.warning("who speaks elsewhere could not be read", error=describe(error))

    async def _read_since(self, since: datetime | None) -> None:
        found = await asyncio.to_thread(self._newest_of_each, since)
        for store_id, current in found.items():
            known = self._current.get(store_id)
            if known is None or known.at < current.at:
                self._keep(store_id, current)
        self._read_at = time.monotonic()

    def _newest_of_each(self, since: datetime | None) -> dict[str, _Current]:
        recent = select(Instance.store_id, Instance.instance, Instance.address, Instance.first_at)
        if since is not None:
            recent = recent.where(Instance.first_at > since)
        with self._sessions() as session:
            rows = session.execute(recent.order_by(Instance.first_at.desc()).limit(MOST_KNOWN)).all()
        found: dict[str, _Current] = {}
        for row in rows:
            found.setdefault(row.store_id, _Current(name=row.instance, address=row.address, at=row.first_at))
        return found

    def _read(self, store_id: str) -> _Current | None:
        with self._sessions() as session:
            row = session.scalar(
                select(Instance).where(Instance.store_id == store_id).order_by(Instance.first_at.desc()).limit(1)
            )
            return _Current(name=row.instance, address=row.address, at=row.first_at) if row else None

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
            return place == 0, _Current(name=newest.instance, address=newest.address, at=newest.first_at)
    for row in rows[MOST_KEPT - 1 :]:
        session.delete(row)
    session.add(Instance(store_id=store_id, instance=name, first_at=moment, last_at=moment, address=address[:60]))
    session.flush()
    return True, _Current(name=name, address=address, at=moment)
