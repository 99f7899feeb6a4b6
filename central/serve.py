"""Run the application under uvicorn with TLS, and tell systemd how it is.

uvicorn's own log is not used: its error log prints the message of an exception, which may hold text of a store.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import uvicorn

from central.accepting import Acceptor
from central.app import build_app
from central.digest.weekly import Weekly
from central.home import HeadOfficeHome
from central.hooks.courier import Courier
from central.office import HeadOffice, open_office
from central.stores.authority import read_authority
from central.stores.certificates import LASTS
from central.stores.server_certificate import renew_if_due
from central.stores.tls import ServerTls, StoreProtocol
from central.workers import Beat, Workers
from config.errors import ClocheError, ExitCode
from config.log import describe, get_logger
from config.notify import notify, watchdog_seconds

COLLECTIONS: Final = (50_000, 20, 50)
"""When Python looks for cycles: what was loaded at the start is left out of it, and reports hold none; the usual
thresholds cost a tenth of the rate of ingest."""
SWITCH_SECONDS: Final = 0.001
"""Between threads: the writer waits so long for its turn after each answer of the database, a dozen times a commit;
Python's 5 ms made a report take 60 ms longer under load."""
RECEIVE_BYTES: Final = 8192
"""What the kernel holds of a connection (it takes twice as much). TLS keeps buffers of the size of the largest piece
that it was ever given: after one report of 30 KB a connection held 120 KB with the kernel's own choice, 68 KB with
this one, and every store keeps one open. 16 KB on the way are 500 KB a second at 30 ms."""
ARENAS: Final = 2
"""Heaps of glibc: it gives each of our dozen threads one of its own, and what one has freed the others cannot use; two
are 25 MB less after some thousand reports, and no slower, for Python runs one thread at a time."""
LARGE_BYTES: Final = 128 << 10
"""From here on a piece of memory is mapped by itself. That is glibc's own rule at the start, but it gives it up once
such a piece was freed; uvloop keeps 256 KB a TLS connection, of which 16 are ever touched: taken from a heap, most of
it is memory that others have used before."""
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
"""mallopt(3)."""
MOST_CONNECTIONS: Final = 20_000
"""Every store keeps one open; the limit of descriptors is raised above it."""
LOOK_SECONDS: Final = 5.0
RENEW_SECONDS: Final = 3600.0

log = get_logger("hq.serve")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How to serve: the address, how many processes, how long a store's certificate lives."""

    host: str
    port: int
    processes: int = 1
    certificate_lasts: timedelta = LASTS


def serve_forever(home: HeadOfficeHome, serving: Serving, announce: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; finishes what was accepted.

    Args:
        home: head office's folder.
        serving: where and how. Port 0 is any free one.
        announce: told the URL once connections are taken.

    Raises:
        ClocheError: the address is taken, or a file is missing or damaged.
    """
    home.require()
    renew_if_due(home, read_authority(home))
    _raise_limits()
    listeners = _listen(serving)
    try:
        shown = f"[{serving.host}]" if ":" in serving.host else serving.host
        url = f"https://{shown}:{listeners[0].getsockname()[1]}"
        if serving.processes == 1:
            ready = partial(_ready, lambda: announce(url))
            return _serve(home, serving, listeners[0], ready, partial(notify, "WATCHDOG=1"))
        gc.collect()
        gc.freeze()  # whoever looks for cycles touches every object, and no page would be shared any more
        workers = Workers(
            [partial(_serve, home, serving, listener) for listener in listeners],
            ready=partial(_ready, lambda: announce(url)),
        )
        return workers.run()
    finally:
        for listener in listeners:
            listener.close()


def _serve(
    home: HeadOfficeHome, serving: Serving, listener: socket.socket, ready: Callable[[], None], beat: Beat
) -> int:
    """One process at work."""
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more when all is answered
        signal.signal(number, lambda _number, _frame: None)
    _bound_heaps()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECTIONS)
    office = open_office(home, certificate_lasts=serving.certificate_lasts)
    courier, weekly = Courier(office), Weekly(office)
    gc.collect()
    gc.freeze()
    courier.start()
    weekly.start()
    try:
        tls = ServerTls(home)
        config = uvicorn.Config(
            build_app(office), http=StoreProtocol, loop="uvloop", ws="none",
            log_config=None, access_log=False, server_header=False, lifespan="off", timeout_keep_alive=75,
            proxy_headers=False, limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=10,
        )  # fmt: skip
        _Server(config, _Chores(home, office, tls, beat), partial(Acceptor, listener, tls.context), ready).run(
            sockets=[]
        )
    finally:
        weekly.close()
        courier.close()
        office.close()
    return int(ExitCode.DONE)


def _bound_heaps() -> None:
    with contextlib.suppress(OSError, AttributeError):  # another C library has none
        tune = ctypes.CDLL(None).mallopt
        tune(_M_ARENA_MAX, ARENAS)
        tune(_M_MMAP_THRESHOLD, LARGE_BYTES)


def _trim() -> None:
    """Give back what is free inside the heaps: glibc gives back their ends alone, and connections that come and go
    leave holes. 500 connections that came, went and came twice more took 188 MB without it, 152 with it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _ready(announce: Callable[[], None]) -> None:
    announce()
    notify("READY=1")


class _Chores:
    """What a server does beside answering: it beats, and looks after its certificate."""

    def __init__(self, home: HeadOfficeHome, office: HeadOffice, tls: ServerTls, beat: Beat) -> None:
        self._home = home
        self._office = office
        self._tls = tls
        self._beat = beat

    async def run(self) -> None:
        """Until cancelled."""
        pause = min(watchdog_seconds() or LOOK_SECONDS, LOOK_SECONDS)
        until_renewal = 0.0
        while True:
            self._beat()
            if until_renewal <= 0:
                until_renewal = RENEW_SECONDS
                await asyncio.to_thread(self._renew)
            self._tls.reload()
            await asyncio.to_thread(_trim)
            await asyncio.sleep(pause)
            until_renewal -= pause

    def release(self) -> None:
        """Nobody waits for orders any longer."""
        self._office.waiting.release()

    def _renew(self) -> None:
        try:
            renew_if_due(self._home, self._office.authority)
        except ClocheError as error:
            log.error("the server's certificate cannot be renewed", why=describe(error))


class _Server(uvicorn.Server):
    """uvicorn that takes its connections by `Acceptor`, says when it does, and does its chores from its own loop."""

    def __init__(
        self,
        config: uvicorn.Config,
        chores: _Chores,
        accept: Callable[[Callable[[], asyncio.Protocol]], Acceptor],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._chores = chores
        self._accept = accept
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._acceptor = self._accept(self._make)
            self._ready()
            self._work = asyncio.create_task(self._chores.run())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop beating and finish what is under way; stores that wait for orders are sent away first."""
        notify("STOPPING=1")
        self._chores.release()
        await self._acceptor.close()
        await super().shutdown(sockets=sockets)

    def _make(self) -> StoreProtocol:
        return StoreProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _listen(serving: Serving) -> list[socket.socket]:
    """A socket for each process, all at one address: the kernel spreads new connections evenly over them.

    One socket that all accept from would not do: whoever wakes first takes everything that waits.

    Raises:
        ClocheError: the address is taken or none of this machine.
    """
    listeners: list[socket.socket] = []
    port, several = serving.port, serving.processes > 1
    try:
        family = socket.getaddrinfo(serving.host, port, type=socket.SOCK_STREAM)[0][0]
        for _ in range(serving.processes):
            listener = socket.create_server((serving.host, port), family=family, backlog=2048, reuse_port=several)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)  # its connections have it too
            listeners.append(listener)
            port = listener.getsockname()[1]
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise ClocheError(f"{serving.host}:{serving.port}: cannot be listened on: {error.strerror}") from error
    return listeners


def _raise_limits() -> None:
    """As many descriptors as we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + 1000
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it; then the limit stays
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
