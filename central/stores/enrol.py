"""Tokens, and what a store gets for one.

A token is `id.secret.pin`: the pin lets the store recognise this head office before it shows the secret. It works
once, for a limited time. The key is the identity: the same key is the same store. A token made for a store that is
there already lets a new key take over (a reinstalled machine): the old key and its certificates end, history and
numbers stay.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import AfterValidator, BaseModel, ConfigDict
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from central.documents import plain
from central.models import Store, StoreKey, Token
from central.moments import now
from central.people.record import note_act
from central.stores.authority import Authority
from central.stores.certificates import LASTS, issue, revoke_all
from central.wire import encode
from config.errors import RefusedError, UsageError
from config.numbering import fresh_letters


class Enrolment(BaseModel):
    """What a store sends: its token, its keys, the name it gives itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    token: str
    secret: str
    public_key: str
    csr: str
    name: Annotated[str, AfterValidator(lambda name: plain(name[:200]).strip())]


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """What it gets back."""

    store_id: str
    name: str
    next_number: int
    certificate_pem: str


@dataclass(frozen=True, kw_only=True)
class Issuing:
    """With what certificates are made."""

    authority: Authority
    lasts: timedelta = LASTS


@dataclass(frozen=True, kw_only=True)
class ForStore:
    """What a token says of the store that will use it."""

    name: str = ""
    store_id: str | None = None
    """Of a store that is there already: the key that comes takes over."""
    entity_id: str | None = None
    region_id: str | None = None


def make_token(
    session: Session, pin: bytes, *, store_name: str = "", lasts: timedelta, whom: ForStore | None = None,
    actor: str = "cloche-hq",
) -> tuple[str, Token]:  # fmt: skip
    """A new token, shown once, and its row.

    Raises:
        UsageError: it is meant for a store that does not exist.
        RefusedError: that store is revoked.
    """
    meant = whom or ForStore(name=store_name)
    if meant.store_id is not None:
        store = session.get(Store, meant.store_id)
        if store is None:
            raise UsageError(f"{meant.store_id}: no such store")
        if store.revoked_at is not None:
            raise RefusedError(f"{meant.store_id}: is revoked; `cloche-hq stores restore` first")
    secret = secrets.token_urlsafe(24)
    row = Token(
        id=secrets.token_hex(6), secret_digest=_digest(secret), store_name=meant.name[:200], store_id=meant.store_id,
        entity_id=meant.entity_id, region_id=meant.region_id, made_at=now(), expires_at=now() + lasts, used_at=None,
    )  # fmt: skip
    session.add(row)
    note_act(session, actor, "token.made", f"{row.id} {row.store_name}".strip(), store_id=meant.store_id)
    return f"{row.id}.{secret}.{encode(pin)}", row


def enrol(
    session: Session, enrolment: Enrolment, public_key: bytes, tls_key: EllipticCurvePublicKey, *, issuing: Issuing,
    address: str,
) -> Enrolled:  # fmt: skip
    """Use a token up.

    Raises:
        RefusedError: `token_unknown`, `token_used`, `token_expired`, `store_revoked`, or `key_taken` where the key is
            another store's; the message is one of those words.
    """
    token = session.scalar(select(Token).where(Token.id == enrolment.token[:40]).with_for_update())
    if token is None or not hmac.compare_digest(token.secret_digest, _digest(enrolment.secret)):
        raise RefusedError("token_unknown")
    if token.used_at is not None:
        raise RefusedError("token_used")
    if token.expires_at < now():
        raise RefusedError("token_expired")
    store = _find_store(session, token, public_key, enrolment.name, address)
    if token.store_name:
        store.name = token.store_name
    store.entity_id = token.entity_id or store.entity_id
    store.region_id = token.region_id or store.region_id
    token.used_at, token.store_id = now(), store.id
    session.flush()
    note_act(session, address, "store.enrolled", f"{store.id} {store.name}", store_id=store.id)
    certificate = issue(session, issuing.authority, tls_key, store.id, issuing.lasts)
    return Enrolled(store_id=store.id, name=store.name, next_number=store.last_number + 1, certificate_pem=certificate)


def _find_store(session: Session, token: Token, public_key: bytes, name: str, address: str) -> Store:
    """The store that this key is, takes over, or becomes."""
    known = session.scalar(select(Store).where(Store.public_key == public_key))
    if token.store_id is not None and (known is None or known.id == token.store_id):
        known = session.get(Store, token.store_id)
        if known is None:
            raise RefusedError("token_unknown")
    elif token.store_id is not None:
        raise RefusedError("key_taken")
    if known is None:
        if session.scalar(select(StoreKey.store_id).where(StoreKey.public_key == public_key).limit(1)):
            raise RefusedError("key_taken")
        known = Store(
            id=f"s-{fresh_letters(12)}", name=(token.store_name or name or token.id)[:200], made_at=now(),
        )  # fmt: skip
        session.add(known)
        session.flush()
    if known.revoked_at is not None:
        raise RefusedError("store_revoked")
    if known.public_key != public_key:
        _take_over(session, known, public_key, address)
    return known


def _take_over(session: Session, store: Store, public_key: bytes, address: str) -> None:
    """A new key is the store from now on."""
    moment = now()
    is_first = store.public_key is None
    session.execute(
        update(StoreKey)
        .where(StoreKey.store_id == store.id, StoreKey.until.is_(None))
        .values(until=moment, reason="replaced")
    )
    revoke_all(session, store.id)
    before = session.get(StoreKey, (store.id, public_key))
    if before is not None:
        before.since, before.until, before.reason = moment, None, "back"
    else:
        session.add(StoreKey(store_id=store.id, public_key=public_key, since=moment, until=None, reason=""))
    store.public_key, store.enrolled_at = public_key, moment
    session.flush()
    if not is_first:
        note_act(session, address, "store.key_replaced", f"{store.id} {store.name}", store_id=store.id)


def key_since(session: Session, store_id: str) -> datetime | None:
    """When a store's present key took over: a chain of reports that begins anew after it is no fault."""
    return session.scalar(
        select(StoreKey.since).where(StoreKey.store_id == store_id, StoreKey.until.is_(None)).limit(1)
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
