"""A brake on guessing tokens: failures from an address, within a window.

A token's secret has 192 bits; what the brake saves is work and the record of acts, which names every refused token.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from central.models import Attempt
from central.moments import now

MOST: Final = 20
WINDOW: Final = timedelta(minutes=10)


def seconds_to_wait(session: Session, address: str) -> int:
    """How long this address has to wait before its next try; 0 for not at all."""
    attempt = session.get(Attempt, _subject(address))
    if attempt is None or attempt.count < MOST:
        return 0
    left = attempt.since + WINDOW - now()
    return max(0, int(left.total_seconds()) + 1) if left > timedelta(0) else 0


def note_guess(session: Session, address: str) -> None:
    """Count a failure."""
    attempt = session.get(Attempt, _subject(address))
    moment = now()
    if attempt is None:
        session.add(Attempt(subject=_subject(address), count=1, since=moment))
    elif attempt.since + WINDOW < moment:
        attempt.count, attempt.since = 1, moment
    else:
        attempt.count += 1
    session.flush()


def _subject(address: str) -> str:
    return f"enrol {address}"[:120]
