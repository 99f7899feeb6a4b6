"""The courier: finds news and delivers it, in a thread of its own with its own loop, beside the server's.

Several instances each have one. Looking for news is one instance's duty at a time; a delivery is claimed by whoever
is free. Nothing it does holds a request up, and no failure ends it.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from central.hooks.duties import take_duty
from central.hooks.news import find_news, forget_old_marks
from central.hooks.outbox import Try, claim, forget_old, has_baseline, keep_news, set_baseline, settle
from central.hooks.sending import send
from central.moments import now
from central.office import HeadOffice
from config.errors import ClocheError
from config.log import describe, get_logger

EVERY: Final = 2.0
TIDY_EVERY: Final = timedelta(hours=6)
PORTION: Final = 100
DUTY: Final = "news"
log = get_logger("hq.hooks")


class Courier:
    """See the module."""

    def __init__(self, office: HeadOffice) -> None:
        self._office = office
        self._holder = secrets.token_hex(8)
        self._since = now()
        self._tidied = now() - TIDY_EVERY
        self._trust = trust_of(office.settings.hooks.ca_file)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hq-courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Finish the tries under way (at most some seconds), then stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stop.is_set():
                try:
                    runner.run(self._beat())
                except (SQLAlchemyError, ClocheError) as error:
                    log.warning("news could not be looked for", error=describe(error))
                except Exception as error:  # noqa: BLE001  the boundary: the next beat begins anew
                    log.error("courier failed", error=describe(error))
                self._stop.wait(EVERY)

    async def _beat(self) -> None:
        moment = now()
        if self._write(lambda session: take_duty(session, DUTY, self._holder, moment) is not None):
            self._look(moment)
        while not self._stop.is_set():
            tries: list[Try] = self._write(lambda session: claim(session, now()))
            if not tries:
                return
            if not await self._all(tries):
                return

    def _look(self, moment: datetime) -> None:
        with self._office.sessions() as session:
            found = find_news(session, moment, self._since)
            is_first = not has_baseline(session)
        for start in range(0, len(found), PORTION):
            part = found[start : start + PORTION]
            self._write(lambda session, part=part: keep_news(session, part, moment))
        if is_first and not found:
            self._write(lambda session: set_baseline(session, moment))
        if moment - self._tidied >= TIDY_EVERY:
            self._tidied = moment
            self._write(lambda session: self._tidy(session, moment))

    @staticmethod
    def _tidy(session: Session, moment: datetime) -> None:
        forget_old_marks(session, moment)
        forget_old(session, moment)

    async def _all(self, tries: list[Try]) -> bool:
        """Try all of them at once; False, with the rest left for later, where head office stops meanwhile."""
        waiting = {asyncio.create_task(self._try(one)) for one in tries}
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=0.2)
            for task in done:
                task.result()
            if self._stop.is_set():
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
                return False
        return True

    async def _try(self, tried: Try) -> None:
        ending = await send(
            tried, self._office.secrets, self._trust, private=self._office.settings.hooks.private_addresses
        )
        self._write(
            lambda session: settle(
                session, tried, ending.outcome, now(), taken=ending.taken, gone=ending.gone
            )
        )  # fmt: skip

    def _write(self, job: Any) -> Any:
        return self._office.writer.submit(job).result(timeout=60)


def trust_of(ca_file: str) -> ssl.SSLContext:
    """Whom to believe: the machine's own authorities and, if it is set, one more.

    Raises:
        ClocheError: the file cannot be read as certificates.
    """
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=str(Path(ca_file)))
        except (OSError, ssl.SSLError) as error:
            raise ClocheError(f"{ca_file}: no certificate can be read from it") from error
    return context
