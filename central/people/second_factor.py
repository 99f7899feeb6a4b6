"""The second factor: time-based codes of an authenticator app (RFC 6238), and recovery codes for a lost telephone.

A code is good for its own step of 30 s and the ones beside it (telephones' clocks), and once: a step that was used is
never taken again (section 5.2), in whichever instance. The secret is encrypted in the database, recovery codes are
there as keyed digests.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
import re
import secrets as random
import time
from typing import Final, Literal

import pyotp
import segno
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from central.models import Person, RecoveryCode
from central.moments import now
from central.people.passphrases import LETTERS
from central.people.record import read_fact
from central.people.rights import ACTS_OF_ROLE, Viewer
from central.people.secrets import Secrets
from config.errors import CorruptError, UsageError

STEP: Final = 30
CODES: Final = 10
ENROLMENT_LASTS: Final = 900
Policy = Literal["required", "offered"]
POLICIES: Final[tuple[Policy, ...]] = ("required", "offered")
DEMANDING: Final = frozenset({"declare", "purge", "people"})
"""Whoever may do one of these needs a second factor where the policy is `required`."""


def policy_of(session: Session) -> Policy:
    """This head office's policy."""
    return "offered" if read_fact(session, "second_factor", "required") == "offered" else "required"


def needs_second_factor(viewer: Viewer, policy: Policy) -> bool:
    """Whether this person has to have one."""
    return policy == "required" and any(DEMANDING & ACTS_OF_ROLE[right.role] for right in viewer.rights)


def new_enrolment(secrets: Secrets, person: Person) -> str:
    """A new secret, sealed for the person's browser to hand back with a first code within 15 minutes."""
    told = json.dumps([pyotp.random_base32(), int(time.time())]).encode()
    return base64.urlsafe_b64encode(secrets.encrypt(told, f"totp-enrolment {person.id}")).decode("ascii")


def open_enrolment(secrets: Secrets, person: Person, sealed: str) -> str:
    """The secret of `new_enrolment`, base 32.

    Raises:
        UsageError: it is not this person's, or too old.
    """
    try:
        told = secrets.decrypt(base64.urlsafe_b64decode(sealed.encode()), f"totp-enrolment {person.id}")
    except (CorruptError, ValueError) as error:
        raise UsageError("this page is stale: begin again") from error
    secret, at = json.loads(told)
    if at + ENROLMENT_LASTS < time.time():
        raise UsageError("this page is stale: begin again")
    return str(secret)


def picture_of(secret: str, account: str, office: str) -> bytes:
    """The QR code that authenticator apps read, as SVG."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=f"Cloche {office}")
    buffer = io.BytesIO()
    segno.make(uri, error="m").save(buffer, kind="svg", scale=5, border=4, light="#fff", dark="#000")
    return buffer.getvalue()


def begin_using(session: Session, secrets: Secrets, person: Person, secret: str, code: str) -> list[str]:
    """Keep a secret once its first code fits; the recovery codes, shown once.

    Raises:
        UsageError: the code does not fit.
    """
    step = fitting_step(secret, code, 0)
    if step is None:
        raise UsageError("this code does not fit: is the telephone's clock right?")
    person.totp = secrets.encrypt(secret.encode(), f"totp {person.id}")
    person.totp_step = step
    return new_recovery_codes(session, secrets, person)


def code_fits(session: Session, secrets: Secrets, person: Person, typed: str) -> bool:
    """Whether a code or recovery code is right; it is used up by that."""
    if person.totp is None:
        return False
    compact = re.sub(r"[\s-]", "", typed).lower()
    if not re.fullmatch(r"[0-9]{6}", compact):
        return _use_recovery_code(session, secrets, person, compact)
    secret = secrets.decrypt(person.totp, f"totp {person.id}").decode("ascii")
    step = fitting_step(secret, compact, person.totp_step)
    if step is None:
        return False
    taken = update(Person).where(Person.id == person.id, Person.totp_step < step).values(totp_step=step)
    return bool(session.execute(taken).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def fitting_step(secret: str, code: str, last: int) -> int | None:
    """The time step that a code belongs to: now or one beside it, after the last one used."""
    generator, present = pyotp.TOTP(secret), int(now().timestamp()) // STEP
    for step in (present, present - 1, present + 1):
        if step > last and hmac.compare_digest(generator.generate_otp(step), re.sub(r"\s", "", code)):
            return step
    return None


def new_recovery_codes(session: Session, secrets: Secrets, person: Person) -> list[str]:
    """Ten one-use codes in place of all earlier ones."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    codes = ["-".join("".join(random.choice(LETTERS) for _ in range(4)) for _ in range(3)) for _ in range(CODES)]
    session.add_all(
        RecoveryCode(person_id=person.id, digest=_mark(secrets, person, code.replace("-", ""))) for code in codes
    )
    return codes


def recovery_codes_left(session: Session, person: Person) -> int:
    """How many are unused."""
    unused = select(func.count()).where(RecoveryCode.person_id == person.id, RecoveryCode.used_at.is_(None))
    return session.scalar(unused) or 0


def stop_using(session: Session, person: Person) -> None:
    """Take the second factor away."""
    person.totp, person.totp_step = None, 0
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))


def _use_recovery_code(session: Session, secrets: Secrets, person: Person, compact: str) -> bool:
    using = (
        update(RecoveryCode)
        .where(
            RecoveryCode.person_id == person.id,
            RecoveryCode.digest == _mark(secrets, person, compact),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now())
    )
    return bool(session.execute(using).rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has it


def _mark(secrets: Secrets, person: Person, compact: str) -> bytes:
    return hmac.digest(secrets.key, f"recovery {person.id} {compact}".encode(), "sha256")
