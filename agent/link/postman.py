"""Carry letters out and bring receipts back, in a thread of its own: a slow mail server must not delay head office.

A letter's name is sent once. Customers' notices go row by row at the rate of the settings, letters before them; each
row is written down before it is tried, so that after a crash nobody is told twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from agent.link.desk import Desk
from agent.link.letters import FULL, SENDERS
from agent.link.senders import WAYS
from agent.link.senders.outcome import Outcome, failed
from config.log import describe, get_logger
from config.messaging import SendersSettings

ROUND_SECONDS: Final = 0.5
ROWS_SECONDS: Final = 2.0  # rows of notices in one round, so that an order never waits longer behind them
TRY_SECONDS: Final = 60.0
MOST_STUCK: Final = 8
AWAY: Final = frozenset({"timeout", "unreachable", "tls"})
AWAY_SECONDS: Final = 15.0

log = get_logger("link")


class StuckError(Exception):
    """Too many tries hang in the system: the process starts anew."""


class Postman:
    """Sends what lies on the desk.

    Promise: every try has its receipt, and no try lasts longer than a minute whatever the other side does. Limit: a
    link that dies between a server's yes and the receipt has the letter sent again (mails then have one Message-ID).
    """

    def __init__(self, desk: Desk, *, seconds: float = TRY_SECONDS) -> None:
        """Work on a desk; a try is given up after `seconds`."""
        self._desk = desk
        self._seconds = seconds
        self._done: set[str] = set()
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._down: dict[str, float] = {}
        self._stuck: list[threading.Thread] = []
        self._senders: SendersSettings | None = None
        self._stamp: tuple[int, int] | None = None
        self._batch: _Part | None = None
        self._next_row = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until stopped.

        Raises:
            StuckError: see the class.
        """
        while not stop.is_set():
            self.round(stop)
            stop.wait(ROUND_SECONDS)

    def round(self, stop: threading.Event) -> None:
        """Send everything that lies here now, and as many rows as the rate allows.

        Raises:
            StuckError: see the class.
        """
        self._take_settings()
        self._write_receipts()
        if self._senders is None:
            return
        names = self._desk.letters()
        self._done.intersection_update([*names, *self._desk.batches()])
        for name in names:
            if stop.is_set():
                return
            if name not in self._done:
                self._letter(name)
        until = time.monotonic() + ROWS_SECONDS
        while not stop.is_set() and self._row() and self._next_row < until:
            stop.wait(max(self._next_row - time.monotonic(), 0.0))

    def _take_settings(self) -> None:
        stamp = self._desk.stamp(SENDERS)
        if stamp != self._stamp:
            self._stamp, self._senders = stamp, self._desk.senders()

    def _letter(self, name: str) -> None:
        """Try one letter, unless its server was away a moment ago: one that hangs must not keep the others waiting."""
        letter = self._desk.open(name)
        if letter is None or self._senders is None:
            return
        server = f"{letter.get('channel')} {letter.get('to') if letter.get('channel') == 'robot' else ''}"
        if time.monotonic() < self._down.get(server, 0.0):
            return
        outcome = self._try(self._senders, letter)
        if outcome.reason in AWAY:
            self._down[server] = time.monotonic() + AWAY_SECONDS
        self._unwritten[f"{name}.json"] = {
            "schema": "cloche.receipt/1", "id": name.partition(".")[0], "outcome": outcome.ending,
            "reason": outcome.reason, "detail": outcome.detail, "receipt": outcome.receipt,
        }  # fmt: skip
        self._done.add(name)
        self._write_receipts()

    def _write_receipts(self) -> None:
        """A disk that is full now may have room later: without its receipt a message counts as not sent."""
        for name, receipt in list(self._unwritten.items()):
            try:
                self._desk.write(name, receipt)
            except OSError as error:
                log.error("a receipt could not be written", error=describe(error))
                return
            del self._unwritten[name]

    def _row(self) -> bool:
        """The next row of a notice, if it is time for one; True where another may follow."""
        if self._senders is None or time.monotonic() < self._next_row or self._desk.waiting() > FULL:
            return False
        if self._batch is None:
            self._batch = self._open_part()
            if self._batch is None:
                return False
        self._next_row = time.monotonic() + 60.0 / self._senders.notice_per_minute
        part = self._batch
        try:
            if part.rows:
                part.note(self._desk)
                row = part.rows.pop(0)
                letter = {**row, "id": f"{part.name}-{row['number']}", "channel": part.channel, "use": "notice"}
                part.outcome(self._try(self._senders, letter))
            if not part.rows:
                part.end(self._desk)
                self._done.add(part.name)
                self._batch = None
        except OSError as error:  # without the note a crash could tell somebody twice: wait for the disk
            log.error("progress could not be written", error=describe(error))
            return False
        return True

    def _open_part(self) -> _Part | None:
        for name in self._desk.batches():
            document = None if name in self._done else self._desk.open(name)
            if document is not None:
                return _Part(name, str(document["channel"]), list(document["rows"]))
        return None

    def _try(self, senders: SendersSettings, letter: dict[str, Any]) -> Outcome:
        way = WAYS.get(str(letter.get("channel")))
        if way is None:
            return failed("not_configured")
        return self._within(lambda: way(senders).send(letter))

    def _within(self, work: Callable[[], Outcome]) -> Outcome:
        """Do it in a thread that is left behind when it takes too long: a resolver or a dripping server can hang."""
        found: list[Outcome] = []

        def carry_out() -> None:
            try:
                found.append(work())
            except Exception as error:  # noqa: BLE001  a defect in one way must not end the others; no words of it
                log.error("a sender broke", error=describe(error))
                found.append(failed("bad_answer", type(error).__name__))

        thread = threading.Thread(target=carry_out, name="try", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if found:
            return found[0]
        self._stuck = [*(other for other in self._stuck if other.is_alive()), thread]
        if len(self._stuck) >= MOST_STUCK:
            raise StuckError
        return failed("timeout")


class _Part:
    """A part of a notice on its way."""

    def __init__(self, name: str, channel: str, rows: list[dict[str, Any]]) -> None:
        self.name, self.channel, self.rows = name, channel, rows
        self.outcomes: list[list[Any]] = []
        self._written = 0

    def note(self, desk: Desk) -> None:
        """Write down that the next row begins, with the outcomes of those before.

        Raises:
            OSError: the disk refused it; the row must not be tried.
        """
        begun = [self.rows[0]["number"], "unknown", ""]
        self._write(desk, [*self.outcomes, begun], ended=False)
        self.outcomes.append(begun)

    def outcome(self, found: Outcome) -> None:
        """How the row ended. A time-out leaves open whether it went: it stays unknown."""
        ending = "unknown" if found.reason == "timeout" else "failed" if found.ending == "failed" else "sent"
        self.outcomes[-1] = [self.outcomes[-1][0], ending, found.reason]

    def end(self, desk: Desk) -> None:
        """Write down all outcomes.

        Raises:
            OSError: the disk refused it.
        """
        self._write(desk, self.outcomes, ended=True)

    def _write(self, desk: Desk, outcomes: list[list[Any]], *, ended: bool) -> None:
        self._written += 1
        desk.write(
            f"{self.name}.{self._written}.json",
            {"schema": "cloche.progress/1", "id": self.name, "outcomes": outcomes, "ended": ended},
        )
