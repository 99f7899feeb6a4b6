"""What stores report to: `/v1/reports` (docs/wire-v1.md). `central.stores.gate` has looked at their certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from central.answers import answer, busy, refusal, retry_later
from central.database.failures import DatabaseError
from central.database.writer import BusyError
from central.documents import DocumentError
from central.ingest.batch import Incoming
from central.ingest.bodies import CutError, TooLargeError, read_pieces
from central.ingest.take import read_incoming
from central.office import HeadOffice
from central.persons.take import Opener, is_persons
from central.stores.faults import Tally
from central.stores.tls import EXTENSION, SLOW
from central.wire import (
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    HEADER_WIRE,
    MAX_BODY,
    WIRE,
    decode,
    report_message,
)  # fmt: skip
from config.log import get_logger

INLINE_BYTES: Final = 262_144
"""A larger body is checked in a thread: 256 KiB take 3 ms, in which nobody else would be served."""
HELD_BYTES: Final = 96 << 20
"""Of bodies that are being read or wait to be written: beyond it, head office is busy."""
AT_ONCE: Final = 200
"""Reports that are read, checked and wait to be written at once: a transaction's worth. The others wait unread, in the
kernel's few bytes: 2,000 stores may come back in one second, and what is being checked takes four times its size."""
READ_SECONDS: Final = 30.0
"""For a body, once it is its turn: who drips holds a place that others wait for."""
PATIENCE_SECONDS: Final = 40.0
_WIRE: Final = HEADER_WIRE.lower().encode()
_NUMBER: Final = HEADER_NUMBER.lower().encode()
_SIGNATURE: Final = HEADER_SIGNATURE.lower().encode()
_THIS: Final = str(WIRE).encode()

log = get_logger("hq.ingest")


class Api:
    """The path that reports come to."""

    def __init__(self, office: HeadOffice) -> None:
        self._reports = Reports(office)

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [Route("/v1/reports", self._reports, methods=["POST"])]


class Reports:
    """A signed report in; 200 once it is committed.

    Every answer carries `Cloche-Wire`; every error is JSON with a word for it. While the database is gone, full or slow
    it is 503 with `Retry-After`, and 429 while more waits than head office will hold: the store keeps the report.
    """

    def __init__(self, office: HeadOffice) -> None:
        self._writer = office.writer
        self._tally = Tally(office.writer)
        self._persons = Opener(office.trusted.home)
        self._keys: dict[bytes, Ed25519PublicKey] = {}
        self._held = 0
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            response: ASGIApp = await self._answer(scope, receive)
        except BusyError:
            response = busy()
        except DatabaseError as error:
            response = retry_later("database", error.failure)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        if headers.get(_WIRE) != _THIS:
            return answer(400, {"error": "wire", "supported": [WIRE]})
        store_id: str = scope["extensions"][EXTENSION]["store"]
        address = scope["client"][0] if scope.get("client") else ""
        pieces: list[bytes] = []
        held = 0
        try:
            async with self._slots:
                async with asyncio.timeout(READ_SECONDS):
                    async for piece in read_pieces(headers, receive, MAX_BODY):
                        if self._held + len(piece) > HELD_BYTES:
                            return busy()
                        self._held += len(piece)
                        held += len(piece)
                        pieces.append(piece)
                body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces.clear()
                incoming = await self._check(scope, headers, body, address)
                del body  # what waits to be written needs it no longer
                return incoming if isinstance(incoming, Response) else await self._take(incoming)
        except TimeoutError:
            await self._tally.note(store_id, "slow", "", address)
            return retry_later("slow")
        except TooLargeError:
            await self._tally.note(store_id, "too_large", "", address)
            return refusal(413, "too_large")
        except CutError:
            if scope["extensions"].get(SLOW):
                await self._tally.note(store_id, "slow", "", address)
            return refusal(400, "cut")
        finally:
            self._held -= held

    async def _check(
        self, scope: Scope, headers: Mapping[bytes, bytes], body: bytes, address: str
    ) -> Incoming | Response:
        """The report in a body, ready to be written, or what is answered to one that is none."""
        store_id: str = scope["extensions"][EXTENSION]["store"]
        public_key: bytes = scope["extensions"][EXTENSION]["public_key"]
        if not self._is_signed(public_key, body, headers.get(_SIGNATURE, b"")):
            await self._tally.note(store_id, "signature", "", address)
            return refusal(401, "signature")
        try:
            is_large = len(body) > INLINE_BYTES
            incoming = (
                await asyncio.to_thread(read_incoming, store_id, body, address)
                if is_large
                else read_incoming(store_id, body, address)
            )
        except DocumentError as error:
            return await self._malformed(store_id, str(error), address)
        if headers.get(_NUMBER, b"") != b"%d" % incoming.envelope.number:
            return await self._malformed(store_id, "number", address)
        if is_persons(incoming.document):
            opened = await asyncio.to_thread(self._persons.open, store_id, incoming.document)
            return replace(incoming, document=opened)
        return incoming

    async def _take(self, incoming: Incoming) -> ASGIApp:
        """Have it written, and wait until it is."""
        future = self._writer.take_soon(incoming, incoming.size)
        timer = future.get_loop().call_later(PATIENCE_SECONDS, _give_up, future)
        try:
            outcome = await future
        finally:
            timer.cancel()
        if outcome == "conflict":
            return refusal(409, "conflict")
        if outcome == "unknown_store":
            return refusal(401, "unknown_store")
        return Accepted(incoming.envelope.number, outcome)

    def _is_signed(self, public_key: bytes, body: bytes, encoded: bytes) -> bool:
        key = self._keys.get(public_key)
        try:
            if key is None:
                key = self._keys[public_key] = Ed25519PublicKey.from_public_bytes(public_key)
            key.verify(decode(encoded.decode("ascii")), report_message(body))
        except (InvalidSignature, ValueError):
            return False
        return True

    async def _malformed(self, store_id: str, detail: str, address: str) -> Response:
        await self._tally.note(store_id, "malformed", detail, address)
        return refusal(422, "malformed", detail)


class Accepted:
    """The usual answer, a thousand times a second: `answer` without making a response first."""

    def __init__(self, number: int, outcome: str) -> None:
        self._body = b'{"schema":"cloche.accepted/1","number":%d,"outcome":"%s"}' % (number, outcome.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  an ASGI application
        """Send it."""
        length = b"%d" % len(self._body)
        headers = [(b"content-type", b"application/json"), (b"content-length", length), (_WIRE, _THIS)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(DatabaseError("slow"))
