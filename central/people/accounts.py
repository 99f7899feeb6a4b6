"""People at head office: passphrases, browsers that are logged in, and a brake on guessing.

Argon2id with RFC 9106's second recommended parameters (3 passes, 4 lanes, 64 MiB). A cookie is 32 random bytes of
which the database holds only the digest. The brake counts failures of a name and of an address: it slows one guesser
down, it does not stop a botnet; a long passphrase does.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from central.models import Attempt, Grant, Login, Person
from central.moments import now
from central.people.record import note_act
from config.errors import UsageError
from config.schema import Role

MIN_PASSPHRASE: Final = 12
MAX_FAILURES: Final = 5
MAX_FAILURES_OF_ADDRESS: Final = 30
WINDOW: Final = timedelta(minutes=10)
LOGIN_LASTS: Final = timedelta(hours=12)
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"


def make_passphrase() -> str:
    """Five groups of four letters and digits: 99 bits, easily read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(5))


def hash_passphrase(passphrase: str) -> str:
    """The PHC string to store.

    Raises:
        UsageError: shorter than 12 characters.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"a passphrase needs {MIN_PASSPHRASE} characters")
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=3, lanes=4, memory_cost=65_536)
    return kdf.derive_phc_encoded(passphrase.encode())


def passphrase_fits(passphrase: str, stored: str | None) -> bool:
    """Whether this is it. Takes as long for an officer who does not exist (`stored` None): about 0.1 s."""
    if stored is None:
        hash_passphrase(passphrase.ljust(MIN_PASSPHRASE))
        return False
    try:
        Argon2id.verify_phc_encoded(passphrase.encode(), stored)
    except InvalidKey:
        return False
    return True


def add_person(session: Session, login: str, passphrase: str, *, role: Role | None = None) -> Person:
    """Give somebody an account (with a role everywhere), or a new passphrase to one that is there; their logins end."""
    stored = hash_passphrase(passphrase)
    person = session.scalar(select(Person).where(Person.login == login))
    if person is None:
        person = Person(id=f"p-{secrets.token_hex(6)}", name=login, login=login, passphrase=stored, made_at=now())
        session.add(person)
        session.flush()
        if role is not None:
            session.add(Grant(person_id=person.id, role=role, scope="all", scope_id="", since=now()))
    else:
        person.passphrase = stored
        session.execute(delete(Login).where(Login.person_id == person.id))
    note_act(session, "cloche-hq", "person.passphrase", login)
    return person


def wait_before_login(session: Session, officer: str, address: str) -> int:
    """Seconds that this name or address must wait; 0 to go on."""
    waits = [0]
    for subject, limit in ((f"officer:{officer}", MAX_FAILURES), (f"address:{address}", MAX_FAILURES_OF_ADDRESS)):
        attempt = session.get(Attempt, subject[:120])
        if attempt and attempt.count >= limit:
            waits.append(int((attempt.since + WINDOW - now()).total_seconds()))
    return max(waits)


def note_failure(session: Session, officer: str, address: str) -> None:
    """Count a failed login against its name and its address."""
    for subject in (f"officer:{officer}"[:120], f"address:{address}"[:120]):
        attempt = session.get(Attempt, subject)
        if attempt is None:
            session.add(Attempt(subject=subject, count=1, since=now()))
        elif attempt.since + WINDOW < now():
            attempt.count, attempt.since = 1, now()
        else:
            attempt.count += 1
    session.execute(delete(Attempt).where(Attempt.since < now() - 2 * WINDOW))
    note_act(session, address, "login.failed", officer)


def begin_login(session: Session, person: Person, address: str) -> str:
    """The cookie of a new login; earlier failures of the name are forgotten."""
    cookie = secrets.token_urlsafe(32)
    session.execute(delete(Login).where(Login.expires_at < now()))
    session.execute(delete(Attempt).where(Attempt.subject == f"officer:{person.login}"[:120]))
    session.add(
        Login(
            digest=cookie_digest(cookie), person_id=person.id, form_token=secrets.token_urlsafe(24), begun_at=now(),
            seen_at=now(), expires_at=now() + LOGIN_LASTS, address=address[:60],
        )
    )  # fmt: skip
    note_act(session, person.id, "login", address)
    return cookie


def find_login(session: Session, cookie: str | None) -> Login | None:
    """The login of a cookie, if it still holds."""
    login = session.get(Login, cookie_digest(cookie)) if cookie else None
    return login if login and login.expires_at > now() else None


def end_login(session: Session, digest: bytes) -> None:
    """Log a browser out."""
    session.execute(delete(Login).where(Login.digest == digest))


def cookie_digest(cookie: str) -> bytes:
    """What the database knows of a cookie."""
    return hashlib.sha256(cookie.encode()).digest()
