"""Errors of the API as problem documents (RFC 9457): a type, a title, a status and what to do, never a value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from central.database.failures import DatabaseError
from central.database.writer import BusyError
from config.errors import ClocheError, RefusedError, UsageError
from config.log import describe, get_logger

MEDIA: Final = "application/problem+json"
TYPE: Final = "urn:cloche:problem:"
RETRY_SECONDS: Final = 5
TITLES: Final[dict[int, str]] = {
    400: "The request cannot be understood", 401: "A token is needed", 403: "This token may not do that",
    404: "There is no such thing", 405: "That method is not for this path", 409: "It collides with what is there",
    413: "The request is too large", 415: "The body is not JSON", 422: "Something in the request is not right",
    429: "Too many requests", 500: "Internal error", 503: "The database is not available",
}  # fmt: skip
log = get_logger("hq.api")


class Fault(BaseModel):
    """One field that does not fit."""

    field: str
    reason: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(examples=[f"{TYPE}not_found"])
    title: str
    status: int
    detail: str = ""
    errors: list[Fault] = []


class ProblemError(Exception):
    """An answer that is not what was asked for; `kind` is the last part of the problem's type."""

    def __init__(self, status: int, kind: str, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(kind)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers


def problem(
    status: int, kind: str, detail: str = "", *, errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """The answer."""
    document: dict[str, Any] = {
        "type": TYPE + kind, "title": TITLES.get(status, "The request failed"), "status": status, "detail": detail,
    }  # fmt: skip
    if errors:
        document["errors"] = errors
    return JSONResponse(document, status_code=status, media_type=MEDIA, headers=dict(headers or {}))


def _of_problem(_request: Request, error: ProblemError) -> Response:
    return problem(error.status, error.kind, error.detail, headers=error.headers)


def _of_http(_request: Request, error: HTTPException) -> Response:
    kind = {404: "not_found", 405: "method", 400: "malformed", 413: "too_large", 415: "media"}.get(
        error.status_code, "refused"
    )
    return problem(error.status_code, kind, headers=error.headers)


def _of_form(_request: Request, error: RequestValidationError) -> Response:
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"])[:200], "reason": str(fault["type"])}
        for fault in error.errors()[:20]
    ]
    malformed = any(fault["reason"] == "json_invalid" for fault in faults)
    return problem(400 if malformed else 422, "malformed" if malformed else "fields", errors=faults)


def _of_cloche(_request: Request, error: ClocheError) -> Response:
    match error:
        case RefusedError():
            return problem(403, "refused", str(error))
        case UsageError():
            return problem(422, "usage", str(error))
        case DatabaseError():
            return problem(503, "database", headers={"Retry-After": str(RETRY_SECONDS)})
        case BusyError():
            return problem(429, "busy", "the queue is full", headers={"Retry-After": str(RETRY_SECONDS)})
        case _:
            log.error("request failed", error=describe(error))
            return problem(500, "internal", "on record at head office")


def _of_database(_request: Request, error: SQLAlchemyError) -> Response:
    log.error("database failed", error=describe(error))
    return problem(503, "database", headers={"Retry-After": str(RETRY_SECONDS)})


def _of_defect(_request: Request, error: Exception) -> Response:
    log.error("request failed", error=describe(error))
    return problem(500, "internal", "on record at head office")


def _of_cut(_request: Request, _error: ClientDisconnect) -> Response:
    return problem(400, "cut")


Handler = Callable[[Request, Any], Response | Awaitable[Response]]
HANDLERS: Final[dict[type[Exception], Handler]] = {
    ProblemError: _of_problem, HTTPException: _of_http, RequestValidationError: _of_form, ClocheError: _of_cloche,
    SQLAlchemyError: _of_database, ClientDisconnect: _of_cut, Exception: _of_defect,
}  # fmt: skip


def handle_problems(api: FastAPI) -> None:
    """Every error of this application becomes a problem document."""
    for kind, handler in HANDLERS.items():
        api.add_exception_handler(kind, handler)
