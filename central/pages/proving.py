"""Proving who one is: the code after the passphrase, and again before a dangerous act."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from central.pages.doors import Doors, Fields, Shown, Visit, open_again
from central.pages.gate import SECOND_PATH, safe_onward
from central.people.accounts import note_second, passphrase_fits
from central.people.brake import forget_failures, note_failures, subject, wait_seconds
from central.people.second_factor import code_fits

AGAIN_PATH: Final = "/again"
MAX_AGAIN: Final = 400_000


class ProvingPages:
    """`/second` and `/again`."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the pages."""
        return [
            self._doors.page(SECOND_PATH, self.second, None, gate=False),
            self._doors.form(SECOND_PATH, self.take_code, None, gate=False),
            self._doors.form(
                AGAIN_PATH, self.take_proof, None, gate=False, prepare=check_proof, most=MAX_AGAIN
            ),
        ]  # fmt: skip

    def second(self, visit: Visit) -> Shown:
        """Asks for a code."""
        onward = safe_onward(visit.request.query_params.get("next", "/"))
        if visit.person.totp is None or visit.login.second_at is not None:
            return RedirectResponse(onward, status_code=303)
        return "second.html", self._second(onward)

    def take_code(self, visit: Visit, fields: Fields) -> str | Response:
        """Check it."""
        onward = safe_onward(fields.optional("next", most=300) or "/")
        if visit.person.totp is None:
            return onward
        wait = wait_seconds(visit.session, subject("second", visit.person.id))
        if wait:
            return self._show(visit, self._second(onward, "hq_login.wait", wait=wait), wait)
        if not code_fits(visit.session, visit.office.secrets, visit.person, fields.optional("code", most=40)):
            _failed(visit)
            return self._doors.show(visit, "second.html", self._second(onward, "hq_login.code_wrong"), status=403)
        _proved(visit, "login.second")
        return onward

    def take_proof(self, visit: Visit, fields: Fields) -> str | Response:
        """Check it, and show what was about to be done, to be confirmed."""
        sealed = fields.text("sealed", most=MAX_AGAIN)
        path, told = open_again(visit, sealed)
        wait = wait_seconds(visit.session, subject("second", visit.person.id))
        if wait:
            return self._doors.asking(visit, sealed, "hq_login.wait", wait=wait)
        if visit.person.totp is not None:
            fits = code_fits(visit.session, visit.office.secrets, visit.person, fields.optional("code", most=40))
        else:
            fits = visit.prepared is True
        if not fits:
            _failed(visit)
            return self._doors.asking(visit, sealed, "hq_login.proof_wrong")
        _proved(visit, "login.again")
        values = {"target": path, "fields": told, "refresh": 0}
        return self._doors.show(visit, "confirm_again.html", values)

    def _show(self, visit: Visit, values: dict[str, Any], wait: int) -> Response:
        response = self._doors.show(visit, "second.html", values, status=429)
        response.headers["Retry-After"] = str(wait)
        return response

    @staticmethod
    def _second(onward: str, message: str = "", *, wait: int = 0) -> dict[str, Any]:
        return {"next": onward, "message": message, "minutes": wait // 60 + 1, "refresh": 0}


def check_proof(visit: Visit, fields: Fields) -> bool:
    """Whether the passphrase is right, for somebody without a second factor: slow on purpose, so before the
    transaction."""
    if visit.person.totp is not None or wait_seconds(visit.session, subject("second", visit.person.id)):
        return False
    typed = (fields.everything.get("passphrase") or [""])[0][:400]
    return visit.person.passphrase is not None and passphrase_fits(typed, visit.person.passphrase)


def _failed(visit: Visit) -> None:
    note_failures(visit.session, subject("second", visit.person.id))
    visit.note("login.failed", "second factor")


def _proved(visit: Visit, act: str) -> None:
    forget_failures(visit.session, subject("second", visit.person.id))
    note_second(visit.session, visit.login.digest)
    visit.note(act)
