"""Who asks the API: a program with a token of somebody, with that person's rights as they are at this moment.

The token travels as `Authorization: Bearer` (RFC 6750). A wrong one costs the address it came from: after some the
address waits. What was looked at and done is on record under the person's id and the token's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from central.api.problems import ProblemError
from central.models import Store
from central.moments import now
from central.office import HeadOffice
from central.people.rights import Act, Viewer
from central.people.tokens import person_of_token
from central.throttle import Throttle

WRONG_A_MINUTE: Final = 20
_SCHEME: Final = HTTPBearer(auto_error=False, description="a token made under /settings/tokens")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One request of a program."""

    office: HeadOffice = field(repr=False)
    viewer: Viewer
    """Whose rights count, within what the token may do."""

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to read in."""
        with self.office.sessions() as session:
            yield session

    def store(self, session: Session, store_id: str, act: Act = "look") -> Store:
        """A store, if the act is allowed there; one that may not be looked at does not exist.

        Raises:
            ProblemError: 404 or 403.
        """
        store = session.get(Store, store_id) if "\0" not in store_id else None
        if store is None or not self.viewer.may("look", store):
            raise ProblemError(404, "not_found")
        self.require(act, store)
        return store

    def require(self, act: Act, store: Store | None = None) -> None:
        """Go on only if the act is allowed.

        Raises:
            ProblemError: 403.
        """
        if not self.viewer.may(act, store):
            self.office.views.refused(self.viewer.person_id, f"/api ({self.viewer.token_id})", act)
            raise ProblemError(403, "right", f"the right {act} is needed")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What guards the API of one process."""

    office: HeadOffice = field(repr=False)
    of_tokens: Throttle
    of_addresses: Throttle


def asking(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]) -> Asking:
    """The caller.

    Raises:
        ProblemError: 401 without a token that holds, 429 for one that asks too often.
    """
    gate = cast("Gate", request.app.state.gate)
    address = request.client.host if request.client else ""
    if seconds := gate.of_addresses.is_empty(address):
        raise too_many(seconds)
    if credentials is None:
        raise ProblemError(401, "token", "send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
    with gate.office.sessions() as session:
        today = now().astimezone(gate.office.timezone).date()
        viewer = person_of_token(session, credentials.credentials, today)
    if viewer is None:
        gate.of_addresses.wait(address)
        raise ProblemError(
            401, "token", "unknown, expired or withdrawn", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        )
    if seconds := gate.of_tokens.wait(viewer.token_id):
        raise too_many(seconds)
    gate.office.views.used(viewer.token_id)
    if request.method == "GET":  # what changes something is on record as an act
        gate.office.views.note(viewer.person_id, f"{request.url.path} (token {viewer.token_id})")
    return Asking(office=gate.office, viewer=viewer)


def too_many(seconds: int) -> ProblemError:
    """429 with when to come again."""
    return ProblemError(429, "rate", f"again in {seconds} s", {"Retry-After": str(seconds)})


Asker = Annotated[Asking, Depends(asking)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents that an operation may answer, for OpenAPI."""
    return {
        status: {"description": text, "content": {"application/problem+json": {"schema": PROBLEM_SCHEMA}}}
        for status, text in (
            (status, _STATUS_TEXTS[status]) for status in (400, 401, 403, 404, 422, 429, 503, *statuses)
        )
    }


PROBLEM_SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}
_STATUS_TEXTS: Final[dict[int, str]] = {
    400: "not understood", 401: "no token that holds", 403: "no right", 404: "no such thing, or none that may be seen",
    409: "the idempotency key was used for something else", 413: "too large", 422: "a field does not fit",
    429: "too often: wait `Retry-After` seconds", 503: "the database is away",
}  # fmt: skip
