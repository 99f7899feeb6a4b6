"""Run the application under uvicorn with TLS, and tell systemd how it is.

uvicorn's own log is not used: its error log prints the message of an exception, which may hold text of a store.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import uvicorn

from central.app import build_app
from central.home import HeadOfficeHome
from central.office import open_office
from central.stores.certificates import LASTS
from central.stores.tls import StoreProtocol, server_context
from config.errors import ClocheError, ExitCode
from config.notify import notify, watchdog_seconds

MOST_CONNECTIONS: Final = 20_000
"""Every store keeps one open; the service's limit of descriptors is above it."""


def serve_forever(
    home: HeadOfficeHome, host: str, port: int, announce: Callable[[str], None], *,
    certificate_lasts: timedelta = LASTS,
) -> int:  # fmt: skip
    """Serve until SIGTERM or SIGINT; finishes what was accepted.

    Args:
        home: head office's folder.
        host: address to listen on.
        port: TCP port, 0 for any free one.
        announce: told the URL once connections are taken.
        certificate_lasts: how long a store's certificate lives.

    Raises:
        ClocheError: the address is taken, or a file is missing or damaged.
    """
    office = open_office(home, certificate_lasts=certificate_lasts)
    try:
        with _listen(host, port) as listener:
            config = uvicorn.Config(
                build_app(office), http=StoreProtocol, loop="uvloop", ws="none",
                ssl_context_factory=server_context(home), log_config=None, access_log=False, server_header=False,
                lifespan="off", timeout_keep_alive=75, limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=10,
            )  # fmt: skip
            shown = f"[{host}]" if ":" in host else host
            url = f"https://{shown}:{listener.getsockname()[1]}"
            _Server(config, lambda: announce(url), office.waiting.release).run(sockets=[listener])
    finally:
        office.close()
    return int(ExitCode.DONE)


class _Server(uvicorn.Server):
    """uvicorn that says when it listens, and beats systemd's watchdog from its own loop."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None], let_go: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self._let_go = let_go

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._announce()
            notify("READY=1")
            self._beat = asyncio.create_task(_beat())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop beating and finish what is under way."""
        notify("STOPPING=1")
        self._let_go()  # long polls would hold the end up
        await super().shutdown(sockets=sockets)


async def _beat() -> None:
    seconds = watchdog_seconds()
    while seconds:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise ClocheError(f"{host}:{port}: cannot be listened on: {error.strerror}") from error
