"""Officers' keys: made in the officer's own browser or on a machine of theirs, confirmed by a second person.

The private half is made by the browser (WebCrypto, Ed25519, not extractable) and stays in it; head office gets the
public half by a form like any other. What a head office that fell could do with a page like this is said on it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from starlette.routing import Route

from central.direct import officers
from central.direct.orders import give_order, name_of
from central.models import OfficerKey, Person
from central.pages.doors import Doors, Fields, Visit
from central.wire import decode, encode
from config.errors import RefusedError, UsageError
from config.text import Text

PROPOSAL_LASTS = timedelta(days=30)


def routes(doors: Doors) -> list[Route]:
    """Paths of officers' keys."""
    return [
        doors.page("/officers", show),
        doors.form("/officers/register", register, fresh=True),
        doors.form("/officers/confirm", confirm, fresh=True),
        doors.form("/officers/revoke", revoke, fresh=True),
        doors.form("/officers/policy", propose, "settings", fresh=True),
    ]


def show(visit: Visit) -> tuple[str, dict[str, Any]]:
    """The policy in force, one's own keys, and keys that wait for a second person."""
    session = visit.session
    policy = officers.policy_in_force(session)
    pinned = {officer.key for officer in policy.officers}
    me = session.get(Person, visit.viewer.person_id)
    rows = [
        {
            "key": encode(key.public_key), "person": key.person_id, "name": name_of(session, key.person_id),
            "label": key.label, "made_at": key.made_at, "words": officers.key_words(key.public_key),
            "state": "key_revoked" if key.revoked_at else "key_confirmed" if key.confirmed_at else "key_waits",
            "in_policy": encode(key.public_key) in pinned, "mine": key.person_id == visit.viewer.person_id,
        }
        for key in session.scalars(select(OfficerKey).order_by(OfficerKey.made_at.desc()))
    ]  # fmt: skip
    people: dict[str, dict[str, Any]] = {}
    for officer in policy.officers:
        one = people.setdefault(officer.person, {"name": officer.name, "it": officer.it, "keys": 0})
        one["keys"] += 1
    return "officers.html", {
        "policy": policy, "people": list(people.values()), "can_sign": policy.can_sign,
        "stale": officers.is_policy_stale(session), "rows": rows,
        "may_be_officer": me is not None and officers.may_be_officer(session, me),
        "may_propose": visit.viewer.may("settings"), "ready": officers.wanted_policy(session).can_sign, "refresh": 0,
    }  # fmt: skip


def register(visit: Visit, fields: Fields) -> str:
    """Put one's own public key down."""
    person = visit.session.get_one(Person, visit.viewer.person_id)
    officers.register_key(visit.session, person, _key(fields), fields.optional("label", most=80))
    return "/officers"


def confirm(visit: Visit, fields: Fields) -> str:
    """Say, as a second person, that the words are the ones on the officer's screen."""
    by = visit.session.get_one(Person, visit.viewer.person_id)
    officers.confirm_key(visit.session, by, fields.text("person", most=40), _key(fields), fields.text("words"))
    return "/officers"


def revoke(visit: Visit, fields: Fields) -> str:
    """Take a key back: one's own, or anybody's for whoever may change settings.

    Raises:
        RefusedError: it is somebody else's.
    """
    person = fields.text("person", most=40)
    if person != visit.viewer.person_id and not visit.viewer.may("settings"):
        raise RefusedError("settings")
    if fields.optional("confirmed") != "yes":
        raise UsageError("confirmed: look it over first")
    officers.revoke_key(visit.session, visit.viewer.person_id, person, _key(fields))
    return "/officers"


def propose(visit: Visit, fields: Fields) -> str:
    """Make the next policy: an order to all stores that two officers of the present one sign.

    Raises:
        RefusedError: there would be fewer than two officers.
    """
    if fields.optional("confirmed") != "yes":
        raise UsageError("confirmed: look it over first")
    wanted = officers.wanted_policy(visit.session)
    if not wanted.can_sign:
        raise RefusedError(Text()("hq_direct.few_officers"))
    given = give_order(
        visit.session, visit.viewer, "officers", "all", {"policy": officers.document_of(wanted)},
        reason=fields.text("reason"), lasts=PROPOSAL_LASTS,
    )  # fmt: skip
    return f"/orders/{given.id}"


def _key(fields: Fields) -> bytes:
    try:
        return decode(fields.text("key", most=60))
    except ValueError as error:
        raise UsageError("key: not base64url") from error
