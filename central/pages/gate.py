"""What stands between being logged in and a page: a passphrase to change, a second factor to set up or to give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from central.models import Login, Person
from central.people.rights import Act, Viewer
from central.people.second_factor import Policy, needs_second_factor

PASSPHRASE_PATH: Final = "/own/passphrase"  # noqa: S105  a path
SECOND_FACTOR_PATH: Final = "/own/second-factor"
SECOND_PATH: Final = "/second"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far somebody has come in proving who they are."""

    person: Person
    login: Login
    viewer: Viewer
    policy: Policy

    @property
    def must_set_up(self) -> bool:
        """They need a second factor and have none (nor did the provider they came by ask for one)."""
        return (
            self.person.totp is None
            and not self.login.by_provider
            and needs_second_factor(self.viewer, self.policy)
        )  # fmt: skip

    @property
    def owes_code(self) -> bool:
        """They have a second factor and have not given it in this browser."""
        return self.person.totp is not None and self.login.second_at is None


def first_stop(standing: Standing, act: Act | None, path: str, *, is_form: bool) -> str | None:
    """Where somebody has to go first; None: nowhere. With a code still owed one may look and no more."""
    if standing.person.must_change and not standing.owes_code:
        return PASSPHRASE_PATH
    if standing.must_set_up:
        return SECOND_FACTOR_PATH
    if standing.owes_code and (is_form or act != "look" or standing.person.must_change):
        return SECOND_PATH if is_form else onward_to(SECOND_PATH, path)
    return None


def onward_to(path: str, onward: str) -> str:
    """A path that leads on to another page of ours."""
    return path if onward in ("", "/") else f"{path}?next={quote(onward, safe='/')}"


def safe_onward(wish: str) -> str:
    """A path on this site, or `/`: never another site's address (`//host`, `/\\host`)."""
    fine = wish.startswith("/") and not wish.startswith("//") and wish.isprintable() and "\\" not in wish
    return wish if fine and len(wish) <= 300 else "/"
