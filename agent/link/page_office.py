"""Keeps the page as the settings have it: opens it, moves it, closes it; tries again where it could not be opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfoNotFoundError

from agent.link.desk import Desk
from agent.link.letters import PAGE
from agent.link.page import Counter
from agent.link.page_server import PageServer
from config.log import get_logger

AGAIN: Final = 30.0

log = get_logger("link")


class PageOffice:
    """One page at a time. A page that cannot be opened is logged once and tried again; the rest of the link goes on."""

    def __init__(self, desk: Desk, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Keep the page that the desk says; `now` is its clock, aware."""
        self._desk, self._now = desk, now
        self._stamp: tuple[int, int] | None = None
        self._server: PageServer | None = None
        self._wanted: dict[str, Any] | None = None
        self._again = 0.0
        self._said = ""

    @property
    def port(self) -> int | None:
        """Where the page is, if it is."""
        return self._server.port if self._server else None

    def keep(self) -> None:
        """Look whether the settings changed, and open what is wanted."""
        stamp = self._desk.stamp(PAGE)
        if stamp != self._stamp:
            self._stamp, self._wanted, self._again = stamp, self._desk.page(), 0.0
            self.close()
        if self._wanted is None or self._server is not None or time.monotonic() < self._again:
            return
        try:
            self._server = PageServer(self._wanted["page"], Counter(self._desk, self._wanted, self._now))
        except (OSError, ZoneInfoNotFoundError) as error:  # ssl.SSLError is an OSError
            self._again = time.monotonic() + AGAIN
            why = type(error).__name__ if not isinstance(error, OSError) else error.strerror or type(error).__name__
            if why != self._said:
                log.error("the page cannot be opened", listen=self._wanted["page"].listen, why=why)
            self._said = why
            return
        self._said = ""
        self._server.start()
        log.info("the page is open", listen=self._wanted["page"].listen)

    def close(self) -> None:
        """Close the page."""
        if self._server is not None:
            self._server.stop()
            self._server = None
