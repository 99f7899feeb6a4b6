"""The gate before everything that stores speak to: no certificate that counts, no way in.

It stands before the application, so that an endpoint which nobody thought of is closed as well. It also ends requests
that stay open (long polls) when a certificate is revoked.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.answers import busy, refusal
from central.database.failures import DatabaseError
from central.database.writer import BusyError
from central.office import HeadOffice
from central.stores.certificates import FRESH_SECONDS, Certificates, Holder, Word
from central.stores.faults import Tally
from central.stores.instances import Instances
from central.stores.tls import EXTENSION
from central.wire import HEADER_INSTANCE, HEADER_STORE
from config.log import describe, get_logger

FAILURES: Final = (SQLAlchemyError, DatabaseError)
OPEN: Final = frozenset({"/v1/ca", "/v1/enrol", "/v1/renew"})
LONG: Final = frozenset({"/v1/orders"})
_STORE: Final = HEADER_STORE.lower().encode()
_INSTANCE: Final = HEADER_INSTANCE.lower().encode()

log = get_logger("hq.gate")


class Gate:
    """Lets stores through to `/v1`, each as itself.

    The scope's extension `cloche.certificate` is completed to `{"store", "serial", "public_key"}`: the raw key that the
    certificate was given for. Answers 401 with the words `certificate`, `certificate_expired`, `revoked`,
    `wrong_store`; 503 `database` when nobody can say whether a certificate counts.
    """

    def __init__(self, app: ASGIApp, office: HeadOffice) -> None:
        self._app = app
        self._certificates = Certificates(office.sessions)
        self._tally = Tally(office.writer)
        self._instances = Instances(office.sessions, office.writer, self._tally)
        self._open: dict[tuple[str, str], set[asyncio.Future[None]]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the certificate, then pass on."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/") or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        named, instance = _read_headers(scope)
        address = scope["client"][0] if scope.get("client") else ""
        shown: dict[str, Any] | None = scope.get("extensions", {}).get(EXTENSION)
        if shown is None:
            await self._tally.note(named, "certificate", address, address, is_stranger=True)
            await refusal(401, "certificate")(scope, receive, send)
            return
        store_id, serial = shown["store"], shown["serial"]
        holder = await self._find(shown)
        if not isinstance(holder, Holder):
            if holder != "database":
                await self._tally.note(store_id, holder, address, address)
            await refusal(503 if holder == "database" else 401, holder)(scope, receive, send)
            return
        if named != store_id:
            await self._tally.note(store_id, "wrong_store", f"{named[:40]!a} {address}", address)
            await refusal(401, "wrong_store")(scope, receive, send)
            return
        try:
            await self._instances.heard(store_id, instance, address)
        except BusyError:
            await busy()(scope, receive, send)
            return
        except FAILURES as error:
            log.error("who speaks could not be noted", error=describe(error))
            await refusal(503, "database")(scope, receive, send)
            return
        own = {"store": store_id, "serial": serial, "public_key": holder.public_key}
        # into this scope, no copy of it: whoever measures reads from it which route answered
        scope["extensions"] = {**scope["extensions"], EXTENSION: own}
        if scope["path"] in LONG:
            await self._stay(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _find(self, shown: dict[str, Any]) -> Holder | Word:
        try:
            return await self._certificates.find(shown["store"], shown["serial"], shown["ends"])
        except FAILURES as error:
            log.error("a certificate cannot be looked up", error=describe(error))
            return "database"

    async def _stay(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that may stay open for long: it ends when its certificate does."""
        certificate = scope["extensions"][EXTENSION]
        key = certificate["store"], certificate["serial"]
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open.setdefault(key, set()).add(ended)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._end_revoked())
        work = asyncio.ensure_future(self._app(scope, receive, noting))
        try:
            await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
                return
        finally:
            self._open[key].discard(ended)
            if not self._open[key]:
                del self._open[key]
            if not work.done():
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
        if not started:
            await refusal(401, "revoked")(scope, receive, send)

    async def _end_revoked(self) -> None:
        """While requests stay open: end those whose certificates were revoked."""
        while self._open:
            await asyncio.sleep(FRESH_SECONDS)
            await self._certificates.refresh()
            for key in [key for key in self._open if self._certificates.is_revoked(*key)]:
                for ended in self._open[key]:
                    if not ended.done():
                        ended.set_result(None)


def _read_headers(scope: Scope) -> tuple[str, str]:
    """Store and instance as the request names them."""
    named = instance = b""
    for name, value in scope["headers"]:
        if name == _STORE:
            named = value
        elif name == _INSTANCE:
            instance = value
    return named.decode("latin-1")[:40], instance.decode("latin-1")[:60]
