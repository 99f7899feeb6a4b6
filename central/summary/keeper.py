"""The thread that keeps the figures beside what stores told. Several processes may do so: what they make is the same.

Small pieces, because reports and pages wait for the same writer.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.orm import Session, sessionmaker

from central.database.failures import LASTING, failure_of
from central.database.writer import Writer
from central.models import Catalogued, Snapshot
from central.moments import now
from central.summary.days import close_day, next_open_day
from central.summary.holdings import count_holdings, keep_holdings
from central.summary.standings import keep_training, keep_vendors, read_training, read_vendors
from config.errors import ClocheError
from config.log import describe, get_logger

EVERY: Final = 5.0
"""Seconds between two looks."""
STORES: Final = 20
"""That are written in one piece."""
ROUNDS: Final = 5
"""Pieces in one look: a hundred stores in five seconds, ten thousand in under ten minutes."""
BUSY: Final = 20
"""With more than so many waiting for the writer, reports and people go first."""
Read = Callable[[Session, str], Any]
Keep = Callable[[Session, str, Any], None]
KINDS: Final[dict[str, tuple[Read, Keep]]] = {
    "inventory": (count_holdings, keep_holdings),
    "training": (read_training, keep_training),
    "vendors": (read_vendors, keep_vendors),
}
"""By the kind of the report: what is read of a store, and how it is kept."""
log = get_logger("hq.summary")


def stale(session: Session, kind: str, most: int) -> list[tuple[str, int]]:
    """Stores whose report of a kind is newer than what is kept of it, with the report's number."""
    made = and_(Catalogued.store_id == Snapshot.store_id, Catalogued.kind == kind)
    found = session.execute(
        select(Snapshot.store_id, Snapshot.number)
        .outerjoin(Catalogued, made)
        .where(Snapshot.kind == kind, or_(Catalogued.number.is_(None), Catalogued.number != Snapshot.number))
        .limit(most)
    )
    return [(store_id, number) for store_id, number in found]


def keep(session: Session, kind: str, found: Sequence[tuple[str, int, Any]]) -> int:
    """Keep what was read of stores; one whose report has been replaced since is left for the next time.

    Returns:
        how many were kept.
    """
    done = 0
    for store_id, number, told in found:
        if session.scalar(select(Snapshot.number).filter_by(store_id=store_id, kind=kind)) != number:
            continue
        KINDS[kind][1](session, store_id, told)
        session.execute(delete(Catalogued).where(Catalogued.store_id == store_id, Catalogued.kind == kind))
        session.execute(insert(Catalogued), [{"store_id": store_id, "kind": kind, "number": number}])
        done += 1
    return done


class Keeper:
    """Keeps holdings, training, vendors and closed days current; what fails is logged and tried again a look later."""

    def __init__(self, sessions: sessionmaker[Session], writer: Writer, timezone: ZoneInfo) -> None:
        self._sessions = sessions
        self._writer = writer
        self._timezone = timezone
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hq-summary", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the piece at hand; before the writer stops."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Do what is to be done now."""
        for kind in KINDS:
            for _ in range(ROUNDS):
                if self._is_to_wait() or not self._keep(kind):
                    break
        while not self._is_to_wait():
            day = self._open_day()
            if day is None:
                break
            self._write(partial(close_day, day=day))

    def _is_to_wait(self) -> bool:
        return self._stop.is_set() or self._writer.waiting > BUSY

    def _run(self) -> None:
        while not self._stop.wait(EVERY * random.uniform(0.8, 1.2)):  # noqa: S311  processes are not to meet
            begun = time.monotonic()
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  the boundary of this thread: logged, and tried again
                failure = failure_of(error)
                if failure in LASTING:  # gone, full or locked: its own condition, and said by whoever waits for it
                    log.warning("figures wait for the database", failure=failure)
                elif not isinstance(error, ClocheError):
                    log.error("figures could not be kept", error=describe(error), failure=failure)
            log.debug("looked", seconds=round(time.monotonic() - begun, 3))

    def _keep(self, kind: str) -> bool:
        read = KINDS[kind][0]
        with self._sessions() as session:
            found = [(store_id, number, read(session, store_id)) for store_id, number in stale(session, kind, STORES)]
        return bool(found) and bool(self._write(lambda session: keep(session, kind, found)))

    def _open_day(self) -> date | None:
        with self._sessions() as session:
            return next_open_day(session, now().astimezone(self._timezone).date())

    def _write(self, job: Callable[[Session], Any]) -> Any:
        return self._writer.submit(job).result()
