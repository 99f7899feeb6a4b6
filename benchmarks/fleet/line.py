"""One connection of a store to head office: mutual TLS, HTTP/1.1, one request at a time, and the ways it may break."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer."""

    status: int
    body: bytes
    retry_after: float


@dataclass(kw_only=True)
class Line:
    """Connects when it has to; whoever asks over a broken one gets an `OSError` and may ask again."""

    host: str
    port: int
    context: ssl.SSLContext = field(repr=False)
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes, seconds: float = 60) -> Said:
        """Send a whole request and read the answer.

        Raises:
            OSError: the connection could not be made, or broke.
            TimeoutError: no answer in time.
        """
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await self._open()
                writer.write(request)
                return await _read(reader)
        except (OSError, EOFError, ValueError, ssl.SSLError, TimeoutError) as error:
            self.cut()
            if isinstance(error, (OSError, TimeoutError)):
                raise
            raise ConnectionResetError("broken") from error

    async def ask_half(self, request: bytes) -> None:
        """Send half of a request, then cut the line."""
        with suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(20):
                _reader, writer = await self._open()
                writer.write(request[: len(request) * 2 // 3])
                await writer.drain()
        self.cut()

    def cut(self) -> None:
        """Break the connection, as a cable would."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(
                self.host, self.port, ssl=self.context, server_hostname=self.host, ssl_handshake_timeout=60
            )
        return self._reader, self._writer


async def _read(reader: asyncio.StreamReader) -> Said:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Said(status=int(head.split()[1]), body=body, retry_after=float(fields.get("retry-after", "0")))
