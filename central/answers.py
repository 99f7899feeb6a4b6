"""Answers to stores: JSON with a word for every error, and the wire's version on each (docs/wire-v1.md)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from central.wire import HEADER_WIRE, WIRE

RETRY_SECONDS: Final = 5


def answer(status: int, document: dict[str, Any]) -> Response:
    """A document."""
    return Response(
        msgspec.json.encode(document), status_code=status, media_type="application/json",
        headers={HEADER_WIRE: str(WIRE)},
    )  # fmt: skip


def refusal(status: int, word: str, detail: str = "") -> Response:
    """A word for what is wrong; `detail` names fields, never what they held."""
    return answer(status, {"error": word, "detail": detail} if detail else {"error": word})


def busy(seconds: int = RETRY_SECONDS) -> Response:
    """Come back later."""
    response = refusal(429, "busy")
    response.headers["Retry-After"] = str(seconds)
    return response


def retry_later(word: str, detail: str = "", seconds: int = RETRY_SECONDS) -> Response:
    """503: head office cannot, and will again; nothing was taken."""
    response = refusal(503, word, detail)
    response.headers["Retry-After"] = str(seconds)
    return response


def other_wire(request: Request) -> Response | None:
    """The refusal of a request that speaks another version, or None."""
    if request.headers.get(HEADER_WIRE) == str(WIRE):
        return None
    return answer(400, {"error": "wire", "supported": [WIRE]})
