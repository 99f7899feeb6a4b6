"""Who looked at what: kept for a second, then written together, because a write a page would cost more than the page.

A view is noted before the page is sent. The same person at the same page within a minute is one view (pages refresh
themselves). Nothing is lost at a normal stop; a process that is killed loses at most the last second's views. What
waits is bounded: with the database away for long, pages refuse instead of going unrecorded.
"""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from central.database.writer import BusyError, Writer
from central.models import ApiToken, Login, View
from central.moments import now
from central.people.record import note_act, plain, view_ids, view_rows_digest
from config.errors import ClocheError
from config.log import describe, get_logger

EVERY: Final = 1.0
SAME_VIEW: Final = 60.0
MOST_WAITING: Final = 20_000
SEEN_STEP: Final = timedelta(seconds=60)
log = get_logger("hq.views")


class ViewLog:
    """Gathers views, and which logins and tokens were used, and has the writer keep them."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._views: list[tuple[datetime, str, str]] = []
        self._logins: dict[bytes, datetime] = {}
        self._tokens: dict[str, datetime] = {}
        self._refusals: dict[tuple[str, str], int] = {}
        self._recent: dict[tuple[str, str], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hq-views", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, then stop; before the writer stops."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._flush()

    def note(self, person_id: str, path: str) -> None:
        """Somebody looks at a page.

        Raises:
            BusyError: too much waits to be written.
        """
        moment, key = time.monotonic(), (person_id, path)
        with self._lock:
            last = self._recent.get(key)
            if last is not None and moment - last < SAME_VIEW:
                return
            if len(self._views) >= MOST_WAITING:
                raise BusyError("views wait to be recorded")
            self._recent[key] = moment
            self._views.append((now(), person_id, plain(path, 300)))

    def seen(self, login: Login) -> None:
        """A browser was used: its idle time begins anew."""
        moment = now()
        if moment - login.seen_at >= SEEN_STEP:
            with self._lock:
                self._logins[login.digest] = moment

    def refused(self, person_id: str, path: str, why: str) -> None:
        """Somebody was refused something; refusals of one second at one place are one entry with their number."""
        key = (person_id, plain(f"{path} {why}", 280))
        with self._lock:
            if key in self._refusals or len(self._refusals) < MOST_WAITING:
                self._refusals[key] = self._refusals.get(key, 0) + 1

    def used(self, token_id: str) -> None:
        """A token was used."""
        with self._lock:
            self._tokens[token_id] = now()

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            views, self._views = self._views, []
            logins, self._logins = self._logins, {}
            tokens, self._tokens = self._tokens, {}
            refusals, self._refusals = self._refusals, {}
            edge = time.monotonic() - SAME_VIEW
            self._recent = {key: moment for key, moment in self._recent.items() if moment > edge}
        if not (views or logins or tokens or refusals):
            return

        def keep(session: Session) -> None:
            keep_views(session, views)
            keep_uses(session, logins, tokens)
            for (person_id, what), count in refusals.items():
                note_act(session, person_id, "refused", what if count == 1 else f"{what} ({count})")

        try:
            done: Future[Any] = self._writer.submit(keep)
            done.result()
        except Exception as error:  # noqa: BLE001  tried again at the next beat; nothing is dropped
            if not isinstance(error, ClocheError):
                log.error("views could not be kept", error=describe(error), waiting=len(views))
            with self._lock:
                self._views = views + self._views
                self._logins = logins | self._logins
                self._tokens = tokens | self._tokens
                self._refusals = refusals | self._refusals


def keep_views(session: Session, views: list[tuple[datetime, str, str]]) -> None:
    """Write views with one act over them."""
    if not views:
        return
    flush = f"v-{secrets.token_hex(8)}"
    ids = view_ids(flush, len(views))
    rows = [(one, at, who, path) for one, (at, who, path) in zip(ids, views, strict=True)]
    session.execute(
        insert(View), [{"id": one, "at": at, "person_id": who, "path": path} for one, at, who, path in rows]
    )
    note_act(session, "cloche-hq", "views", f"{flush} {len(rows)} {view_rows_digest(rows)}")


def keep_uses(session: Session, logins: dict[bytes, datetime], tokens: dict[str, datetime]) -> None:
    """Write when logins and tokens were last used."""
    for digest, moment in logins.items():
        session.execute(update(Login).where(Login.digest == digest, Login.seen_at < moment).values(seen_at=moment))
    for token_id, moment in tokens.items():
        session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=moment))
