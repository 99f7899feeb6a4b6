"""Accounts at head office: who may come in, and browsers that are logged in.

A cookie is 32 random bytes of which the database holds only the digest. A login ends after half an hour without use,
after twelve hours in any case, and at once when the passphrase or the rights of its person change.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from central.models import Attempt, Grant, Login, Person
from central.moments import now
from central.people.brake import forget_failures, note_failures, subject, wait_seconds
from central.people.passphrases import (
    MIN_PASSPHRASE,
    check_passphrase,
    hash_passphrase,
    make_passphrase,
    passphrase_fits,
)  # fmt: skip
from central.people.record import note_act, plain
from config.numbering import fresh_letters
from config.schema import Role

__all__ = [
    "FRESH", "IDLE", "LOGIN_LASTS", "MIN_PASSPHRASE", "Attempt", "add_person", "begin_login", "check_passphrase",
    "cookie_digest", "end_login", "end_logins", "find_login", "hash_passphrase", "is_fresh", "make_passphrase",
    "note_failure", "passphrase_fits", "wait_before_login",
]  # fmt: skip

LOGIN_LASTS: Final = timedelta(hours=12)
IDLE: Final = timedelta(minutes=30)
FRESH: Final = timedelta(minutes=10)


def add_person(
    session: Session, login: str, passphrase: str, *, role: Role | None = None, must_change: bool = False
) -> Person:
    """Give somebody an account (with a role everywhere), or a new passphrase to one that is there; their logins end.

    Args:
        session: inside a transaction.
        login: name of the account.
        passphrase: at least 12 characters.
        role: held everywhere, for a new account.
        must_change: somebody else knows the passphrase: it is good for one login.

    Raises:
        UsageError: the passphrase is too short.
    """
    stored = hash_passphrase(passphrase)
    person = session.scalar(select(Person).where(Person.login == login))
    if person is None:
        person = Person(id=new_person_id(), name=login, login=login, passphrase=stored, made_at=now())
        session.add(person)
        session.flush()
        if role is not None:
            session.add(Grant(person_id=person.id, role=role, scope="all", scope_id="", since=now()))
    else:
        person.passphrase = stored
        end_logins(session, person.id)
    person.must_change = must_change
    note_act(session, "cloche-hq", "person.passphrase", login)
    return person


def new_person_id() -> str:
    """A name nobody has."""
    return f"p-{fresh_letters(12)}"


def wait_before_login(session: Session, officer: str, address: str) -> int:
    """Seconds that this name or address must wait; 0 to go on."""
    return wait_seconds(session, subject("name", officer), subject("address", address))


def note_failure(session: Session, officer: str, address: str) -> None:
    """Count a failed login against its name and its address. The record names accounts that exist, not what was
    typed."""
    note_failures(session, subject("name", officer), subject("address", address))
    known = session.scalar(select(Person.login).where(Person.login == officer))
    note_act(session, address, "login.failed", known or "unknown account")


def begin_login(
    session: Session,
    person: Person,
    address: str,
    agent: str = "",
    *,
    lasts: timedelta = LOGIN_LASTS,
    by_provider: bool = False,
) -> str:
    """The cookie of a new login; earlier failures of the name are forgotten. `by_provider`: the chain's identity
    provider has asked for a second factor."""
    cookie = secrets.token_urlsafe(32)
    session.execute(delete(Login).where(Login.expires_at < now()))
    forget_failures(session, subject("name", person.login or ""))
    session.add(
        Login(
            digest=cookie_digest(cookie), person_id=person.id, form_token=secrets.token_urlsafe(24), begun_at=now(),
            seen_at=now(), by_provider=by_provider, second_at=now() if by_provider else None,
            expires_at=now() + lasts, address=address[:60], agent=plain(agent, 120),
        )
    )  # fmt: skip
    note_act(session, person.id, "login", address)
    return cookie


def find_login(session: Session, cookie: str | None, idle: timedelta = IDLE) -> Login | None:
    """The login of a cookie, if it still holds."""
    login = session.get(Login, cookie_digest(cookie)) if cookie else None
    return login if login and login.expires_at > now() and login.seen_at + idle > now() else None


def is_fresh(login: Login) -> bool:
    """Whether this person has proved who they are within the last ten minutes, beyond being logged in."""
    return login.second_at is not None and login.second_at + FRESH > now()


def end_login(session: Session, digest: bytes) -> None:
    """Log a browser out."""
    session.execute(delete(Login).where(Login.digest == digest))


def end_logins(session: Session, person_id: str, *, but: bytes | None = None) -> int:
    """Log a person out everywhere (but in one browser); how many there were."""
    ending = delete(Login).where(Login.person_id == person_id)
    if but is not None:
        ending = ending.where(Login.digest != but)
    return int(session.execute(ending).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it


def note_second(session: Session, digest: bytes) -> None:
    """This browser's person has just proved who they are."""
    session.execute(update(Login).where(Login.digest == digest).values(second_at=now()))


def cookie_digest(cookie: str) -> bytes:
    """What the database knows of a cookie."""
    return hashlib.sha256(cookie.encode()).digest()
