"""Send reports to head office, in order, until each has its answer.

An answer that never came leaves it open whether the report arrived: it is
sent again, and head office answers 200 to bytes that it has.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import httpx

from agent.link.bounded import Answered, ask
from agent.link.office import make_instance, open_client, word_of
from agent.link.settings import Enrolment
from agent.link.spool import LinkState, Report, Spool
from central.wire import HEADER_NUMBER, HEADER_SIGNATURE, encode
from config.log import get_logger

NEVER_TAKEN: Final = frozenset({409, 413, 422})
MAX_WAIT: Final = 3600.0

log = get_logger("link")


@dataclass(frozen=True, kw_only=True)
class Pause:
    """How long to wait before the next try; 0 when everything was sent."""

    seconds: float
    fault: str = ""
    is_away: bool = False
    """Nobody answered; where somebody did, the pause is what was asked for."""


class Sender:
    """Sends what waits, keeps count in `link.state`, and says how long to pause.

    Promise: a report is acknowledged only on head office's word that it is committed, or that it will never be taken
    (recorded as refused). Limit: after a crash the last report may be sent twice.
    """

    def __init__(
        self, spool: Spool, enrolment: Enrolment, *, instance: str = "", jitter: Callable[[], float] | None = None
    ) -> None:
        """Send what lies in `spool` to the head office of `enrolment`, as this `instance` of the link."""
        self._spool = spool
        self._enrolment = enrolment
        self._jitter = jitter or random.SystemRandom().random
        self._failures = 0
        self._seen: int | None = None  # when the folder had last changed as all of it had been sent
        self._state = spool.state()
        self._client = open_client(enrolment, instance or make_instance())

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def send_waiting(self, is_stopping: Callable[[], bool], beat: Callable[[], None]) -> Pause:
        """Send all that waits, or up to the first failure.

        Args:
            is_stopping: asked before each report.
            beat: called before each report, for a watchdog.
        """
        stamp, certain = self._spool.stamp()
        if stamp == self._seen:
            return Pause(seconds=0)
        for number, kind in self._spool.entries():
            if is_stopping():
                return Pause(seconds=0)
            beat()
            if number <= self._state.acknowledged:
                continue
            report = self._spool.read(number, kind)
            if report is None:
                continue
            pause = self._send(report)
            if pause is not None:
                return pause
        self._seen = stamp if certain else None
        return Pause(seconds=0)

    def _send(self, report: Report) -> Pause | None:
        """One report; None when it is dealt with for good."""
        headers = {
            HEADER_NUMBER: str(report.number), HEADER_SIGNATURE: encode(report.signature),
            "Content-Type": "application/json",
        }  # fmt: skip
        try:
            answer = ask(self._client, "POST", "/v1/reports", content=report.body, headers=headers)
        except (httpx.HTTPError, ssl.SSLError) as error:
            return replace(self._fail(f"{type(error).__name__}", 0.0), is_away=True)
        if answer.status == 200:
            self._acknowledge(report, refused=None)
            return None
        if answer.status in NEVER_TAKEN:
            log.error("report refused", number=report.number, kind=report.kind, status=answer.status)
            self._acknowledge(report, refused=answer.status)
            return None
        return self._fail(f"HTTP {answer.status} {word_of(answer)}".strip(), _retry_after(answer))

    def _acknowledge(self, report: Report, *, refused: int | None) -> None:
        self._failures = 0
        more = () if refused is None else ((report.number, refused),)
        self._write(
            replace(
                self._state, acknowledged=report.number, fault="", refused=(*self._state.refused, *more)[-200:],
                last_contact=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )  # fmt: skip

    def _fail(self, fault: str, asked: float) -> Pause:
        """Back off: doubled with each failure, somewhere in its upper half, and never before what was asked."""
        first, longest = self._enrolment.retry_seconds, self._enrolment.max_retry_seconds
        ceiling = min(longest, first * 2 ** min(self._failures, 30))
        self._failures += 1
        if fault != self._state.fault:
            log.warning("head office does not take reports", fault=fault, url=self._enrolment.url)
            self._write(replace(self._state, fault=fault))
        return Pause(seconds=max(asked, ceiling * (0.5 + self._jitter() / 2)), fault=fault)

    def _write(self, state: LinkState) -> None:
        self._spool.write_state(state)
        self._state = state


def _retry_after(answer: Answered) -> float:
    """Seconds that head office asks for (RFC 9110, section 10.2.3, the form in seconds), at most an hour."""
    value = answer.headers.get("Retry-After", "")
    return min(float(value), MAX_WAIT) if value.isdecimal() else 0.0
