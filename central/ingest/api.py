"""What stores report to: `/v1/reports` (docs/wire-v1.md). `central.stores.gate` has looked at their certificates."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from central.answers import answer, busy, other_wire, refusal
from central.database.writer import BusyError
from central.documents import DocumentError, read_report
from central.ingest.bodies import TooLargeError, read_body
from central.ingest.take import Incoming, take
from central.office import HeadOffice
from central.stores.faults import note_fault
from central.stores.tls import EXTENSION
from central.wire import (
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    HEADER_STORE,
    MAX_BODY,
    decode,
    digest,
    is_signed,
    report_message,
)  # fmt: skip

INLINE_BYTES: Final = 65_536


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

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/v1/reports", self.report, methods=["POST"]),
        ]

    async def report(self, request: Request) -> Response:
        """A signed report in; 200 once it is committed."""
        if other := other_wire(request):
            return other
        claim = Claim(
            store_id=request.headers.get(HEADER_STORE, "")[:40],
            number=request.headers.get(HEADER_NUMBER, ""),
            signature=request.headers.get(HEADER_SIGNATURE, ""),
        )
        public_key: bytes = request.scope["extensions"][EXTENSION]["public_key"]
        try:
            return await self._take(claim, public_key, await read_body(request, MAX_BODY))
        except TooLargeError:
            return await self._fault(claim.store_id, 413, "too_large")
        except ClientDisconnect:
            return refusal(400, "cut")
        except BusyError:
            return busy()

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
            return refusal(409, "conflict")
        return answer(200, {"schema": "cloche.accepted/1", "number": envelope.number, "outcome": outcome})

    async def _fault(self, store_id: str, status: int, kind: str, detail: str = "") -> Response:
        """Refuse, and count it in the name of the store."""
        future = self._office.writer.submit(lambda session: note_fault(session, store_id, kind, detail))
        await asyncio.wrap_future(future)
        return refusal(status, kind, detail)
