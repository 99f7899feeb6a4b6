"""How stores become known: `/v1/ca`, `/v1/enrol`, `/v1/renew` (docs/wire-v1.md), which need no certificate."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from central.answers import answer, busy, other_wire, refusal
from central.database.writer import BusyError
from central.ingest.bodies import TooLargeError, read_body
from central.models import Certificate, Store
from central.moments import now
from central.office import HeadOffice
from central.people.record import note_act
from central.stores.certificates import issue, read_request
from central.stores.enrol import Enrolled, Enrolment, Issuing, enrol
from central.stores.faults import Tally, note_fault
from central.stores.guessing import note_guess, seconds_to_wait
from central.stores.tls import EXTENSION
from central.wire import (
    ENROL_SCHEMA,
    HEADER_SIGNATURE,
    HEADER_STORE,
    RENEW_SCHEMA,
    decode,
    enrol_message,
    is_signed,
    renew_message,
)  # fmt: skip
from config.errors import RefusedError, UsageError
from config.log import get_logger

MAX_ENROLMENT: Final = 16_384
MOST_RENEWALS: Final = 20
MOST_GUESSERS: Final = 10_000
RENEWALS_WITHIN: Final = timedelta(days=1)

log = get_logger("hq.stores")


class Renewal(BaseModel):
    """What a store sends for a new certificate."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    csr: str


@dataclass(frozen=True, kw_only=True)
class _Applicant:
    """A checked request to be enrolled."""

    enrolment: Enrolment
    public_key: bytes
    tls_key: EllipticCurvePublicKey
    address: str


@dataclass(frozen=True, kw_only=True)
class _Holder:
    """A request for a new certificate, its signature not checked yet; `serial` of the one it was shown with, or ''."""

    store_id: str
    body: bytes
    signature: bytes
    tls_key: EllipticCurvePublicKey
    address: str
    serial: str


class StoreApi:
    """Enrolment and renewal. Every answer carries `Cloche-Wire`; every error is JSON with a word for it."""

    def __init__(self, office: HeadOffice) -> None:
        self._office = office
        self._issuing = Issuing(authority=office.authority, lasts=office.certificate_lasts)
        self._tally = Tally(office.writer)
        self._guessers: dict[str, float] = {}

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v1/ca", self.authority, methods=["GET"]),
            Route("/v1/enrol", self.enrol, methods=["POST"]),
            Route("/v1/renew", self.renew, methods=["POST"]),
        ]

    async def authority(self, _request: Request) -> Response:
        """The authority's certificate: public, for a store to compare with its token's pin."""
        return PlainTextResponse(self._office.authority.pem, media_type="application/x-pem-file")

    async def enrol(self, request: Request) -> Response:
        """Token, keys and proof of possession in; identifier, certificate and what to trust out."""
        if other := other_wire(request):
            return other
        try:
            applicant = await self._read_applicant(request)
        except TooLargeError:
            return refusal(413, "too_large")
        except ClientDisconnect:
            return refusal(400, "cut")
        except UsageError as error:
            return refusal(422, "malformed", str(error))
        except (ValidationError, ValueError, RecursionError):
            return refusal(422, "malformed")
        except RefusedError as error:
            return refusal(401, str(error))
        if (wait := self._guessers.get(applicant.address, 0.0) - time.monotonic()) > 0:
            return busy(int(wait) + 1)
        trusted = await asyncio.to_thread(
            self._office.trusted
        )  # before the token is used: a damaged file costs no token
        try:
            enrolled = await self._write(partial(self._enrol, applicant))
        except BusyError:
            return busy()
        if isinstance(enrolled, int):
            if len(self._guessers) >= MOST_GUESSERS:
                self._guessers.clear()
            self._guessers[applicant.address] = time.monotonic() + enrolled
            return busy(enrolled)
        if isinstance(enrolled, str):
            log.warning("enrolment refused", token=applicant.enrolment.token[:12], reason=enrolled)
            return refusal(403, enrolled)
        log.info("store enrolled", store=enrolled.store_id)
        return answer(
            200,
            {
                "schema": ENROL_SCHEMA, "store": enrolled.store_id, "name": enrolled.name, "hq": self._office.name,
                "next_number": enrolled.next_number, "certificate": enrolled.certificate_pem,
                **trusted,
            },
        )  # fmt: skip

    async def renew(self, request: Request) -> Response:
        """A new certificate for the key that signs a store's reports, before the old one ends or after."""
        if other := other_wire(request):
            return other
        store_id = request.headers.get(HEADER_STORE, "")[:40]
        address = _address(request)
        shown: dict[str, Any] | None = request.scope.get("extensions", {}).get(EXTENSION)
        try:
            body = await read_body(request, MAX_ENROLMENT)
            signature = decode(request.headers.get(HEADER_SIGNATURE, ""))
            tls_key = read_request(Renewal.model_validate_json(body).csr)
            if shown is not None and shown["store"] != store_id:
                detail = f"/v1/renew {store_id!a} {address}"
                await self._tally.note(shown["store"], "wrong_store", detail, address)
                return refusal(401, "wrong_store")
            if word := await self._stop_stranger(store_id, body, signature, address):
                return refusal(401, word)
            applicant = _Holder(
                store_id=store_id, body=body, signature=signature, tls_key=tls_key, address=address,
                serial=shown["serial"] if shown else "",
            )  # fmt: skip
            word, pem = await self._write(partial(self._renew, applicant))
        except TooLargeError:
            return refusal(413, "too_large")
        except ClientDisconnect:
            return refusal(400, "cut")
        except BusyError:
            return busy()
        except UsageError as error:
            return refusal(422, "malformed", str(error))
        except (ValidationError, ValueError, RecursionError):
            return refusal(422, "malformed")
        if word:
            return busy(3600) if word == "busy" else refusal(403 if word == "store_revoked" else 401, word)
        return answer(200, {"schema": RENEW_SCHEMA, "certificate": pem})

    async def _read_applicant(self, request: Request) -> _Applicant:
        body = await read_body(request, MAX_ENROLMENT)
        enrolment = Enrolment.model_validate_json(body)
        public_key = decode(enrolment.public_key)
        signature = decode(request.headers.get(HEADER_SIGNATURE, ""))
        if not is_signed(public_key, enrol_message(self._office.authority.pin, body), signature):
            raise RefusedError("signature")
        return _Applicant(
            enrolment=enrolment, public_key=public_key, tls_key=read_request(enrolment.csr), address=_address(request)
        )

    def _enrol(self, applicant: _Applicant, session: Session) -> Enrolled | str | int:
        """Enrol; else the word of the refusal, which is recorded, or the seconds to wait."""
        address = applicant.address
        if wait := seconds_to_wait(session, address):
            return wait
        try:
            with session.begin_nested():
                return enrol(
                    session, applicant.enrolment, applicant.public_key, applicant.tls_key, issuing=self._issuing,
                    address=address,
                )  # fmt: skip
        except RefusedError as error:
            word = str(error)
        if word == "token_unknown":
            note_guess(session, address)
        named = "".join(sign for sign in applicant.enrolment.token[:12] if sign.isalnum())
        note_act(session, address, "enrol.refused", f"{word} {named}")
        return word

    def _renew(self, applicant: _Holder, session: Session) -> tuple[str, str]:
        """('', certificate), or the word for why not."""
        store_id, address = applicant.store_id, applicant.address
        store = session.get(Store, store_id)
        if store is None or store.public_key is None:
            return "unknown_store", ""
        word = ""
        if not is_signed(store.public_key, renew_message(applicant.body), applicant.signature):
            word = "signature"
        elif store.revoked_at is not None:
            word = "store_revoked"
        elif applicant.serial:
            row = session.get(Certificate, (store_id, applicant.serial))
            word = "certificate" if row is None else "revoked" if row.revoked_at is not None else ""
        if word:
            kind = word.removeprefix("store_")
            note_fault(session, store_id, kind, f"/v1/renew {address}", address=address)
            return word, ""
        recent = session.scalar(
            select(func.count())
            .select_from(Certificate)
            .where(Certificate.store_id == store_id, Certificate.issued_at > now() - RENEWALS_WITHIN)
        )
        if (recent or 0) >= MOST_RENEWALS:
            return "busy", ""
        pem = issue(session, self._issuing.authority, applicant.tls_key, store_id, self._issuing.lasts)
        how = "" if applicant.serial else "without a certificate"
        note_act(session, address, "certificate.renewed", how, store_id=store_id)
        return "", pem

    async def _stop_stranger(self, store_id: str, body: bytes, signature: bytes, address: str) -> str:
        """The word for a request that this store's key has not signed, or ''. No stranger makes the writer work."""
        public_key = await asyncio.to_thread(self._read_key, store_id)
        if public_key is None:
            return "unknown_store"
        if is_signed(public_key, renew_message(body), signature):
            return ""
        await self._tally.note(store_id, "signature", f"/v1/renew {address}", address, is_stranger=True)
        return "signature"

    def _read_key(self, store_id: str) -> bytes | None:
        with self._office.sessions() as session:
            return session.scalar(select(Store.public_key).where(Store.id == store_id))

    async def _write(self, job: Any) -> Any:
        return await asyncio.wrap_future(self._office.writer.submit(job))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
