"""A new certificate before the old one ends: a duty of the daemon's.

The dates in a certificate are head office's, and this machine's clock may be a year off; so what counts is how long
ago, by our own clock, it came, and how long it was to live then. A clock that was set back beyond that moment, and a
link that is told `certificate_expired`, mean: now. The old certificate stays good until its end, and a store whose
certificate ended still renews, for the request is signed by the store's own key.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.link.credentials import make_request, take
from agent.link.errands import answer, ask, is_waiting
from agent.link.settings import SETTINGS_FILE, Enrolment, read_enrolment
from central.wire import RENEW_SCHEMA
from config.log import get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

ERRAND: Final = "renew"
WAITING_KEY: Final = "tls.renew"
SHARE: Final = 2 / 3
SET_BACK: Final = timedelta(hours=1)
PAUSE: Final = timedelta(hours=1)
TOLD: Final = ("HTTP 401 certificate", "HTTP 401 certificate_expired")

log = get_logger("renewal")


def look_after(agent: Agent, now: datetime) -> None:
    """Take the new certificate if it came; ask for one if it is time.

    Raises:
        ClocheError: a file is damaged, or the disk refused it.
    """
    enrolment = read_enrolment(agent.home.outbox)
    if enrolment is None:
        return
    if is_waiting(agent, ERRAND):
        said = answer(agent, ERRAND)
        if said is not None:
            _take(agent, enrolment, said, now)
    elif is_due(enrolment, now, agent.outbox.link_state().fault) and not _asked_lately(agent, enrolment, now):
        waiting = agent.home.keys / WAITING_KEY
        ask(agent, ERRAND, "/v1/renew", {"schema": RENEW_SCHEMA, "csr": make_request(waiting)})


def is_due(enrolment: Enrolment, now: datetime, fault: str = "") -> bool:
    """Whether it is time for a new certificate; a store that enrolled before there were any needs one at once."""
    if not enrolment.certificate_pem or fault in TOLD:
        return True
    try:
        received = datetime.fromisoformat(enrolment.received_at)
    except ValueError:
        return True
    age = now - received
    return age < -SET_BACK or age.total_seconds() >= enrolment.certificate_seconds * SHARE


def _take(agent: Agent, enrolment: Enrolment, said: dict[str, object], now: datetime) -> None:
    if "error" in said:
        log.warning("head office gives no new certificate", word=str(said["error"])[:40])
        return
    waiting = agent.home.keys / WAITING_KEY
    try:
        fresh = take(waiting, str(said.get("certificate", "")), enrolment.authority_pem, enrolment.store)
    except ValueError as error:
        log.error("what came is no certificate for this store", why=str(error))
        return
    changed = replace(
        enrolment, certificate_pem=fresh.certificate_pem, key_pem=fresh.key_pem, certificate_seconds=fresh.seconds,
        received_at=now.isoformat(),
    )  # fmt: skip
    agent.outbox.place(SETTINGS_FILE, changed.encode())
    waiting.unlink(missing_ok=True)
    agent.audit.append("certificate.renewed", "cloche", store=enrolment.store)


def _asked_lately(agent: Agent, enrolment: Enrolment, now: datetime) -> bool:
    """A refusal is not asked about again for an hour, or a twentieth of a short life: the waiting key tells when."""
    try:
        asked = datetime.fromtimestamp((agent.home.keys / WAITING_KEY).stat().st_mtime, UTC)
    except OSError:
        return False
    short = timedelta(seconds=enrolment.certificate_seconds / 20) if enrolment.certificate_pem else PAUSE
    return timedelta(0) <= now - asked < min(PAUSE, short)
