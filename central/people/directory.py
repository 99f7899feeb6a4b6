"""People of the plan: who they are, which roles they hold where, who stands in for them, and how they go.

Rules: nobody gives or takes more than they hold themselves; the last leader with an account stays; a franchise's own
people hold roles there alone, so that nobody at head office widens an agreement by giving themselves a role in it; two
people who are there have different names, because a store knows people by name. Whoever leaves loses everything in the
same transaction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final, get_args

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from central.models import ApiToken, Entity, Fact, Grant, Invitation, OfficerKey, Person, Store, Substitution
from central.moments import now
from central.people.accounts import end_logins, new_person_id
from central.people.contacts import set_contacts
from central.people.record import note_act, plain
from central.people.rights import ACTS_OF_ROLE, Act, Right, Viewer
from central.people.second_factor import stop_using
from config.errors import RefusedError, UsageError
from config.schema import Role
from config.text import LANGUAGES

ROLES: Final[tuple[Role, ...]] = get_args(Role)
LEAD: Final[Role] = "security_lead"
CHANGED: Final = "people.changed"
"""Fact: when people or roles last changed; stores are sent their lists some seconds after."""
_LOGIN: Final = re.compile(r"[\w.@+-]{2,80}")


def machine_viewer(name: str = "cloche-hq") -> Viewer:
    """Whoever runs `cloche-hq` on head office's own machine: may do everything everywhere."""
    return Viewer(person_id="cloche-hq", name=name, rights=(Right(role=LEAD, scope="all"),))


def touch(session: Session) -> None:
    """People changed: stores are told soon."""
    session.merge(Fact(key=CHANGED, value=now().isoformat()))


def add(  # noqa: PLR0913  one argument a fact
    session: Session, by: Viewer, name: str, *, login: str = "", mail: str = "", mobile: str = "",
    language: str = "zh-CN",
) -> Person:  # fmt: skip
    """Somebody new, without a role.

    Raises:
        RefusedError: the viewer does not look after people.
        UsageError: the name or account is taken or none, or a contact is none.
    """
    by.require("people")
    shown = plain(name, 80).strip()
    if not shown:
        raise UsageError("hq_people.name_missing")
    if session.scalar(select(exists().where(Person.name == shown, Person.left_at.is_(None)))):
        raise UsageError("hq_people.name_taken")
    if login and not _LOGIN.fullmatch(login):
        raise UsageError("hq_people.login_wrong")
    if login and session.scalar(select(exists().where(Person.login == login))):
        raise UsageError("hq_people.login_taken")
    if language not in LANGUAGES:
        raise UsageError("hq_people.language_wrong")
    person = Person(id=new_person_id(), name=shown, login=login or None, language=language, made_at=now())
    session.add(person)
    note_act(session, by.person_id, "person.added", f"{person.id} {shown}")
    set_contacts(session, person, mail=mail, mobile=mobile, by=by.person_id)
    session.flush()
    touch(session)
    return person


def give_account(session: Session, by: Viewer, person: Person, login: str) -> None:
    """Let somebody have an account; they take it over by an invitation.

    Raises:
        RefusedError: the viewer may not manage this person.
        UsageError: the account is taken or none.
    """
    require_over(session, by, person)
    if not _LOGIN.fullmatch(login):
        raise UsageError("hq_people.login_wrong")
    if session.scalar(select(exists().where(Person.login == login, Person.id != person.id))):
        raise UsageError("hq_people.login_taken")
    person.login = login
    note_act(session, by.person_id, "person.account", f"{person.id} {login}")


def grant(session: Session, by: Viewer, person: Person, right: Right) -> bool:
    """Give a role in a scope; False if they hold it already. Their logins end, so that it holds at once.

    Raises:
        RefusedError: they left, it is more than the viewer holds, or it mixes a franchise's people with others.
        UsageError: no such role.
    """
    if right.role not in ROLES:
        raise UsageError("hq_people.role_wrong")
    if person.left_at is not None:
        raise RefusedError("hq_people.has_left")
    by.require("people")
    if person.id == by.person_id:
        raise RefusedError("hq_people.not_oneself")
    require_cover(session, by, right)
    _keep_apart(session, by, person, right)
    if session.get(Grant, (person.id, right.role, right.scope, right.scope_id)) is not None:
        return False
    session.add(
        Grant(person_id=person.id, role=right.role, scope=right.scope, scope_id=right.scope_id, since=now())
    )  # fmt: skip
    session.flush()
    _changed(session, by, person, "person.granted", right)
    return True


def revoke(session: Session, by: Viewer, person: Person, right: Right) -> None:
    """Take a role in a scope away; their logins end.

    Raises:
        RefusedError: they do not hold it, it is more than the viewer holds, or they are the last leader.
    """
    by.require("people")
    row = session.get(Grant, (person.id, right.role, right.scope, right.scope_id))
    if row is None:
        raise RefusedError("hq_people.not_held")
    require_cover(session, by, right)
    if right.role == LEAD and right.scope == "all":
        _keep_a_lead(session, person)
    session.delete(row)
    session.flush()
    _changed(session, by, person, "person.revoked", right)


def leave(session: Session, by: Viewer, person: Person) -> None:
    """Somebody goes: roles, logins, tokens, invitations, officer's key, second factor and stand-ins end at once.

    Raises:
        RefusedError: the viewer may not manage them, or they are the last leader.
    """
    require_over(session, by, person)
    if person.left_at is not None:
        return
    _keep_a_lead(session, person)
    moment = now()
    held = rights_of(session, person)
    session.execute(delete(Grant).where(Grant.person_id == person.id))
    session.execute(delete(Invitation).where(Invitation.person_id == person.id, Invitation.used_at.is_(None)))
    session.execute(
        update(ApiToken).where(ApiToken.person_id == person.id, ApiToken.revoked_at.is_(None)).values(revoked_at=moment)
    )
    session.execute(
        update(OfficerKey)
        .where(OfficerKey.person_id == person.id, OfficerKey.revoked_at.is_(None))
        .values(revoked_at=moment)
    )
    session.execute(
        delete(Substitution).where(
            or_(Substitution.person_id == person.id, Substitution.substitute_id == person.id)
        )
    )  # fmt: skip
    session.execute(update(Person).where(Person.substitute_id == person.id).values(substitute_id=None))
    stop_using(session, person)
    end_logins(session, person.id)
    person.left_at, person.passphrase, person.subject = moment, None, None
    roles = ", ".join(f"{right.role}@{right.scope}:{right.scope_id}" for right in held)
    note_act(session, by.person_id, "person.left", f"{person.id} {roles}")
    touch(session)


def hand_over(session: Session, by: Viewer, giver: Person, taker: Person) -> int:
    """All roles go from one to another, in one transaction; how many. The giver stays, without roles.

    Raises:
        RefusedError: the viewer may not give or take one of them, or one of the two has left.
    """
    if giver.id == taker.id or giver.left_at is not None or taker.left_at is not None:
        raise RefusedError("hq_people.hand_over_wrong")
    held = rights_of(session, giver)
    if not held:
        raise RefusedError("hq_people.nothing_held")
    for right in held:
        if taker.id == by.person_id and not by.may("people"):
            raise RefusedError("hq_people.not_oneself")
        grant(session, by, taker, right)
    if any(right.role == LEAD and right.scope == "all" for right in held) and taker.login is None:
        raise RefusedError("hq_people.last_lead")
    for right in held:
        revoke(session, by, giver, right)
    note_act(session, by.person_id, "person.handed_over", f"{giver.id} to {taker.id}: {len(held)} roles")
    return len(held)


def set_usual_substitute(session: Session, by: Viewer, person: Person, substitute: Person | None) -> None:
    """Who is asked at a store while somebody does not answer; gives no rights here.

    Raises:
        RefusedError: the viewer may not manage them, or the substitute has left.
    """
    require_over(session, by, person)
    if substitute is not None and (substitute.id == person.id or substitute.left_at is not None):
        raise RefusedError("hq_people.hand_over_wrong")
    wanted = substitute.id if substitute else None
    if person.substitute_id != wanted:
        person.substitute_id = wanted
        note_act(session, by.person_id, "person.substitute", f"{person.id} usually by {wanted or 'nobody'}")
        touch(session)


def stand_in(session: Session, by: Viewer, person: Person, substitute: Person, first: date, last: date | None) -> None:
    """Somebody has another's roles for some days. One may name one's own stand-in.

    Raises:
        RefusedError: the viewer may not, or one of them has left.
        UsageError: it ends before it begins.
    """
    if person.id != by.person_id:
        require_over(session, by, person)
    if person.id == substitute.id or person.left_at is not None or substitute.left_at is not None:
        raise RefusedError("hq_people.hand_over_wrong")
    if last is not None and last < first:
        raise UsageError("hq_people.dates_wrong")
    for right in rights_of(session, person):
        _keep_apart(session, by, substitute, right)
    row = session.get(Substitution, (person.id, substitute.id, first))
    if row is None:
        session.add(Substitution(person_id=person.id, substitute_id=substitute.id, first=first, last=last))
    else:
        row.last = last
    end_logins(session, substitute.id)
    words = f"{person.id} by {substitute.id} {first.isoformat()}..{last.isoformat() if last else ''}"
    note_act(session, by.person_id, "person.substitute", words)
    session.flush()
    touch(session)


def end_stand_in(session: Session, by: Viewer, person: Person, substitute_id: str, first: date) -> None:
    """A stand-in ends now.

    Raises:
        RefusedError: the viewer may not, or there is none.
    """
    if person.id != by.person_id:
        require_over(session, by, person)
    row = session.get(Substitution, (person.id, substitute_id, first))
    if row is None:
        raise RefusedError("hq_people.not_held")
    session.delete(row)
    session.flush()
    end_logins(session, substitute_id)
    note_act(session, by.person_id, "person.substitute", f"{person.id} by {substitute_id} ended")
    touch(session)


def rights_of(session: Session, person: Person) -> list[Right]:
    """Roles that a person holds themselves."""
    rows = session.scalars(
        select(Grant).where(Grant.person_id == person.id).order_by(Grant.role, Grant.scope, Grant.scope_id)
    )
    return [Right(role=row.role, scope=row.scope, scope_id=row.scope_id) for row in rows]  # type: ignore[arg-type]


def require_over(session: Session, by: Viewer, person: Person) -> None:
    """Go on only if the viewer looks after people and holds all that this person holds.

    Raises:
        RefusedError: they do not.
    """
    by.require("people")
    held = rights_of(session, person)
    for right in held:
        require_cover(session, by, right)
    if not held and not any(right.scope == "all" for right in by.holding("people")):
        made_by = select(exists().where(Person.id == person.id, Person.left_at.is_(None), Person.passphrase.is_(None)))
        if not session.scalar(made_by):  # somebody without roles is anybody's to begin with, nobody's to take over
            raise RefusedError("people")


def require_cover(session: Session, by: Viewer, right: Right) -> None:
    """Go on only if the viewer holds every act of this role in this scope, and looks after people there.

    Raises:
        RefusedError: something is missing; the message names it.
    """
    needed: Sequence[Act] = sorted({*ACTS_OF_ROLE[right.role], "people"})
    for act in needed:
        if not any(_contains(session, own, right) for own in by.holding(act)):
            raise RefusedError(act)


def visible_people(by: Viewer) -> list[Right] | None:
    """Scopes whose people the viewer looks after; None: everybody."""
    holding = by.holding("people")
    return None if any(right.scope == "all" for right in holding) else holding


def franchise_of(session: Session, scope: str, scope_id: str) -> str | None:
    """The franchise that a scope lies in."""
    entity_id: str | None = scope_id if scope == "entity" else None
    if scope == "store":
        store = session.get(Store, scope_id)
        entity_id = store.entity_id if store else None
    entity = session.get(Entity, entity_id) if entity_id else None
    return entity.id if entity is not None and entity.kind == "franchise" else None


def _contains(session: Session, own: Right, wanted: Right) -> bool:
    """Whether one scope lies in another."""
    if own.scope == "all" or (own.scope, own.scope_id) == (wanted.scope, wanted.scope_id):
        return True
    store = session.get(Store, wanted.scope_id) if wanted.scope == "store" else None
    if store is None:
        return False
    return (own.scope == "entity" and store.entity_id == own.scope_id) or (
        own.scope == "region" and store.region_id == own.scope_id
    )


def _keep_apart(session: Session, by: Viewer, person: Person, right: Right) -> None:
    """A franchise's people hold roles there alone, unless it is the franchise itself that gives them.

    Raises:
        RefusedError: it would mix them.
    """
    franchise = franchise_of(session, right.scope, right.scope_id)
    others = [franchise_of(session, held.scope, held.scope_id) for held in rights_of(session, person)]
    mixed = any(other != franchise for other in others)
    own = any(
        held.scope in ("entity", "store") and franchise_of(session, held.scope, held.scope_id) == franchise
        for held in by.holding("people")
    )
    if mixed and not (franchise is not None and own):
        raise RefusedError("hq_people.franchise_apart")


def _keep_a_lead(session: Session, person: Person) -> None:
    """Somebody else must be left who leads everywhere and can log in.

    Raises:
        RefusedError: this is the last.
    """
    leads = select(func.count(func.distinct(Person.id))).join(Grant, Grant.person_id == Person.id)
    leads = leads.where(
        Grant.role == LEAD, Grant.scope == "all", Person.left_at.is_(None), Person.login.is_not(None),
        or_(Person.passphrase.is_not(None), Person.subject.is_not(None)),
    )  # fmt: skip
    is_one = session.scalar(leads.where(Person.id == person.id))
    if is_one and not session.scalar(leads.where(Person.id != person.id)):
        raise RefusedError("hq_people.last_lead")


def _changed(session: Session, by: Viewer, person: Person, act: str, right: Right) -> None:
    end_logins(session, person.id)
    where = right.scope if right.scope == "all" else f"{right.scope}:{right.scope_id}"
    store_id = right.scope_id if right.scope == "store" else None
    note_act(session, by.person_id, act, f"{person.id} {right.role} {where}", store_id=store_id)
    touch(session)
