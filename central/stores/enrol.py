"""Tokens, and what a store gets for one.

A token is `id.secret.pin`: the pin lets the store recognise this head office before it shows the secret. It works
once, for a limited time; the same store may be enrolled again with a new one and keeps its identifier, for the key
is the identity.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.documents import Line, Part
from central.models import Store, Token
from central.moments import now
from central.people.record import note_act
from central.wire import encode
from config.errors import RefusedError


class Enrolment(Part):
    """What a store sends: its token, its key, the name it gives itself."""

    token: str
    secret: str
    public_key: str
    name: Line


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """What it gets back."""

    store_id: str
    name: str
    next_number: int


def make_token(session: Session, pin: bytes, *, store_name: str, lasts: timedelta) -> tuple[str, Token]:
    """A new token, shown once, and its row."""
    secret = secrets.token_urlsafe(24)
    row = Token(
        id=secrets.token_hex(6), secret_digest=_digest(secret), store_name=store_name[:200], made_at=now(),
        expires_at=now() + lasts, used_at=None, store_id=None,
    )  # fmt: skip
    session.add(row)
    note_act(session, "cloche-hq", "token.made", f"{row.id} {row.store_name}".strip())
    return f"{row.id}.{secret}.{encode(pin)}", row


def enrol(session: Session, enrolment: Enrolment, public_key: bytes, address: str) -> Enrolled:
    """Use a token up.

    Raises:
        RefusedError: unknown, used or expired; the message is one of those words.
    """
    token = session.get(Token, enrolment.token[:40])
    if token is None or not hmac.compare_digest(token.secret_digest, _digest(enrolment.secret)):
        raise RefusedError("unknown")
    if token.used_at is not None:
        raise RefusedError("used")
    if token.expires_at < now():
        raise RefusedError("expired")
    store = session.scalar(select(Store).where(Store.public_key == public_key))
    if store is None:
        name = token.store_name or enrolment.name or token.id
        store = Store(
            id=f"s-{secrets.token_hex(6)}", name=name[:200], public_key=public_key, made_at=now(), enrolled_at=now(),
        )  # fmt: skip
        session.add(store)
    elif token.store_name:
        store.name = token.store_name
    token.used_at, token.store_id = now(), store.id
    note_act(session, address, "store.enrolled", f"{store.id} {store.name}")
    return Enrolled(store_id=store.id, name=store.name, next_number=store.last_number + 1)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
