"""Read a request's body, never more of it than allowed."""

from __future__ import annotations

from starlette.requests import Request


class TooLargeError(Exception):
    """The body is over its bound; what was read of it is thrown away."""


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
