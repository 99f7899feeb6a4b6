"""The doors to all pages: who is there, may they, was the form ours, and the record of it.

A page is a function of a `Visit` that gives a template's name and its values. A form is a function of a `Visit` and
the form's fields that runs inside the writer's transaction and gives the path to go to; whoever it was may have lost
their rights since the page was shown, so rights are read again in that transaction. Cross-site forms are stopped twice:
the cookie is `SameSite=Strict`, and each form carries the login's own token. Every view is on record before the page
is sent, every refusal as well.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from central.ingest.bodies import TooLargeError, read_body
from central.models import Login, Person, Store
from central.moments import now
from central.office import HeadOffice
from central.pages.gate import Standing, first_stop, onward_to
from central.pages.render import Pages, choose_language
from central.people.accounts import cookie_digest, find_login, is_fresh
from central.people.contacts import is_due
from central.people.record import note_act
from central.people.rights import Act, Viewer, viewer_of
from central.people.second_factor import policy_of
from central.throttle import Throttle
from config.errors import ClocheError, CorruptError, RefusedError, UsageError
from config.text import load_packs

COOKIE: Final = "__Host-cloche"
MAX_FORM: Final = 65_536
MAX_FIELDS: Final = 400
FORMS_A_MINUTE: Final = 60
"""Of one browser; of one address four times as many, because a chain's offices share one."""
AGAIN_LASTS: Final = 600
PREPARED_AT_ONCE: Final = 2
"""Slow work before a form's transaction takes a thread each, and others need threads too."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request of somebody who is logged in. `prepared` is what a form's `prepare` gave."""

    request: Request
    session: Session
    office: HeadOffice
    viewer: Viewer
    login: Login
    person: Person
    standing: Standing
    is_form: bool = False
    prepared: Any = None

    @property
    def language(self) -> str:
        """zh-CN or en."""
        return choose_language(self.request)

    def store(self, act: Act = "look") -> Store:
        """The store that the path names, if this act is allowed there. One that may not be looked at does not exist.

        Raises:
            HTTPException: 404.
            RefusedError: it may be looked at, and the act is not allowed.
        """
        store = self.session.get(Store, self.request.path_params["store"])
        if store is None or not self.viewer.may("look", store):
            raise HTTPException(404)
        self.viewer.require(act, store)
        return store

    def note(self, act: str, detail: str = "", *, store_id: str | None = None) -> None:
        """Record what this person did: with the form's transaction, or, on a page, in one of its own."""
        person_id = self.viewer.person_id
        if self.is_form:
            note_act(self.session, person_id, act, detail, store_id=store_id)
        else:
            self.office.writer.submit(lambda session: note_act(session, person_id, act, detail, store_id=store_id))


class Fields:
    """A form's fields. Asking for one that is missing or too long is a usage error that names it."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    @property
    def everything(self) -> dict[str, list[str]]:
        """All fields but the form's token."""
        return {name: list(values) for name, values in self._values.items() if name != "form_token"}

    def text(self, name: str, *, most: int = 400) -> str:
        """A field that must be there.

        Raises:
            UsageError: it is empty or longer than `most` characters.
        """
        found = self.optional(name, most=most)
        if not found:
            raise UsageError(f"{name}: missing")
        return found

    def optional(self, name: str, *, most: int = 400) -> str:
        """A field, or ''.

        Raises:
            UsageError: it is longer than `most` characters.
        """
        found = (self._values.get(name) or [""])[0].strip()
        if len(found) > most:
            raise UsageError(f"{name}: more than {most} characters")
        return found

    def all(self, name: str) -> list[str]:
        """All values of a field that may be given several times."""
        return [value.strip() for value in self._values.get(name, []) if value.strip()]


Shown = tuple[str, dict[str, Any]] | Response
View = Callable[[Visit], Shown]
Handler = Callable[[Visit, Fields], str | Response]
Prepare = Callable[[Visit, Fields], Any]


@dataclass(frozen=True, kw_only=True)
class _Form:
    handler: Handler
    act: Act | None
    fresh: bool
    gate: bool
    prepare: Prepare | None
    most: int


class Doors:
    """Makes routes of pages and forms."""

    def __init__(self, office: HeadOffice, pages: Pages) -> None:
        self.office = office
        self.pages = pages
        self._preparing = asyncio.Semaphore(PREPARED_AT_ONCE)
        self._of_logins = Throttle(FORMS_A_MINUTE, FORMS_A_MINUTE)
        self._of_addresses = Throttle(4 * FORMS_A_MINUTE, 4 * FORMS_A_MINUTE)

    def page(self, path: str, view: View, act: Act | None = "look", *, gate: bool = True) -> Route:
        """A page for whoever may do `act` somewhere; the view narrows it: `Visit.store`, `Viewer.visible`.

        Args:
            path: of the route.
            view: what is shown.
            act: the right that is needed; None: whoever is logged in.
            gate: False for the few pages on which a passphrase is changed or a second factor set up.
        """

        def serve(request: Request) -> Response:
            with self.office.sessions() as session:
                visit = self._visit(request, session)
                if visit is None:
                    return self._to_login(request)
                stop = first_stop(visit.standing, act, request.url.path, is_form=False) if gate else None
                if stop:
                    return RedirectResponse(stop, status_code=303)
                try:
                    if act is not None:
                        visit.viewer.require(act)
                    shown = view(visit)
                except RefusedError as error:
                    self.office.views.refused(visit.viewer.person_id, request.url.path, str(error))
                    return self.say(visit, "error_refused", status=403, detail=words_of(visit.language, error))
                except UsageError as error:
                    return self.say(visit, "error_usage", status=422, detail=words_of(visit.language, error))
                if request.headers.get("cloche-live") is None:  # a page that refreshes itself is not somebody there
                    self.office.views.seen(visit.login)
                self.office.views.note(visit.viewer.person_id, request.url.path)
                if isinstance(shown, Response):
                    return shown
                return self.show(visit, *shown)

        return Route(path, serve, methods=["GET"])

    def form(  # noqa: PLR0913  each keyword is a rule of its own, most are left out
        self,
        path: str,
        handler: Handler,
        act: Act | None = "look",
        *,
        fresh: bool = False,
        gate: bool = True,
        prepare: Prepare | None = None,
        most: int = MAX_FORM,
    ) -> Route:
        """Where a form is sent to: checked, carried out in one transaction, and the browser sent on.

        Args:
            path: of the route.
            handler: carries it out; gives the path to go to, or what is shown instead.
            act: the right that is needed; None: whoever is logged in.
            fresh: a dangerous act: whoever has not proved who they are within ten minutes is asked to, and then to
                confirm.
            gate: False for forms by which a passphrase is changed or a second factor set up.
            prepare: slow work (a passphrase's digest) done before the transaction; its result is `Visit.prepared`.
            most: bytes.
        """
        form = _Form(handler=handler, act=act, fresh=fresh, gate=gate, prepare=prepare, most=most)
        return Route(path, self._form(form), methods=["POST"])

    def show(self, visit: Visit, template: str, values: dict[str, Any], *, status: int = 200) -> Response:
        """A page."""
        return self.pages.render(visit.request, template, self.around(visit) | values, status=status)

    def say(self, visit: Visit, key: str, *, status: int, detail: str = "") -> Response:
        """A page with one message."""
        return self.show(visit, "error.html", {"message": key, "detail": detail, "refresh": 0}, status=status)

    def around(self, visit: Visit) -> dict[str, Any]:
        """What the layout needs."""
        return {
            "officer": visit.viewer.name, "viewer": visit.viewer, "form_token": visit.login.form_token, "refresh": 15,
            "contacts_due": bool(visit.viewer.rights) and is_due(visit.person, now()),
        }  # fmt: skip

    def _form(self, form: _Form) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            wait = self._throttled(request)
            if wait:
                response = self.pages.render(request, "error.html", nobody("error_busy"), status=429)
                response.headers["Retry-After"] = str(wait)
                return response
            fields = await read_fields(request, form.most)
            if fields is None:
                return self.pages.render(request, "error.html", nobody("error_not_allowed"), status=400)
            try:
                prepared = None
                if form.prepare:
                    async with self._preparing:
                        prepared = await asyncio.to_thread(self._prepare, form, request, fields)
                job = self._job(form, request, fields, prepared)
                response = await asyncio.wrap_future(self.office.writer.submit(job))
            except (RefusedError, UsageError) as error:
                return await asyncio.to_thread(self._refuse, request, error)
            return response

        return serve

    def _prepare(self, form: _Form, request: Request, fields: Fields) -> Any:
        with self.office.sessions() as session:
            visit = self._visit(request, session)
            if visit is None or form.prepare is None or not _is_ours(visit, fields):
                return None  # refused again, and answered, in the transaction
            return form.prepare(visit, fields)

    def _job(
        self, form: _Form, request: Request, fields: Fields, prepared: Any
    ) -> Callable[[Session], Response]:  # fmt: skip
        def carry_out(session: Session) -> Response:
            visit = self._visit(request, session, is_form=True, prepared=prepared)
            if visit is None:
                return RedirectResponse("/login?ended=yes", status_code=303)
            if not _is_ours(visit, fields):
                visit.note("refused", f"{request.url.path} form token")
                return self.say(visit, "login_stale", status=403)
            stop = first_stop(visit.standing, form.act, request.url.path, is_form=True) if form.gate else None
            if stop:
                return RedirectResponse(stop, status_code=303)
            if form.act is not None:
                visit.viewer.require(form.act)
            if form.fresh and not is_fresh(visit.login):
                return self.ask_again(visit, request.url.path, fields)
            self.office.views.seen(visit.login)
            answer = form.handler(visit, fields)
            return answer if isinstance(answer, Response) else RedirectResponse(answer, status_code=303)

        return carry_out

    def ask_again(self, visit: Visit, path: str, fields: Fields, message: str = "") -> Response:
        """Ask who it is once more; the form comes along, sealed, and is confirmed afterwards."""
        told = json.dumps({"path": path, "fields": fields.everything, "at": int(time.time())}).encode()
        sealed = base64.urlsafe_b64encode(visit.office.secrets.encrypt(told, _purpose(visit))).decode("ascii")
        return self.asking(visit, sealed, message)

    def asking(self, visit: Visit, sealed: str, message: str = "", *, wait: int = 0) -> Response:
        """The page that asks."""
        return self.show(
            visit, "again.html",
            {"sealed": sealed, "message": message, "minutes": wait // 60 + 1, "refresh": 0, "person": visit.person,
             "oidc": visit.office.settings.login.oidc},
            status=429 if wait else 403,
        )  # fmt: skip

    def _throttled(self, request: Request) -> int:
        address = request.client.host if request.client else ""
        cookie = request.cookies.get(COOKIE)
        of_login = self._of_logins.wait(cookie_digest(cookie).hex()) if cookie else 0
        return max(of_login, self._of_addresses.wait(address))

    def _refuse(self, request: Request, error: ClocheError) -> Response:
        with self.office.sessions() as session:
            visit = self._visit(request, session)
            if visit is None:
                return RedirectResponse("/login", status_code=303)
            if isinstance(error, RefusedError):
                self.office.views.refused(visit.viewer.person_id, request.url.path, str(error))
                return self.say(visit, "error_refused", status=403, detail=words_of(visit.language, error))
            return self.say(visit, "error_usage", status=422, detail=words_of(visit.language, error))

    def _to_login(self, request: Request) -> Response:
        """To the login page; a link in a mail comes without the cookie (it is `Strict`) and is followed once more."""
        path = request.url.path
        if request.headers.get("sec-fetch-site") == "cross-site":
            return self.pages.render(request, "onward.html", nobody("") | {"onward": path})
        return RedirectResponse(onward_to("/login", path), status_code=303)

    def _visit(
        self, request: Request, session: Session, *, is_form: bool = False, prepared: Any = None
    ) -> Visit | None:
        idle = timedelta(minutes=self.office.settings.login.idle_minutes)
        login = find_login(session, request.cookies.get(COOKIE), idle)
        person = session.get(Person, login.person_id) if login else None
        if login is None or person is None or person.left_at is not None:
            return None
        viewer = viewer_of(session, person, now().astimezone(self.office.timezone).date())
        standing = Standing(person=person, login=login, viewer=viewer, policy=policy_of(session))
        return Visit(
            request=request, session=session, office=self.office, viewer=viewer, login=login, person=person,
            standing=standing, is_form=is_form, prepared=prepared,
        )  # fmt: skip


def open_again(visit: Visit, sealed: str) -> tuple[str, dict[str, list[str]]]:
    """The path and fields of a form that waited for a second proof.

    Raises:
        UsageError: it is not this browser's, or older than ten minutes.
    """
    try:
        told = json.loads(visit.office.secrets.decrypt(base64.urlsafe_b64decode(sealed.encode()), _purpose(visit)))
    except (CorruptError, ValueError) as error:
        raise UsageError("this page is stale: begin again") from error
    if told["at"] + AGAIN_LASTS < time.time():
        raise UsageError("this page is stale: begin again")
    return str(told["path"]), dict(told["fields"])


def words_of(language: str, error: ClocheError) -> str:
    """An error's message for a reader: an error may name a text (`hq_people.last_lead`), an act, or be plain words."""
    told, packs = str(error), load_packs()
    if told in packs:
        return packs[told][language]
    return packs[f"hq_people.act_{told}"][language] if f"hq_people.act_{told}" in packs else told


def nobody(message: str) -> dict[str, Any]:
    """What the layout needs where nobody is logged in."""
    return {"message": message, "detail": "", "officer": "", "viewer": None, "form_token": "", "refresh": 0}


async def read_fields(request: Request, most: int = MAX_FORM) -> Fields | None:
    """The fields of a small form, or None for something else."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    try:
        body = await read_body(request, most)
        return Fields(parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (TooLargeError, ValueError):
        return None


def _is_ours(visit: Visit, fields: Fields) -> bool:
    return hmac.compare_digest(fields.optional("form_token").encode(), visit.login.form_token.encode())


def _purpose(visit: Visit) -> str:
    return f"form again {visit.login.digest.hex()}"
