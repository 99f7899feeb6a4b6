"""Invitations: how somebody takes over the account that was made for them, without anybody else knowing a passphrase.

A code is 32 random bytes, good once and for seven days; the database holds its digest. A newer one ends the older ones
of the same person.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from central.models import Invitation, Person
from central.moments import now
from central.people.record import note_act
from config.errors import RefusedError

LASTS: Final = timedelta(days=7)


def invite(session: Session, person: Person, *, by: str) -> str:
    """A new code for a person.

    Raises:
        RefusedError: they have left, or have no account.
    """
    if person.left_at is not None or person.login is None:
        raise RefusedError(f"{person.name}: no account to invite to")
    session.execute(delete(Invitation).where(Invitation.person_id == person.id, Invitation.used_at.is_(None)))
    code = secrets.token_urlsafe(32)
    session.add(
        Invitation(digest=_digest(code), person_id=person.id, made_at=now(), expires_at=now() + LASTS)
    )  # fmt: skip
    note_act(session, by, "person.invited", person.id)
    return code


def invited(session: Session, code: str) -> Person | None:
    """Whom a code that still holds is for."""
    row = session.get(Invitation, _digest(code)) if code else None
    if row is None or row.used_at is not None or row.expires_at <= now():
        return None
    person = session.get(Person, row.person_id)
    return person if person is not None and person.left_at is None and person.login is not None else None


def use_invitation(session: Session, code: str) -> Person | None:
    """Whom a code is for; it is used up, by one of several who try at once."""
    person = invited(session, code)
    using = (
        update(Invitation)
        .where(Invitation.digest == _digest(code), Invitation.used_at.is_(None), Invitation.expires_at > now())
        .values(used_at=now())
    )
    used = session.execute(using).rowcount == 1  # type: ignore[attr-defined]  # an UPDATE's result has it
    return person if used else None


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
