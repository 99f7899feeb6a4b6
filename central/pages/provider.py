"""Logging in by the chain's identity provider: there with a fresh `state`, back with a code, once.

The browser holds the `state` in a cookie of its own (`Lax`, because it comes back from another site); the database
holds its digest with the nonce and the sealed PKCE verifier until it comes back or ten minutes are over.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from central.models import Login, Person, ProviderRequest
from central.moments import now
from central.office import HeadOffice
from central.pages.doors import COOKIE, nobody
from central.pages.gate import SECOND_PATH, onward_to, safe_onward
from central.pages.login import LoginPages
from central.pages.render import Pages
from central.people.accounts import begin_login, find_login, note_second
from central.people.brake import note_failures, subject, wait_seconds
from central.people.invitations import invited, use_invitation
from central.people.provider import Proof, Provider, ProviderError
from central.people.record import note_act
from central.throttle import Throttle
from config.errors import RefusedError

STATE_COOKIE: Final = "__Host-cloche-state"
LASTS: Final = timedelta(minutes=10)
MOST_WAITING: Final = 10_000
A_MINUTE: Final = 60
"""Of one address: a chain's offices share one."""
BACK: Final = "/login/provider/back"


class ProviderPages:
    """`/login/provider` and the way back."""

    def __init__(self, office: HeadOffice, pages: Pages, login: LoginPages) -> None:
        self._office = office
        self._pages = pages
        self._login = login
        self._of_addresses = Throttle(A_MINUTE, A_MINUTE)
        self._provider = Provider(office.settings.login.oidc)

    def routes(self) -> list[Route]:
        """None without a provider."""
        if not self._office.settings.login.oidc.issuer:
            return []
        return [
            Route("/login/provider", self.leave, methods=["GET"]),
            Route(BACK, self.come_back, methods=["GET"]),
        ]

    async def leave(self, request: Request) -> Response:
        """To the provider: to log in, to take an account over (`code`), or to prove it again (`again`)."""
        wait = self._of_addresses.wait(_address(request))
        if wait:
            return self._failed(request, ProviderError("too often: wait a minute"), 429)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query, address = request.query_params, _address(request)
        onward, code, again = safe_onward(query.get("next", "/")), query.get("code", "")[:100], "again" in query
        try:
            url = await asyncio.to_thread(
                self._provider.authorization_url, callback=_callback(request), state=state, nonce=nonce,
                verifier=verifier, again=again,
            )  # fmt: skip
        except (ProviderError, RefusedError) as error:
            return self._failed(request, error, 503)

        def keep(session: Session) -> bool:
            session.execute(delete(ProviderRequest).where(ProviderRequest.made_at < now() - LASTS))
            waiting = session.scalar(select(func.count()).select_from(ProviderRequest)) or 0
            if waiting >= MOST_WAITING or wait_seconds(session, subject("address", address)):
                return False
            row = ProviderRequest(
                digest=_digest(state), nonce=nonce, purpose="login", onward=onward, made_at=now(),
                verifier=self._office.secrets.encrypt(verifier.encode(), f"verifier {nonce}"),
            )  # fmt: skip
            if again:
                login = find_login(session, request.cookies.get(COOKIE))
                if login is None:
                    return False
                row.purpose, row.subject, row.onward = "again", login.digest.hex()[:80], "/"
            elif code:
                if invited(session, code) is None:
                    return False
                row.purpose, row.onward = "invited", code
            session.add(row)
            return True

        if not await self._write(keep):
            return RedirectResponse("/login", status_code=303)
        response = RedirectResponse(url, status_code=303)
        response.set_cookie(
            STATE_COOKIE, state, max_age=int(LASTS.total_seconds()), secure=True, httponly=True, samesite="lax"
        )
        return response

    async def come_back(self, request: Request) -> Response:
        """From the provider: the state is used up whatever comes of it."""
        state, code = request.query_params.get("state", "")[:200], request.query_params.get("code", "")[:4000]
        held = request.cookies.get(STATE_COOKIE, "")
        waiting = await self._write(lambda session: _take(session, state)) if state else None
        if waiting is None or not hmac.compare_digest(state.encode(), held.encode()) or not code:
            await self._note_failure(request, "state")
            return self._failed(request, ProviderError("this login is stale: begin again"), 403)
        try:
            proof = await asyncio.to_thread(self._prove, request, waiting, code)
        except (ProviderError, RefusedError) as error:
            await self._note_failure(request, "token")
            return self._failed(request, error, 403)
        if waiting.purpose == "again":
            return await self._prove_again(request, waiting, proof)
        return await self._come_in(request, waiting, proof)

    def _prove(self, request: Request, waiting: ProviderRequest, code: str) -> Proof:
        verifier = self._office.secrets.decrypt(waiting.verifier, f"verifier {waiting.nonce}").decode("ascii")
        return self._provider.prove(
            code=code, callback=_callback(request), nonce=waiting.nonce, verifier=verifier,
            again=waiting.purpose == "again",
        )  # fmt: skip

    async def _come_in(self, request: Request, waiting: ProviderRequest, proof: Proof) -> Response:
        settings = self._office.settings.login

        def come_in(session: Session) -> tuple[str, Person] | None:
            known = session.scalar(select(Person).where(Person.subject == proof.subject))
            if waiting.purpose == "invited":
                person = None if known is not None else use_invitation(session, waiting.onward)
                if person is not None:
                    person.subject, person.must_change = proof.subject, False
                    note_act(session, person.id, "person.bound", "identity provider")
            else:
                person = known
            if person is None or person.left_at is not None:
                note_failures(session, subject("address", _address(request)))
                note_act(session, _address(request), "login.failed", "identity provider: nobody here")
                return None
            cookie = begin_login(
                session, person, _address(request), request.headers.get("user-agent", ""),
                lasts=timedelta(hours=settings.longest_hours), by_provider=settings.oidc.second_factor,
            )  # fmt: skip
            return cookie, person

        found = await self._write(come_in)
        if found is None:
            return self._failed(request, ProviderError("nobody here has this identity: ask for an invitation"), 403)
        cookie, person = found
        onward = "/own" if waiting.purpose == "invited" else safe_onward(waiting.onward)
        if person.totp and not settings.oidc.second_factor:
            onward = onward_to(SECOND_PATH, onward)
        response = self._onward(request, onward)
        self._login.give_cookie(response, cookie)
        return response

    async def _prove_again(self, request: Request, waiting: ProviderRequest, proof: Proof) -> Response:
        def prove(session: Session) -> bool:
            login = _login_of(session, waiting.subject)
            person = session.get(Person, login.person_id) if login else None
            if login is None or person is None or person.subject != proof.subject or person.totp is not None:
                return False
            note_second(session, login.digest)
            note_act(session, person.id, "login.again", "identity provider")
            return True

        if not await self._write(prove):
            return self._failed(request, ProviderError("that was somebody else"), 403)
        return self._onward(request, "/")

    def _onward(self, request: Request, onward: str) -> Response:
        """A page that goes on by itself: at a redirect from another site the browser would hold the cookie back."""
        response = self._pages.render(request, "onward.html", nobody("") | {"onward": onward})
        response.delete_cookie(STATE_COOKIE, secure=True, httponly=True, samesite="lax")
        return response

    def _failed(self, request: Request, error: Exception, status: int) -> Response:
        values = nobody("login_provider") | {"detail": str(error)}
        response = self._pages.render(request, "error.html", values, status=status)
        response.delete_cookie(STATE_COOKIE, secure=True, httponly=True, samesite="lax")
        return response

    async def _note_failure(self, request: Request, what: str) -> None:
        def note(session: Session) -> None:
            note_failures(session, subject("address", _address(request)))
            note_act(session, _address(request), "login.failed", f"identity provider: {what}")

        await self._write(note)

    async def _write(self, job: Any) -> Any:
        return await asyncio.wrap_future(self._office.writer.submit(job))


def _take(session: Session, state: str) -> ProviderRequest | None:
    """The request of a state, which is gone by that: only one of several who bring it gets it."""
    row = session.get(ProviderRequest, _digest(state))
    if row is None:
        return None
    session.expunge(row)
    gone = session.execute(delete(ProviderRequest).where(ProviderRequest.digest == _digest(state)))
    taken = gone.rowcount == 1  # type: ignore[attr-defined]  # a DELETE's result has it
    return row if taken and row.made_at > now() - LASTS else None


def _login_of(session: Session, digest: str) -> Login | None:
    login = session.get(Login, bytes.fromhex(digest))
    return login if login and login.expires_at > now() else None


def _callback(request: Request) -> str:
    return f"https://{request.url.netloc}{BACK}"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
