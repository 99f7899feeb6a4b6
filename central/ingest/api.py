"""What stores speak to: `/v1/ca`, `/v1/enrol`, `/v1/reports` (docs/wire-v1.md)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from central.database.writer import BusyError
from central.documents import DocumentError, read_report
from central.ingest.bodies import TooLargeError, read_body
from central.ingest.take import Incoming, take
from central.models import Store
from central.office import HeadOffice
from central.stores.enrol import Enrolment, enrol
from central.stores.faults import note_fault
from central.wire import (
    ENROL_SCHEMA,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    HEADER_STORE,
    HEADER_WIRE,
    MAX_BODY,
    WIRE,
    decode,
    digest,
    enrol_message,
    is_signed,
    report_message,
)  # fmt: skip
from config.errors import RefusedError
from config.identity import encode_public
from config.log import get_logger

MAX_ENROLMENT: Final = 16_384
RETRY_SECONDS: Final = 5
INLINE_BYTES: Final = 65_536

log = get_logger("hq.api")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who a report says it is from, by its headers."""

    store_id: str
    number: str
    signature: str


class Api:
    """Endpoints for stores. Every answer carries `Cloche-Wire`; every error is JSON with a word for it."""

    def __init__(self, office: HeadOffice) -> None:
        self._office = office
        self._keys: dict[str, bytes] = {}

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v1/ca", self.authority, methods=["GET"]),
            Route("/v1/enrol", self.enrol, methods=["POST"]),
            Route("/v1/reports", self.report, methods=["POST"]),
        ]

    async def authority(self, _request: Request) -> Response:
        """The authority's certificate: public, for a store to compare with its token's pin."""
        return PlainTextResponse(self._office.authority_pem, media_type="application/x-pem-file")

    async def enrol(self, request: Request) -> Response:
        """Token, key and proof of possession in; identifier and recipients out."""
        if refusal := _other_wire(request):
            return refusal
        try:
            body = await read_body(request, MAX_ENROLMENT)
            enrolment = Enrolment.model_validate_json(body)
            public_key = decode(enrolment.public_key)
            signature = decode(request.headers.get(HEADER_SIGNATURE, ""))
        except TooLargeError:
            return _error(413, "too_large")
        except (ValidationError, ValueError):
            return _error(422, "malformed")
        if not is_signed(public_key, enrol_message(self._office.pin, body), signature):
            return _error(401, "signature")
        address = request.client.host if request.client else ""
        recipients = self._office.recipients()  # before the token is used: a damaged file costs no token
        try:
            enrolled = await asyncio.wrap_future(
                self._office.writer.submit(lambda session: enrol(session, enrolment, public_key, address))
            )
        except RefusedError as error:
            log.warning("enrolment refused", token=enrolment.token[:40], reason=str(error), address=address)
            return _error(403, f"token_{error}")
        except BusyError:
            return _busy()
        log.info("store enrolled", store=enrolled.store_id)
        return _answer(
            200,
            {
                "schema": ENROL_SCHEMA, "store": enrolled.store_id, "name": enrolled.name,
                "next_number": enrolled.next_number, "hq": self._office.name,
                "recovery": encode_public(recipients.recovery) if recipients.recovery else None,
                "hq_key": encode_public(recipients.hq) if recipients.hq else None,
            },
        )  # fmt: skip

    async def report(self, request: Request) -> Response:
        """A signed report in; 200 once it is committed."""
        if refusal := _other_wire(request):
            return refusal
        claim = Claim(
            store_id=request.headers.get(HEADER_STORE, "")[:40],
            number=request.headers.get(HEADER_NUMBER, ""),
            signature=request.headers.get(HEADER_SIGNATURE, ""),
        )
        public_key = await self._public_key(claim.store_id)
        if public_key is None:
            return _error(401, "unknown_store")
        try:
            return await self._take(claim, public_key, await read_body(request, MAX_BODY))
        except TooLargeError:
            return await self._fault(claim.store_id, 413, "too_large")
        except ClientDisconnect:
            return _error(400, "cut")
        except BusyError:
            return _busy()

    async def _take(self, claim: Claim, public_key: bytes, body: bytes) -> Response:
        try:
            signature = decode(claim.signature)
        except ValueError:
            signature = b""
        if not is_signed(public_key, report_message(body), signature):
            return await self._fault(claim.store_id, 401, "signature")
        try:
            if len(body) > INLINE_BYTES:
                envelope, document = await asyncio.to_thread(read_report, body)
            else:
                envelope, document = read_report(body)
        except DocumentError as error:
            return await self._fault(claim.store_id, 422, "malformed", str(error))
        if claim.number != str(envelope.number):
            return await self._fault(claim.store_id, 422, "malformed", "number")
        incoming = Incoming(
            store_id=claim.store_id, digest=digest(body), size=len(body), envelope=envelope, document=document
        )
        future = self._office.writer.submit(lambda session: take(session, incoming))
        outcome = await asyncio.wrap_future(future)
        if outcome == "conflict":
            return _error(409, "conflict")
        return _answer(200, {"schema": "cloche.accepted/1", "number": envelope.number, "outcome": outcome})

    async def _public_key(self, store_id: str) -> bytes | None:
        """A store's key; kept in memory, for it never changes."""
        if store_id not in self._keys:
            key = await asyncio.to_thread(self._read_key, store_id)
            if key is None:
                return None
            self._keys[store_id] = key
        return self._keys[store_id]

    def _read_key(self, store_id: str) -> bytes | None:
        with self._office.sessions() as session:
            store = session.get(Store, store_id)
            return store.public_key if store else None

    async def _fault(self, store_id: str, status: int, kind: str, detail: str = "") -> Response:
        """Refuse, and count it in the name of the store."""
        future = self._office.writer.submit(lambda session: note_fault(session, store_id, kind, detail))
        await asyncio.wrap_future(future)
        return _error(status, kind, detail)


def _other_wire(request: Request) -> Response | None:
    if request.headers.get(HEADER_WIRE) == str(WIRE):
        return None
    return _answer(400, {"error": "wire", "supported": [WIRE]})


def _answer(status: int, document: dict[str, Any]) -> Response:
    return JSONResponse(document, status_code=status, headers={HEADER_WIRE: str(WIRE)})


def _error(status: int, word: str, detail: str = "") -> Response:
    return _answer(status, {"error": word, "detail": detail} if detail else {"error": word})


def _busy() -> Response:
    response = _error(429, "busy")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
