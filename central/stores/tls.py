"""The server's side of mutual TLS.

uvicorn tells an application nothing of a client's certificate; our protocol puts `cloche.certificate` into the
scope's extensions: `{"store", "serial", "ends"}` of a certificate that OpenSSL has found to be by our authority and
for clients. Its time is not checked in the handshake (a browser or store would see a broken connection and no reason):
`central.stores.gate` does, and says so in words. A proxy in front passes TLS on unopened, or nobody is let in.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from central.home import HeadOfficeHome
from central.stores.certificates import STORE
from central.wire import STORE_URI
from config.errors import ClocheError
from config.log import describe, get_logger

EXTENSION: Final = "cloche.certificate"
SLOW: Final = "cloche.slow"
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL 1.1.0 and later; Python has no name for it."""

log = get_logger("hq.tls")


class ServerTls:
    """The server's side of TLS; a certificate that was made anew is taken up while it runs."""

    def __init__(self, home: HeadOfficeHome) -> None:
        self._home = home
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._loaded = self._stamp()
        try:
            self._context.load_cert_chain(home.server_chain, home.server_key)
            self._context.load_verify_locations(home.authority_certificate)
        except (ssl.SSLError, OSError) as error:
            raise ClocheError(f"{home.server_chain}: does not fit {home.server_key}, or one is damaged") from error
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.verify_flags |= NO_CHECK_TIME
        self._context.num_tickets = 0  # nobody resumes; two tickets with the client's certificate are sealed for each
        self._context.set_alpn_protocols(["http/1.1"])

    @property
    def context(self) -> ssl.SSLContext:
        """For every connection."""
        return self._context

    def reload(self) -> None:
        """Take up what was made anew; what does not fit is left alone until it does."""
        stamp = self._stamp()
        if stamp == self._loaded:
            return
        self._loaded = stamp
        try:
            self._context.load_cert_chain(self._home.server_chain, self._home.server_key)
        except (ssl.SSLError, OSError) as error:
            log.error("the new certificate of the server cannot be used", error=describe(error))
            return
        log.info("the server has a new certificate")

    def _stamp(self) -> tuple[int, int]:
        """Which version of the certificate's file this is."""
        try:
            facts = self._home.server_chain.stat()
        except OSError:
            return 0, 0
        return facts.st_ino, facts.st_mtime_ns


class StoreProtocol(HttpToolsProtocol):
    """HTTP/1.1 that knows which store is at the other end, and waits for nobody for ever.

    uvicorn ends idle connections after an answer only: one that never asks, or drips a byte a minute, would hold its
    place for good. The head of a request has `HEAD_SECONDS`, its body `BODY_SECONDS` (4 MiB at 22 KiB a second).
    """

    HEAD_SECONDS = 15.0
    BODY_SECONDS = 180.0
    GOODBYE_SECONDS = 1.0
    """For the other end to take its answer and say goodbye, when head office stops."""
    _certificate: dict[str, Any] | None = None
    _limit: asyncio.TimerHandle | None = None
    _slow: list[bool]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """The handshake is done."""
        super().connection_made(transport)
        self._certificate = read_peer(transport.get_extra_info("ssl_object"))
        self._slow = []
        self._allow(self.HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, and nothing is to hold its memory: neither a timer, which uvicorn leaves running for 75 seconds
        after a line that broke, nor a circle of references, for who collects those is slow here (`central.serve`)."""
        self._allow(0)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.cycle = None  # type: ignore[assignment]  # whoever still answers has it for himself

    def shutdown(self) -> None:
        """Head office stops. TLS waits for the other end's goodbye, half a minute by itself."""
        super().shutdown()
        self.loop.call_later(self.GOODBYE_SECONDS, self._leave)

    def _leave(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self.loop.call_later(self.GOODBYE_SECONDS, self._leave)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._allow(self.BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there."""
        self._allow(0)
        super().on_message_complete()

    def _allow(self, seconds: float) -> None:
        """So long for what comes next; 0: as long as it takes."""
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self.loop.call_later(seconds, self._end) if seconds else None

    def _end(self) -> None:
        """Too slow. Who reads the body hears of it: `cloche.slow` among the scope's extensions has an entry then."""
        self._slow.append(True)
        peer = (self._certificate or {}).get("store", "")
        log.warning("a connection was too slow", store=peer, address=self.client[0] if self.client else "")
        self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins: uvicorn has just made its scope."""
        super().on_message_begin()
        self._allow(self.HEAD_SECONDS)
        if self._certificate is not None:
            shown = cast("dict[object, object]", dict(self._certificate))
            self.scope["extensions"] = {EXTENSION: shown, SLOW: cast("dict[object, object]", self._slow)}


def read_peer(connection: ssl.SSLObject | None) -> dict[str, Any] | None:
    """Store, serial number and end of the certificate at the other end; None without one that names a store."""
    facts: dict[str, Any] = (connection.getpeercert() if connection else None) or {}
    if not facts:
        return None
    names = [str(value) for kind, value in facts.get("subjectAltName", ()) if kind == "URI"]
    if len(names) != 1 or not STORE.fullmatch(names[0].removeprefix(STORE_URI)):
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(facts["notAfter"])), UTC)
    serial = f"{int(str(facts['serialNumber']), 16):x}"
    return {"store": names[0].removeprefix(STORE_URI), "serial": serial, "ends": ends}
