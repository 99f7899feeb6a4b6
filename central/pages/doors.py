"""The doors to all pages: who is there, may they, was the form ours, and the record of it.

A page is a function of a `Visit` that gives a template's name and its values. A form is a function of a `Visit` and
the form's fields that runs inside the writer's transaction and gives the path to go to; whoever it was may have lost
their rights since the page was shown, so rights are read again in that transaction. Cross-site forms are stopped twice:
the cookie is `SameSite=Strict`, and each form carries the login's own token.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
from central.pages.render import Pages, choose_language
from central.people.accounts import find_login
from central.people.record import note_act
from central.people.rights import Act, Viewer, viewer_of
from config.errors import ClocheError, RefusedError, UsageError

COOKIE: Final = "__Host-cloche"
MAX_FORM: Final = 65_536
MAX_FIELDS: Final = 400


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request of somebody who is logged in."""

    request: Request
    session: Session
    office: HeadOffice
    viewer: Viewer
    login: Login

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
        """Record what this person did."""
        note_act(self.session, self.viewer.person_id, act, detail, store_id=store_id)


Shown = tuple[str, dict[str, Any]] | Response
View = Callable[[Visit], Shown]
Handler = Callable[[Visit, "Fields"], str]


class Fields:
    """A form's fields. Asking for one that is missing or too long is a usage error that names it."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

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


class Doors:
    """Makes routes of pages and forms."""

    def __init__(self, office: HeadOffice, pages: Pages) -> None:
        self._office = office
        self._pages = pages

    def page(self, path: str, view: View, act: Act = "look") -> Route:
        """A page for whoever may do `act` somewhere; the view narrows it: `Visit.store`, `Viewer.visible`."""

        def serve(request: Request) -> Response:
            with self._office.sessions() as session:
                visit = self._visit(request, session)
                if visit is None:
                    return RedirectResponse("/login", status_code=303)
                try:
                    visit.viewer.require(act)
                    shown = view(visit)
                except RefusedError:
                    return self.say(visit, "error_refused", status=403)
                if isinstance(shown, Response):
                    return shown
                template, values = shown
                return self._pages.render(request, template, self.around(visit) | values)

        return Route(path, serve, methods=["GET"])

    def form(self, path: str, handler: Handler, act: Act = "look") -> Route:
        """Where a form is sent to: checked, carried out in one transaction, and the browser sent on."""
        return Route(path, self._form(handler, act), methods=["POST"])

    def say(self, visit: Visit, key: str, *, status: int, detail: str = "") -> Response:
        """A page with one message."""
        values = self.around(visit) | {"message": key, "detail": detail, "refresh": 0}
        return self._pages.render(visit.request, "error.html", values, status=status)

    def around(self, visit: Visit) -> dict[str, Any]:
        """What the layout needs."""
        return {
            "officer": visit.viewer.name, "viewer": visit.viewer, "form_token": visit.login.form_token, "refresh": 15,
        }  # fmt: skip

    def _form(self, handler: Handler, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            fields = await read_fields(request)
            if fields is None:
                return self._pages.render(request, "error.html", nobody("error_not_allowed"), status=400)

            def carry_out(session: Session) -> Response:
                visit = self._visit(request, session)
                if visit is None:
                    return RedirectResponse("/login", status_code=303)
                if not hmac.compare_digest(fields.optional("form_token").encode(), visit.login.form_token.encode()):
                    return self.say(visit, "login_stale", status=403)
                visit.viewer.require(act)
                return RedirectResponse(handler(visit, fields), status_code=303)

            try:
                response: Response = await asyncio.wrap_future(self._office.writer.submit(carry_out))
            except (RefusedError, UsageError) as error:
                return await asyncio.to_thread(self._refuse, request, error)
            return response

        return serve

    def _refuse(self, request: Request, error: ClocheError) -> Response:
        with self._office.sessions() as session:
            visit = self._visit(request, session)
            if visit is None:
                return RedirectResponse("/login", status_code=303)
            if isinstance(error, RefusedError):
                return self.say(visit, "error_refused", status=403, detail=str(error))
            return self.say(visit, "error_usage", status=422, detail=str(error))

    def _visit(self, request: Request, session: Session) -> Visit | None:
        login = find_login(session, request.cookies.get(COOKIE))
        person = session.get(Person, login.person_id) if login else None
        if login is None or person is None or person.left_at is not None:
            return None
        viewer = viewer_of(session, person, now().astimezone(self._office.timezone).date())
        return Visit(request=request, session=session, office=self._office, viewer=viewer, login=login)


def nobody(message: str) -> dict[str, Any]:
    """What the layout needs where nobody is logged in."""
    return {"message": message, "detail": "", "officer": "", "viewer": None, "form_token": "", "refresh": 0}


async def read_fields(request: Request) -> Fields | None:
    """The fields of a small form, or None for something else."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    try:
        body = await read_body(request, MAX_FORM)
        return Fields(parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (TooLargeError, ValueError):
        return None
