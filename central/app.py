"""The application: routes, headers on every answer, and what a reader sees when something breaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.api.metrics import Measured, Metrics
from central.api.problems import problem
from central.api.programs import PREFIX, build_api
from central.database.failures import DatabaseError
from central.database.writer import BusyError
from central.direct.delivery import OrdersApi
from central.ingest.api import Api
from central.office import HeadOffice
from central.pages.doors import Doors, nobody
from central.pages.login import LoginPages
from central.pages.provider import ProviderPages
from central.pages.render import Pages
from central.pages.routes import all_routes
from central.persons.api import PersonsApi
from central.stores.api import StoreApi
from central.stores.gate import Gate
from config.log import describe, get_logger

STATIC: Final = Path(__file__).parent / "pages" / "static"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; "
        "trusted-types cloche-live"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Strict-Transport-Security": "max-age=31536000",
}
_HEADERS: Final = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
_SET_HERE: Final = frozenset({b"server-timing", b"cache-control"})
"""Names are in lower case on their way, as ASGI wants them; no `MutableHeaders`: it looks through all for each name."""
log = get_logger("hq")


class Boundary:
    """Puts `HEADERS` on every answer (a page may bring its own) with the milliseconds it took, forbids caching of all
    but static files, and turns a defect into a page.

    Starlette's own handler for `Exception` answers and then raises on into the server's log, message and all.
    """

    def __init__(self, app: ASGIApp, on_defect: Callable[[Request, Exception], Response]) -> None:
        self._app = app
        self._on_defect = on_defect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False
        begun = perf_counter()

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = [pair for pair in message.get("headers", ()) if pair[0] not in _SET_HERE]
                named = {name for name, _ in given}
                is_static = scope["path"].startswith("/static/")
                message["headers"] = [
                    *given,
                    *(pair for pair in _HEADERS if pair[0] not in named),
                    (b"server-timing", b"app;dur=%.1f" % ((perf_counter() - begun) * 1000)),
                    (b"cache-control", b"max-age=3600" if is_static else b"no-store"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:  # noqa: BLE001  the boundary: logged by type and place
            answer = self._on_defect(Request(scope), error)
            if not started:
                await answer(scope, receive, with_headers)


def build_app(office: HeadOffice) -> Starlette:
    """The ASGI application over an open head office."""
    pages = Pages(office.timezone, office.name)
    doors = Doors(office, pages)
    logins = LoginPages(office, pages)
    metrics = Metrics(office, (office.trusted.home.server_chain, office.trusted.home.authority_certificate))

    def say(request: Request, status: int, key: str) -> Response:
        if request.url.path.startswith("/v1/"):
            return JSONResponse({"error": key}, status_code=status)
        if request.url.path.startswith(f"{PREFIX}/"):
            return problem(status, key)
        return pages.render(request, "error.html", nobody(f"error_{key}"), status=status)

    def on_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return say(request, status, "not_found" if status == 404 else "not_allowed")

    def on_busy(request: Request, error: Exception) -> Response:  # noqa: ARG001  Starlette's signature
        return say(request, 503, "busy")

    def on_database(request: Request, error: Exception) -> Response:
        metrics.database_errors.inc()
        log.error("database failed", error=describe(error))
        return say(request, 503, "database")

    def on_defect(request: Request, error: Exception) -> Response:
        log.error("request failed", error=describe(error))
        return say(request, 500, "internal")

    return Starlette(
        routes=[
            *StoreApi(office).routes(),
            *Api(office).routes(),
            *OrdersApi(office.waiting, office.order_key).routes(),
            *PersonsApi(office).routes(),
            *logins.routes(),
            *ProviderPages(office, pages, logins).routes(),
            *all_routes(doors),
            *metrics.routes(),
            Mount(PREFIX, build_api(office)),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Measured, metrics=metrics),
            Middleware(Boundary, on_defect=on_defect),
            Middleware(Gate, office=office),
        ],
        exception_handlers={
            HTTPException: on_http,
            BusyError: on_busy,
            SQLAlchemyError: on_database,
            DatabaseError: on_database,
        },
    )
