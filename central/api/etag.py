"""ETag for answers of the API: a program that has the same already gets 304 and no body (RFC 9110, 8.8.3).

The tag is a digest of the body, so it is strong and the same on every instance; the question is still asked of the
database, only the way is saved. Bodies over a megabyte (exports) pass untouched.
"""

from __future__ import annotations

import hashlib
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST: Final = 1024 * 1024


class Tagged:
    """Wraps an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagging(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                size = headers.get("content-length", "")
                is_small = size.isdecimal() and int(size) <= MOST
                if message["status"] == 200 and is_small and "etag" not in headers:
                    start = message  # kept back until the whole of a small body is there
                    return
            elif start is not None and message["type"] == "http.response.body":
                begun, start = start, None
                tag = f'"{hashlib.sha256(message.get("body", b"")).hexdigest()[:32]}"'
                same = wanted.strip() == "*" or tag in [part.strip().removeprefix("W/") for part in wanted.split(",")]
                headers_out = MutableHeaders(raw=list(begun["headers"]))
                headers_out["ETag"] = tag
                if same and not message.get("more_body"):
                    del headers_out["content-length"]
                    await send({"type": "http.response.start", "status": 304, "headers": headers_out.raw})
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send({**begun, "headers": headers_out.raw})
            await send(message)

        await self._app(scope, receive, tagging)
