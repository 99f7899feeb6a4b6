"""API tokens: a program asks in somebody's name, and may never do more than they may, nor what a person must do.

A token is `clq_<id>_<secret>` with 32 random bytes; the database holds their SHA-256 (a random secret of that length
needs no slow hash). Read-only tokens look; tokens that write may not do what takes a person's word or a fresh second
factor: approving, releasing, purging, policy, and everything about people, stores and settings.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from sqlalchemy.orm import Session

from central.models import ApiToken, Person
from central.moments import now
from central.people.record import note_act, plain
from central.people.rights import ACTS, Act, Viewer, viewer_of
from config.errors import RefusedError, UsageError

LONGEST: Final = timedelta(days=366)
READS: Final[frozenset[Act]] = frozenset({"look", "export", "record"})
NEVER: Final[frozenset[Act]] = frozenset({"approve", "release", "purge", "policy", "people", "stores", "settings"})
_TOKEN: Final = re.compile(r"clq_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


def make_token(
    session: Session, person: Person, name: str, *, writes: bool = False, lasts: timedelta = timedelta(days=90)
) -> tuple[str, ApiToken]:
    """A new token, shown once, and its row.

    Raises:
        UsageError: no name, or it would last longer than a year or no time at all.
    """
    if not plain(name, 80).strip():
        raise UsageError("a token needs a name that says which program uses it")
    if not timedelta(0) < lasts <= LONGEST:
        raise UsageError(f"a token lasts between one and {LONGEST.days} days")
    identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = ApiToken(
        id=identifier, person_id=person.id, name=plain(name, 80).strip(), digest=_digest(secret), writes=writes,
        made_at=now(), expires_at=now() + lasts,
    )  # fmt: skip
    session.add(row)
    note_act(session, person.id, "token.made", f"{identifier} {row.name} {'writes' if writes else 'reads'}")
    return f"clq_{identifier}_{secret}", row


def find_token(session: Session, text: str) -> ApiToken | None:
    """The row of a token that holds now."""
    match = _TOKEN.fullmatch(text)
    row = session.get(ApiToken, match[1]) if match else None
    given = _digest(match[2]) if match else b""
    if row is None or not hmac.compare_digest(row.digest, given):
        return None
    return row if row.revoked_at is None and row.expires_at > now() else None


def person_of_token(session: Session, text: str, today: date | None = None) -> Viewer | None:
    """Who a token speaks for, with what it may do (`Viewer.limit`); None for one that does not hold."""
    row = find_token(session, text)
    person = session.get(Person, row.person_id) if row else None
    if row is None or person is None or person.left_at is not None:
        return None
    viewer = viewer_of(session, person, today or now().date())
    limit = frozenset(ACTS) - NEVER if row.writes else READS
    return replace(viewer, limit=limit, token_id=row.id)


def revoke_token(session: Session, person_id: str, token_id: str, *, by: str) -> None:
    """End a token of a person.

    Raises:
        RefusedError: they have none of this name.
    """
    row = session.get(ApiToken, token_id)
    if row is None or row.person_id != person_id:
        raise RefusedError("no such token")
    if row.revoked_at is None:
        row.revoked_at = now()
        note_act(session, by, "token.revoked", f"{token_id} {row.name}")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
