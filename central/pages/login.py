"""Log in and out.

The login form carries a token that must equal a cookie only this site can set (`__Host-`, RFC 6265bis, section
4.1.3.2): another site cannot log a browser in under its own name. After that each form carries the login's own token.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Any, Final
from urllib.parse import parse_qs

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from central.ingest.bodies import TooLargeError, read_body
from central.models import Person
from central.office import HeadOffice
from central.pages.doors import COOKIE, nobody
from central.pages.render import Pages
from central.people.accounts import (
    LOGIN_LASTS,
    begin_login,
    end_login,
    find_login,
    note_failure,
    passphrase_fits,
    wait_before_login,
)  # fmt: skip

FORM_COOKIE: Final = "__Host-cloche-form"
MAX_FORM: Final = 4096
MAX_AT_ONCE: Final = 2


class LoginPages:
    """`/login` and `/logout`."""

    def __init__(self, office: HeadOffice, pages: Pages) -> None:
        self._office = office
        self._pages = pages
        self._hashing = asyncio.Semaphore(MAX_AT_ONCE)  # 64 MiB each

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/login", self.form, methods=["GET"]),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    def form(self, request: Request) -> Response:
        """The form."""
        return self._form(request, "")

    async def log_in(self, request: Request) -> Response:
        """Check name and passphrase; slow for a stranger, slower after failures."""
        fields = await _fields(request)
        if fields is None or not _equal(fields.get("form_token"), request.cookies.get(FORM_COOKIE)):
            return self._form(request, "login_stale", status=403)
        officer, address = fields.get("officer", "")[:80], request.client.host if request.client else ""
        person, wait = await asyncio.to_thread(self._look_up, officer, address)
        if wait > 0:
            response = self._form(request, "login_wait", status=429, minutes=wait // 60 + 1)
            response.headers["Retry-After"] = str(wait)
            return response
        async with self._hashing:
            fits = await asyncio.to_thread(
                passphrase_fits, fields.get("passphrase", ""), person.passphrase if person else None
            )
        if person is None or not fits:
            await self._write(lambda session: note_failure(session, officer, address))
            return self._form(request, "login_wrong", status=403)
        cookie = await self._write(lambda session: begin_login(session, person, address))
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            COOKIE, cookie, max_age=int(LOGIN_LASTS.total_seconds()), secure=True, httponly=True, samesite="strict"
        )
        response.delete_cookie(FORM_COOKIE, secure=True, httponly=True, samesite="strict")
        return response

    async def log_out(self, request: Request) -> Response:
        """Forget this browser."""
        fields = await _fields(request)
        login = await asyncio.to_thread(self._login, request.cookies.get(COOKIE))
        if login is None or fields is None or not _equal(fields.get("form_token"), login.form_token):
            return self._form(request, "login_stale", status=403)
        await self._write(lambda session: end_login(session, login.digest))
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        return response

    def _form(self, request: Request, message: str, *, status: int = 200, **values: Any) -> Response:
        token = secrets.token_urlsafe(24)
        response = self._pages.render(
            request, "login.html",
            nobody(message) | {"message_values": values, "form_token": token},
            status=status,
        )  # fmt: skip
        response.set_cookie(FORM_COOKIE, token, secure=True, httponly=True, samesite="strict")
        return response

    def _look_up(self, officer: str, address: str) -> tuple[Person | None, int]:
        with self._office.sessions() as session:
            person = session.scalar(select(Person).where(Person.login == officer, Person.left_at.is_(None)))
            return person, wait_before_login(session, officer, address)

    def _login(self, cookie: str | None) -> Any:
        with self._office.sessions() as session:
            return find_login(session, cookie)

    async def _write(self, job: Any) -> Any:
        return await asyncio.wrap_future(self._office.writer.submit(job))


async def _fields(request: Request) -> dict[str, str] | None:
    """The form's fields, or None for something else than a small form."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    try:
        body = await read_body(request, MAX_FORM)
        return {name: values[0] for name, values in parse_qs(body.decode("utf-8"), max_num_fields=8).items()}
    except (TooLargeError, ValueError):
        return None


def _equal(given: str | None, expected: str | None) -> bool:
    return bool(given and expected) and hmac.compare_digest(str(given).encode(), str(expected).encode())
