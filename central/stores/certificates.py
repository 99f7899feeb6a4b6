"""Certificates of stores: given, and looked at with every request.

A certificate belongs to a store and to the key under which it asked. Once given it is known for good; what may change
is that it is revoked, and that is read for all stores at once, every second, so that a request costs no question to the
database. An authority that fell could sign a certificate of its own: one that is in no row here is refused as well.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from central.database.failures import DatabaseError
from central.models import Certificate, Store
from central.moments import now
from central.stores.authority import Authority
from config.errors import UsageError
from config.log import describe, get_logger

LASTS: Final = timedelta(days=90)
FRESH_SECONDS: Final = 1.0
STALE_SECONDS: Final = 15.0
MAX_REQUEST: Final = 4096
MOST_KNOWN: Final = 200_000
STORE: Final = re.compile(r"s-[0-9a-z]{12}")

Word = Literal["certificate", "certificate_expired", "revoked", "wrong_store", "database"]
log = get_logger("hq.certificates")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whom a certificate was given to: a store, under the raw Ed25519 key that signs its reports."""

    store_id: str
    public_key: bytes


def read_request(pem: str) -> EllipticCurvePublicKey:
    """The key of a certificate signing request (PKCS #10); everything else in it is ignored.

    Raises:
        UsageError: it is none, not signed by its own key, too long, or its key is not on P-256.
    """
    if len(pem) > MAX_REQUEST:
        raise UsageError("csr: too long")
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii"))
        key = request.public_key()
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise UsageError("csr: not a P-256 key")
        if not request.is_signature_valid:
            raise UsageError("csr: not signed by its own key")
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("csr: cannot be read") from error
    return key


def issue(
    session: Session, authority: Authority, key: EllipticCurvePublicKey, store_id: str, lasts: timedelta = LASTS
) -> str:
    """Give a store a certificate, and keep its serial number; the certificate in PEM."""
    certificate = authority.issue(key, store_id, lasts)
    session.add(
        Certificate(
            store_id=store_id, serial=f"{certificate.serial_number:x}", issued_at=now(),
            expires_at=certificate.not_valid_after_utc, revoked_at=None,
        )
    )  # fmt: skip
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def revoke_all(session: Session, store_id: str) -> None:
    """End all certificates of a store."""
    session.execute(
        update(Certificate)
        .where(Certificate.store_id == store_id, Certificate.revoked_at.is_(None))
        .values(revoked_at=now())
    )


class Certificates:
    """Answers for every request whose certificate it is and whether it still counts.

    Promise: a revocation in the database is known here within two seconds, whoever wrote it. Limit: while the
    database cannot be asked, the last answer counts for 15 seconds and then nobody is let in.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._known: dict[tuple[str, str], Holder] = {}
        self._revoked: frozenset[tuple[str, str]] = frozenset()
        self._read_at = -STALE_SECONDS
        self._reading: asyncio.Future[None] | None = None

    async def find(self, store_id: str, serial: str, ends: datetime) -> Holder | Word:
        """The holder of a certificate that our authority signed, or the word for why it does not count."""
        if ends <= now():
            return "certificate_expired"
        age = time.monotonic() - self._read_at
        if age > FRESH_SECONDS:
            await self.refresh()
            if time.monotonic() - self._read_at > STALE_SECONDS:
                return "database"
        if (store_id, serial) in self._revoked:
            return "revoked"
        holder = self._known.get((store_id, serial))
        if holder is None:
            holder = await asyncio.to_thread(self._read, store_id, serial)
            if holder is None:
                return "certificate"
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[store_id, serial] = holder
        return holder

    def is_revoked(self, store_id: str, serial: str) -> bool:
        """As last read: for requests that stay open."""
        return (store_id, serial) in self._revoked

    async def refresh(self) -> None:
        """Read which certificates are revoked; many who ask at once share one reading."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read_revoked))
            self._reading.add_done_callback(self._done_reading)
        await asyncio.shield(self._reading)

    def _done_reading(self, _future: asyncio.Future[None]) -> None:
        self._reading = None

    def _read_revoked(self) -> None:
        begun = time.monotonic()
        try:
            with self._sessions() as session:
                rows = session.execute(
                    select(Certificate.store_id, Certificate.serial).where(
                        Certificate.revoked_at.is_not(None), Certificate.expires_at > now()
                    )
                )
                self._revoked = frozenset((row.store_id, row.serial) for row in rows)
                if not self._known:
                    self._read_all(session)
        except (SQLAlchemyError, DatabaseError) as error:
            log.error("revocations cannot be read", error=describe(error))
            return
        self._read_at = begun

    def _read_all(self, session: Session) -> None:
        """Know all stores at once at the start: after a restart they come back together."""
        rows = session.execute(
            select(Certificate.store_id, Certificate.serial, Store.public_key)
            .join(Store, Certificate.store_id == Store.id)
            .where(Certificate.revoked_at.is_(None), Certificate.expires_at > now(), Store.public_key.is_not(None))
            .limit(MOST_KNOWN // 2)
        )
        self._known = {
            (row.store_id, row.serial): Holder(store_id=row.store_id, public_key=row.public_key) for row in rows
        }

    def _read(self, store_id: str, serial: str) -> Holder | None:
        with self._sessions() as session:
            row = session.execute(
                select(Store.public_key)
                .join(Certificate, Certificate.store_id == Store.id)
                .where(Store.id == store_id, Certificate.serial == serial)
            ).one_or_none()
        return Holder(store_id=store_id, public_key=row.public_key) if row and row.public_key else None
