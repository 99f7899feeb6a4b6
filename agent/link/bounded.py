"""One request whose answer may be hostile: at most 64 KiB of it are read, unpacked, and the rest is never fetched.

httpx reads an answer to its end and unpacks it before anything looks at its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

MAX_ANSWER: Final = 65_536


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came back; `body` is cut at the bound."""

    status: int
    headers: httpx.Headers
    body: bytes


def ask(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    most: int = MAX_ANSWER,
) -> Answered:
    """Ask; a connection with more in it than `most` bytes is closed.

    Raises:
        httpx.HTTPError: no answer came, or none that is HTTP.
    """
    body = bytearray()
    with client.stream(method, path, content=content, headers=headers) as answer:
        for piece in answer.iter_bytes(MAX_ANSWER):
            body += piece
            if len(body) >= most:
                break
        return Answered(status=answer.status_code, headers=answer.headers, body=bytes(body[:most]))
