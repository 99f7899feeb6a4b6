"""Take connections in, a few handshakes at a time.

A handshake with a client certificate takes two milliseconds of a processor, and an event loop makes all that are there
in one turn: after a cut, two thousand stores come back in one second, and whoever looks at a page waits for all of
them, several times over. Here some begin, and the others wait in the kernel's queue, which costs nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import Final

from config.log import describe, get_logger

AT_ONCE: Final = 16
TURN_SECONDS: Final = 0.25
"""A handshake holds its place so long at most: who connects and says nothing holds up nobody for longer."""
HANDSHAKE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.5
"""After a connection that could not be taken: no descriptors are left, and a connection will have to end first."""

log = get_logger("hq.accepting")


class Acceptor:
    """Takes connections of one listening socket until closed, from the running loop.

    Promise: at most `AT_ONCE` handshakes that are younger than `TURN_SECONDS` go on at once; one that fails is its own
    affair. Limit: against somebody who opens silent connections faster than `AT_ONCE` in `TURN_SECONDS`, only a
    firewall helps.
    """

    def __init__(self, listener: socket, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self._listener = listener
        self._context = context
        self._make = make
        self._places = asyncio.Semaphore(AT_ONCE)
        self._shaking: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        self._work = asyncio.create_task(self._accept())

    async def close(self) -> None:
        """Take no more, and drop what has not shaken hands yet."""
        for task in (self._work, *self._shaking):
            task.cancel()
        await asyncio.gather(self._work, *self._shaking, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._places.acquire()
            try:
                connection, _address = await loop.sock_accept(self._listener)
            except Exception as error:  # noqa: BLE001  a server that takes nobody any more would look healthy
                self._places.release()
                log.warning("a connection could not be taken", error=describe(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            task = loop.create_task(self._shake(connection))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    async def _shake(self, connection: socket) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.call_later(TURN_SECONDS, self._places.release)
        try:
            await loop.connect_accepted_socket(
                self._make, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except (OSError, asyncio.CancelledError):  # ssl.SSLError and TimeoutError are among them
            with suppress(OSError):
                connection.close()
        finally:
            if not turn.cancelled() and turn.when() > loop.time():
                turn.cancel()
                self._places.release()
