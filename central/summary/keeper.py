"""The thread that keeps the figures beside what stores told. Several processes may do so: what they make is the same.

Small pieces, because reports and pages wait for the same writer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session, sessionmaker

from central.database.writer import Writer
from central.moments import now
from central.summary.days import close_day, next_open_day
from central.summary.holdings import count_holdings, keep_holdings, stale
from config.errors import ClocheError
from config.log import describe, get_logger

EVERY: Final = 5.0
"""Seconds between two looks."""
STORES: Final = 20
"""Whose holdings are written in one piece."""
ROUNDS: Final = 25
"""Pieces in one look: 500 stores in five seconds."""
log = get_logger("hq.summary")


class Keeper:
    """Keeps holdings and closed days current; a failure is logged and tried again at the next look."""

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
        for _ in range(ROUNDS):
            if self._stop.is_set() or not self._keep_holdings():
                break
        while not self._stop.is_set():
            day = self._open_day()
            if day is None:
                break
            self._write(partial(close_day, day=day))

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            begun = time.monotonic()
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  the boundary of this thread: logged, and tried again
                if not isinstance(error, ClocheError):
                    log.error("figures could not be kept", error=describe(error))
            log.debug("looked", seconds=round(time.monotonic() - begun, 3))

    def _keep_holdings(self) -> bool:
        with self._sessions() as session:
            found = [
                (store_id, number, count_holdings(session, store_id)) for store_id, number in stale(session, STORES)
            ]
        return bool(found) and bool(self._write(lambda session: keep_holdings(session, found)))

    def _open_day(self) -> date | None:
        with self._sessions() as session:
            return next_open_day(session, now().astimezone(self._timezone).date())

    def _write(self, job: Callable[[Session], Any]) -> Any:
        return self._writer.submit(job).result()
