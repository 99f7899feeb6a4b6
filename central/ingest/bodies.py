"""Read a request's body, never more of it than allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.requests import Request
from starlette.types import Receive


class TooLargeError(Exception):
    """The body is over its bound; what was read of it is thrown away."""


class CutError(Exception):
    """The connection ended before the body did."""


async def read_body(request: Request, limit: int) -> bytes:
    """The raw body.

    Raises:
        TooLargeError: it is declared or found to be over `limit` bytes.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > limit:
        raise TooLargeError
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLargeError
        pieces.append(piece)
    return b"".join(pieces)


async def read_pieces(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        TooLargeError: it is declared or found to be over `limit` bytes.
        CutError: the connection ended.
    """
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 12 or int(declared) > limit:
        raise TooLargeError
    size, is_more = 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CutError
        piece: bytes = message.get("body", b"")
        is_more = message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise TooLargeError
        if piece:
            yield piece
