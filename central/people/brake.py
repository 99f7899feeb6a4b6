"""A brake on guessing: after some failures a name and an address wait, twice as long each time.

Kept in the database, so all instances count together. What was typed as a name is kept as a digest only: people type
passphrases into the wrong field. The longest wait is a quarter of an hour, because whoever knows a name can make it
wait: longer would be a way to lock the lead out on a bad day. It slows one guesser down, it does not stop a botnet;
the second factor does.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from central.models import Attempt
from central.moments import now

FREE: Final = {"name": 5, "address": 30, "second": 5, "invitation": 20}
"""Failures before the first wait."""
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
FORGOTTEN: Final = timedelta(hours=24)

Kind = Literal["name", "address", "second", "invitation"]


def subject(kind: Kind, text: str) -> str:
    """What failures are counted against."""
    return f"{kind}:{hashlib.sha256(text.strip().lower().encode(errors='replace')).hexdigest()[:32]}"


def wait_seconds(session: Session, *subjects: str) -> int:
    """Seconds that the longest of them has to wait; 0 to go on."""
    longest = 0
    for one in subjects:
        attempt = session.get(Attempt, one, populate_existing=True)
        over = attempt.count - FREE[one.partition(":")[0]] if attempt else -1
        if attempt is None or over < 0 or attempt.since + FORGOTTEN < now():
            continue
        wait = min(FIRST_WAIT * 2 ** min(over, 10), LONGEST_WAIT)
        longest = max(longest, int((attempt.since + wait - now()).total_seconds()) + 1)
    return max(longest, 0)


def note_failures(session: Session, *subjects: str) -> None:
    """Count one more failure against each."""
    moment = now()
    session.execute(delete(Attempt).where(Attempt.since < moment - FORGOTTEN))
    for one in subjects:
        counted = update(Attempt).where(Attempt.subject == one).values(count=Attempt.count + 1, since=moment)
        if session.execute(counted).rowcount == 0:  # type: ignore[attr-defined]  # an UPDATE's result has it
            session.add(Attempt(subject=one, count=1, since=moment))
            session.flush()


def forget_failures(session: Session, *subjects: str) -> None:
    """It was them after all."""
    session.execute(delete(Attempt).where(Attempt.subject.in_(subjects)))
