"""One's own page: contacts, language, passphrase, second factor, browsers that are logged in, tokens of programs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from central.models import ApiToken, Login, Person
from central.moments import now
from central.pages.doors import Doors, Fields, Shown, Visit
from central.pages.gate import PASSPHRASE_PATH, SECOND_FACTOR_PATH, SECOND_PATH
from central.pages.login import refusal
from central.people.accounts import (
    FRESH,
    check_passphrase,
    end_logins,
    hash_passphrase,
    is_fresh,
    note_second,
    passphrase_fits,
)  # fmt: skip
from central.people.brake import forget_failures, note_failures, subject, wait_seconds
from central.people.contacts import set_contacts
from central.people.scopes import name_of_scope
from central.people.second_factor import (
    begin_using,
    needs_second_factor,
    new_enrolment,
    new_recovery_codes,
    open_enrolment,
    picture_of,
    policy_of,
    recovery_codes_left,
    stop_using,
)  # fmt: skip
from central.people.tokens import make_token, revoke_token
from config.errors import RefusedError, UsageError
from config.text import LANGUAGES

TOKEN_DAYS: Final = (30, 90, 180, 365)


class OwnPages:
    """`/own` and what is below it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the pages and forms."""
        page, form = self._doors.page, self._doors.form
        return [
            page("/own", own, None),
            form("/own/contacts", contacts, None),
            page(PASSPHRASE_PATH, passphrase, None, gate=False),
            form(PASSPHRASE_PATH, self.change_passphrase, None, gate=False, prepare=prepare_passphrase),
            page(SECOND_FACTOR_PATH, second_factor, None, gate=False),
            page(f"{SECOND_FACTOR_PATH}/picture", picture, None, gate=False),
            form(SECOND_FACTOR_PATH, self.set_up, None, gate=False),
            form(f"{SECOND_FACTOR_PATH}/codes", self.new_codes, None, fresh=True),
            form(f"{SECOND_FACTOR_PATH}/off", turn_off, None, fresh=True),
            form("/own/logins/end", end_login_of_own, None),
            form("/own/tokens", self.new_token, None, fresh=True),
            form("/own/tokens/{token}/revoke", revoke, None),
        ]

    def change_passphrase(self, visit: Visit, fields: Fields) -> str | Response:
        """Take a new one; all other browsers are logged out."""
        del fields
        if visit.standing.owes_code:
            return SECOND_PATH
        if visit.person.passphrase is None and not is_fresh(visit.login):
            raise RefusedError("hq_people.prove_first")
        problem, stored = visit.prepared or ("hq_login.proof_wrong", "")
        who = subject("second", visit.person.id)
        if problem == "hq_login.proof_wrong":
            note_failures(visit.session, who)
            visit.note("login.failed", "passphrase")
        if problem:
            return self._doors.show(visit, "own_passphrase.html", _passphrase(visit, problem), status=422)
        forget_failures(visit.session, who)
        visit.person.passphrase, visit.person.must_change = stored, False
        end_logins(visit.session, visit.person.id, but=visit.login.digest)
        visit.note("person.passphrase", "own")
        return "/own"

    def set_up(self, visit: Visit, fields: Fields) -> str | Response:
        """Keep a second factor whose first code fits, and show the recovery codes, once."""
        person = visit.person
        if person.totp is not None:
            return SECOND_FACTOR_PATH
        if not is_fresh(visit.login) and visit.login.begun_at + FRESH < now():
            return self._doors.ask_again(visit, SECOND_FACTOR_PATH, fields)
        sealed = fields.text("sealed", most=1000)
        secret = open_enrolment(visit.office.secrets, person, sealed)
        wait = wait_seconds(visit.session, subject("second", person.id))
        try:
            if wait:
                raise UsageError("too often")
            codes = begin_using(visit.session, visit.office.secrets, person, secret, fields.optional("code", most=40))
        except UsageError:
            note_failures(visit.session, subject("second", person.id))
            problem = "hq_login.wait" if wait else "hq_login.code_wrong"
            values = _setting_up(visit, sealed, secret, problem) | {"minutes": wait // 60 + 1}
            return self._doors.show(visit, "own_second_factor.html", values, status=429 if wait else 422)
        note_second(visit.session, visit.login.digest)
        end_logins(visit.session, person.id, but=visit.login.digest)
        visit.note("second_factor.set_up")
        return self._doors.show(visit, "own_codes.html", {"codes": codes, "refresh": 0})

    def new_codes(self, visit: Visit, fields: Fields) -> str | Response:
        """New recovery codes in place of the old ones, shown once."""
        del fields
        if visit.person.totp is None:
            return SECOND_FACTOR_PATH
        codes = new_recovery_codes(visit.session, visit.office.secrets, visit.person)
        visit.note("second_factor.codes")
        return self._doors.show(visit, "own_codes.html", {"codes": codes, "refresh": 0})

    def new_token(self, visit: Visit, fields: Fields) -> str | Response:
        """Make a token and show it, once."""
        days = fields.text("days", most=4)
        if days not in {str(choice) for choice in TOKEN_DAYS}:
            raise UsageError("hq_people.days_wrong")
        text, row = make_token(
            visit.session, visit.person, fields.text("name", most=80), writes=fields.optional("writes") == "yes",
            lasts=timedelta(days=int(days)),
        )  # fmt: skip
        return self._doors.show(visit, "own_token.html", {"token": text, "row": row, "refresh": 0})


def own(visit: Visit) -> Shown:
    """Everything about oneself."""
    person, session = visit.person, visit.session
    logins = session.scalars(select(Login).where(Login.person_id == person.id).order_by(Login.seen_at.desc()))
    tokens = session.scalars(
        select(ApiToken)
        .where(ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > now())
        .order_by(ApiToken.made_at)
    )
    return "own.html", {
        "person": person, "languages": LANGUAGES, "logins": list(logins), "this_login": visit.login.digest,
        "tokens": list(tokens), "token_days": TOKEN_DAYS, "codes_left": recovery_codes_left(session, person),
        "rights": [(right, name_of_scope(session, right.scope, right.scope_id)) for right in visit.viewer.rights],
        "refresh": 0,
    }  # fmt: skip


def contacts(visit: Visit, fields: Fields) -> str:
    """New contacts and language; by that they are confirmed."""
    language = fields.text("language", most=8)
    if language not in LANGUAGES:
        raise UsageError("hq_people.language_wrong")
    set_contacts(
        visit.session, visit.person, mail=fields.optional("mail", most=200), mobile=fields.optional("mobile", most=40),
        by=visit.person.id,
    )  # fmt: skip
    visit.person.language, visit.person.confirmed_at = language, now()
    visit.note("contacts.confirmed", visit.person.id)
    return f"/own?lang={language}"


def passphrase(visit: Visit) -> Shown:
    """The form."""
    if visit.standing.owes_code:
        return RedirectResponse(f"{SECOND_PATH}?next={PASSPHRASE_PATH}", status_code=303)
    return "own_passphrase.html", _passphrase(visit, "")


def prepare_passphrase(visit: Visit, fields: Fields) -> tuple[str, str]:
    """What is wrong with it (a text's key, or ''), and what is stored."""
    values = fields.everything
    old, chosen, again = ((values.get(name) or [""])[0][:401] for name in ("old", "passphrase", "again"))
    if visit.standing.owes_code or wait_seconds(visit.session, subject("second", visit.person.id)):
        return "hq_login.too_often", ""
    if visit.person.passphrase is not None and not passphrase_fits(old, visit.person.passphrase):
        return "hq_login.proof_wrong", ""
    if chosen != again:
        return "hq_login.not_the_same", ""
    if chosen == old:
        return "hq_login.not_new", ""
    person = visit.person
    try:
        check_passphrase(chosen, (person.name, person.login or "", person.mail.partition("@")[0], visit.office.name))
    except UsageError as error:
        return refusal(error), ""
    return "", hash_passphrase(chosen)


def second_factor(visit: Visit) -> Shown:
    """How it stands, or how it is set up."""
    if visit.person.totp is not None:
        return RedirectResponse("/own#second-factor", status_code=303)
    sealed = new_enrolment(visit.office.secrets, visit.person)
    secret = open_enrolment(visit.office.secrets, visit.person, sealed)
    return "own_second_factor.html", _setting_up(visit, sealed, secret, "")


def picture(visit: Visit) -> Shown:
    """The QR code of an enrolment that this person began."""
    secret = open_enrolment(visit.office.secrets, visit.person, visit.request.query_params.get("sealed", ""))
    svg = picture_of(secret, visit.person.login or visit.person.name, visit.office.name)
    return Response(svg, media_type="image/svg+xml")


def turn_off(visit: Visit, fields: Fields) -> str:
    """Without a second factor from now on, where that is allowed."""
    del fields
    if needs_second_factor(visit.viewer, policy_of(visit.session)):
        raise RefusedError("hq_people.second_factor_needed")
    stop_using(visit.session, visit.person)
    end_logins(visit.session, visit.person.id, but=visit.login.digest)
    visit.note("second_factor.off")
    return "/own"


def end_login_of_own(visit: Visit, fields: Fields) -> str:
    """Log one of one's browsers out, or all others."""
    which = fields.text("login", most=64)
    if which == "others":
        count = end_logins(visit.session, visit.person.id, but=visit.login.digest)
        visit.note("logout", f"{count} others")
        return "/own"
    login = visit.session.get(Login, bytes.fromhex(which)) if re.fullmatch("[0-9a-f]{64}", which) else None
    if login is None or login.person_id != visit.person.id:
        raise RefusedError("hq_people.no_such_login")
    visit.session.delete(login)
    visit.note("logout", "another browser")
    return "/own"


def revoke(visit: Visit, fields: Fields) -> str:
    """End a token of one's own."""
    del fields
    revoke_token(visit.session, visit.person.id, visit.request.path_params["token"], by=visit.person.id)
    return "/own#tokens"


def _passphrase(visit: Visit, message: str) -> dict[str, Any]:
    return {"person": visit.person, "message": message, "refresh": 0}


def _setting_up(visit: Visit, sealed: str, secret: str, message: str) -> dict[str, Any]:
    person: Person = visit.person
    return {
        "person": person, "sealed": sealed, "message": message, "minutes": 0, "refresh": 0,
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "is_needed": needs_second_factor(visit.viewer, policy_of(visit.session)),
    }  # fmt: skip
