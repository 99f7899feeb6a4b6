"""The server's side of mutual TLS.

uvicorn tells an application nothing of a client's certificate; our protocol puts `cloche.certificate` into the
scope's extensions: `{"store", "serial", "ends"}` of a certificate that OpenSSL has found to be by our authority and
for clients. Its time is not checked in the handshake (a browser or store would see a broken connection and no reason):
`central.stores.gate` does, and says so in words. A proxy in front passes TLS on unopened, or nobody is let in.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from central.home import HeadOfficeHome
from central.stores.certificates import STORE
from central.wire import STORE_URI

EXTENSION: Final = "cloche.certificate"
NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL 1.1.0 and later; Python has no name for it."""


def server_context(home: HeadOfficeHome) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    """What uvicorn makes its context with."""

    def make(_config: uvicorn.Config, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(home.server_chain, home.server_key)
        context.load_verify_locations(home.authority_certificate)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= NO_CHECK_TIME
        context.set_alpn_protocols(["http/1.1"])
        return context

    return make


class StoreProtocol(HttpToolsProtocol):
    """HTTP/1.1 that knows which store is at the other end."""

    _certificate: dict[str, Any] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """The handshake is done."""
        super().connection_made(transport)
        self._certificate = read_peer(transport.get_extra_info("ssl_object"))

    def on_message_begin(self) -> None:
        """A request begins: uvicorn has just made its scope."""
        super().on_message_begin()
        if self._certificate is not None:
            self.scope["extensions"] = {EXTENSION: cast("dict[object, object]", dict(self._certificate))}


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
