"""Log in, prove it with a second factor, prove it again before a dangerous act, take over an account, log out.

The login form carries a token that must equal a cookie only this site can set (`__Host-`, RFC 6265bis, section
4.1.3.2): another site cannot log a browser in under its own name. After that each form carries the login's own token.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from central.models import Person
from central.office import HeadOffice
from central.pages.doors import COOKIE, Fields, nobody, read_fields
from central.pages.gate import SECOND_PATH, onward_to, safe_onward
from central.pages.render import Pages
from central.people.accounts import (
    begin_login,
    check_passphrase,
    end_login,
    end_logins,
    find_login,
    hash_passphrase,
    note_failure,
    passphrase_fits,
    wait_before_login,
)  # fmt: skip
from central.people.brake import note_failures, subject, wait_seconds
from central.people.invitations import invited, use_invitation
from central.people.record import note_act
from config.errors import UsageError

FORM_COOKIE: Final = "__Host-cloche-form"
MAX_FORM: Final = 8192
MAX_AT_ONCE: Final = 2
"""Passphrases looked at together: 64 MiB and a thread each, and others need threads too."""


class LoginPages:
    """`/login`, `/logout` and `/invited`."""

    def __init__(self, office: HeadOffice, pages: Pages) -> None:
        self._office = office
        self._pages = pages
        self._hashing = asyncio.Semaphore(MAX_AT_ONCE)

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/login", self.form, methods=["GET"]),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
            Route("/invited", self.invitation, methods=["GET"]),
            Route("/invited", self.take_over, methods=["POST"]),
        ]

    def form(self, request: Request) -> Response:
        """The form."""
        message = "login_ended" if "ended" in request.query_params else ""
        return self._form(request, message, onward=safe_onward(request.query_params.get("next", "/")))

    async def log_in(self, request: Request) -> Response:
        """Check name and passphrase; slow for a stranger, slower after failures."""
        fields = await read_fields(request, MAX_FORM)
        if fields is None or not _ours(request, fields):
            return self._form(request, "login_stale", status=403)
        officer, passphrase = _short(fields, "officer", 80), _short(fields, "passphrase", 400)
        address, onward = _address(request), safe_onward(_short(fields, "next", 300) or "/")
        person, wait = await asyncio.to_thread(self._look_up, officer, address)
        if wait > 0:
            return self._form(request, "login_wait", status=429, wait=wait, onward=onward)
        async with self._hashing:
            fits = await asyncio.to_thread(passphrase_fits, passphrase, person.passphrase if person else None)
        if person is None or not fits:
            await self._write(lambda session: note_failure(session, officer, address))
            return self._form(request, "login_wrong", status=403, onward=onward)

        def begin(session: Session) -> str | None:
            present = session.get(Person, person.id, populate_existing=True)
            if present is None or present.left_at is not None or present.passphrase != person.passphrase:
                return None
            return self._begin(session, present, request)

        cookie = await self._write(begin)
        if cookie is None:
            return self._form(request, "login_wrong", status=403, onward=onward)
        return self.come_in(cookie, onward_to(SECOND_PATH, onward) if person.totp else onward)

    async def log_out(self, request: Request) -> Response:
        """Forget this browser."""
        fields = await read_fields(request, MAX_FORM)
        login = await asyncio.to_thread(self._login, request.cookies.get(COOKIE))
        if login is None or fields is None or not _equal(fields.optional("form_token"), login.form_token):
            return self._form(request, "login_stale", status=403)

        def end(session: Session) -> None:
            end_login(session, login.digest)
            note_act(session, login.person_id, "logout")

        await self._write(end)
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        return response

    def invitation(self, request: Request) -> Response:
        """What an invitation's link shows; looking uses nothing up (chats look at links by themselves)."""
        code = request.query_params.get("code", "")[:100]
        with self._office.sessions() as session:
            if wait_seconds(session, subject("invitation", _address(request))):
                return self._invited(request, None, "", "hq_login.invitation_wait", status=429)
            return self._invited(request, invited(session, code), code)

    async def take_over(self, request: Request) -> Response:
        """Choose a passphrase for an account that somebody made for one."""
        fields = await read_fields(request, MAX_FORM)
        if fields is None or not _ours(request, fields):
            return self._form(request, "login_stale", status=403)
        code, chosen = _short(fields, "code", 100), _short(fields, "passphrase", 400)
        address = _address(request)
        with self._office.sessions() as session:
            wait = wait_seconds(session, subject("invitation", address))
            person = invited(session, code)
        if wait or person is None:
            await self._write(lambda session: note_failures(session, subject("invitation", address)))
            return self._invited(request, None, "", status=429 if wait else 403)
        try:
            if chosen != _short(fields, "again", 400):
                raise UsageError("hq_login.not_the_same")
            check_passphrase(
                chosen, (person.name, person.login or "", person.mail.partition("@")[0], self._office.name)
            )
        except UsageError as error:
            return self._invited(request, person, code, refusal(error), status=422)
        async with self._hashing:
            stored = await asyncio.to_thread(hash_passphrase, chosen)

        def adopt(session: Session) -> str | None:
            present = use_invitation(session, code)
            if present is None:
                return None
            present.passphrase, present.must_change = stored, False
            end_logins(session, present.id)
            note_act(session, present.id, "person.passphrase", "by invitation")
            return self._begin(session, present, request)

        cookie = await self._write(adopt)
        return self.come_in(cookie, "/own") if cookie else self._invited(request, None, "", status=403)

    def come_in(self, cookie: str, onward: str) -> Response:
        """Send a browser on with its cookie."""
        response = RedirectResponse(onward, status_code=303)
        self.give_cookie(response, cookie)
        return response

    def give_cookie(self, response: Response, cookie: str) -> None:
        """Put the login's cookie on an answer."""
        lasts = timedelta(hours=self._office.settings.login.longest_hours)
        response.set_cookie(
            COOKIE, cookie, max_age=int(lasts.total_seconds()), secure=True, httponly=True, samesite="strict"
        )
        response.delete_cookie(FORM_COOKIE, secure=True, httponly=True, samesite="strict")

    def _begin(self, session: Session, person: Person, request: Request) -> str:
        lasts = timedelta(hours=self._office.settings.login.longest_hours)
        return begin_login(session, person, _address(request), request.headers.get("user-agent", ""), lasts=lasts)

    def _form(self, request: Request, message: str, *, status: int = 200, wait: int = 0, onward: str = "/") -> Response:
        values = {
            "message_values": {"minutes": wait // 60 + 1} if wait else {}, "next": onward,
            "oidc": self._office.settings.login.oidc,
        }  # fmt: skip
        response = self._with_token(request, "login.html", nobody(message) | values, status)
        if wait:
            response.headers["Retry-After"] = str(wait)
        return response

    def _invited(
        self, request: Request, person: Person | None, code: str, message: str = "", *, status: int = 200
    ) -> Response:
        values = {"person": person, "code": code, "oidc": self._office.settings.login.oidc}
        return self._with_token(
            request, "invited.html", nobody(message) | values, 404 if person is None and status == 200 else status
        )

    def _with_token(self, request: Request, template: str, values: dict[str, Any], status: int) -> Response:
        token = secrets.token_urlsafe(24)
        response = self._pages.render(request, template, values | {"form_token": token}, status=status)
        response.set_cookie(FORM_COOKIE, token, secure=True, httponly=True, samesite="strict")
        return response

    def _look_up(self, officer: str, address: str) -> tuple[Person | None, int]:
        with self._office.sessions() as session:
            person = session.scalar(select(Person).where(Person.login == officer, Person.left_at.is_(None)))
            if person is not None and person.passphrase is None:
                person = None
            return person, wait_before_login(session, officer, address)

    def _login(self, cookie: str | None) -> Any:
        with self._office.sessions() as session:
            return find_login(session, cookie)

    async def _write(self, job: Any) -> Any:
        return await asyncio.wrap_future(self._office.writer.submit(job))


REFUSALS: Final = {
    "hq_login.not_the_same": "hq_login.not_the_same",
    "one of the commonest": "hq_login.commonest",
    "row of keys": "hq_login.row_of_keys",
    "more than a name": "hq_login.name_like",
    "needs": "hq_login.too_short",
    "at most": "hq_login.too_long",
}


def refusal(error: UsageError) -> str:
    """The text for why a passphrase was refused."""
    return next((key for part, key in REFUSALS.items() if part in str(error)), "hq_login.too_short")


def _short(fields: Fields, name: str, most: int) -> str:
    """A field, cut: what is typed here is never quoted in an error."""
    return (fields.everything.get(name) or [""])[0][:most]


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _ours(request: Request, fields: Fields) -> bool:
    return _equal(fields.optional("form_token"), request.cookies.get(FORM_COOKIE))


def _equal(given: str | None, expected: str | None) -> bool:
    return bool(given and expected) and hmac.compare_digest(str(given).encode(), str(expected).encode())
