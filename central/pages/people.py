"""People of the plan: who holds which role where, and everything that is done about it."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_, select
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from central.models import Grant, Login, Order, Person, Store, StoredIncident, Substitution
from central.moments import now
from central.pages.doors import Doors, Fields, Shown, Visit
from central.people import directory
from central.people.accounts import end_logins
from central.people.contacts import set_contacts, unconfirmed
from central.people.directory import ROLES
from central.people.importing import COLUMNS, import_people
from central.people.invitations import invite
from central.people.rights import Right
from central.people.scopes import find_scope, name_of_scope, scope_names
from central.people.second_factor import stop_using
from config.errors import RefusedError, UsageError
from config.text import Text

PATH: Final = "/people"
MOST_SHOWN: Final = 500
MAX_IMPORT: Final = 300_000


class PeoplePages:
    """`/people` and what is below it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the pages and forms. What gives or takes power wants a fresh proof."""
        page, form, one = self._doors.page, self._doors.form, f"{PATH}/{{person}}"
        return [
            page(PATH, everybody, "people"),
            form(PATH, self.add, "people"),
            page(f"{PATH}/import", importing, "people"),
            form(f"{PATH}/import", self.take_table, "people", fresh=True, most=MAX_IMPORT),
            page(one, one_person, "people"),
            form(f"{one}/contacts", contacts, "people"),
            form(f"{one}/account", self.account, "people", fresh=True),
            form(f"{one}/invite", self.send_invitation, "people", fresh=True),
            form(f"{one}/reset", reset, "people", fresh=True),
            form(f"{one}/grant", give_role, "people", fresh=True),
            form(f"{one}/revoke", take_role, "people", fresh=True),
            form(f"{one}/leave", let_go, "people", fresh=True),
            form(f"{one}/hand-over", give_over, "people", fresh=True),
            form(f"{one}/substitute", name_substitute, "people", fresh=True),
            form(f"{one}/substitute/end", end_substitute, "people"),
        ]

    def add(self, visit: Visit, fields: Fields) -> str | Response:
        """Somebody new; with an account they are invited at once."""
        person = directory.add(
            visit.session, visit.viewer, fields.text("name", most=80), login=fields.optional("login", most=80),
            mail=fields.optional("mail", most=200), mobile=fields.optional("mobile", most=40),
        )  # fmt: skip
        return self._invited(visit, person) if person.login else f"{PATH}/{person.id}"

    def account(self, visit: Visit, fields: Fields) -> str | Response:
        """Give an account, or another name for it."""
        person = _person(visit)
        directory.give_account(visit.session, visit.viewer, person, fields.text("login", most=80))
        return self._invited(visit, person)

    def send_invitation(self, visit: Visit, fields: Fields) -> str | Response:
        """A new invitation, shown once."""
        del fields
        person = _person(visit)
        directory.require_over(visit.session, visit.viewer, person)
        return self._invited(visit, person)

    def take_table(self, visit: Visit, fields: Fields) -> str | Response:
        """Everybody of a pasted table."""
        table = fields.text("table", most=MAX_IMPORT)
        done = import_people(visit.session, visit.viewer, table, text=Text(visit.language))  # type: ignore[arg-type]
        visit.note("people.imported", f"{done.added} new, {done.known} known, {done.roles} roles")
        return self._doors.show(visit, "people_imported.html", {"done": done, "refresh": 0})

    def _invited(self, visit: Visit, person: Person) -> Response:
        visit.session.flush()
        code = invite(visit.session, person, by=visit.viewer.person_id)
        link = f"https://{visit.request.url.netloc}/invited?code={code}"
        return self._doors.show(visit, "people_invitation.html", {"person": person, "link": link, "refresh": 0})


def everybody(visit: Visit) -> Shown:
    """By role, region, store or name."""
    session, query = visit.session, visit.request.query_params
    words, role, scope = query.get("q", "")[:80].strip(), query.get("role", ""), query.get("scope", "")[:60]
    conditions: list[ColumnElement[bool]] = [_within(visit)]
    if query.get("gone") != "yes":
        conditions.append(Person.left_at.is_(None))
    if words:
        like = f"%{words.replace('%', '').replace('_', '')}%"
        conditions.append(or_(Person.name.ilike(like), Person.login.ilike(like)))
    if role in ROLES:
        conditions.append(Person.id.in_(select(Grant.person_id).where(Grant.role == role)))
    if scope:
        kind, which = find_scope(session, scope)
        matching = or_(and_(Grant.scope == kind, Grant.scope_id == which), Grant.scope_id.in_(_stores_in(kind, which)))
        conditions.append(Person.id.in_(select(Grant.person_id).where(matching)))
    people = list(session.scalars(select(Person).where(*conditions).order_by(Person.name).limit(MOST_SHOWN + 1)))
    late = {person.id for person in unconfirmed(session, now())}
    names = scope_names(session, stores=False)
    held: dict[str, list[tuple[str, str, str]]] = {}
    for grant in session.scalars(select(Grant).where(Grant.person_id.in_([person.id for person in people]))):
        where = names.get((grant.scope, grant.scope_id)) or name_of_scope(session, grant.scope, grant.scope_id)
        held.setdefault(grant.person_id, []).append((grant.role, grant.scope, where))
    return "people.html", {
        "people": people[:MOST_SHOWN], "is_cut": len(people) > MOST_SHOWN, "held": held, "late": late, "roles": ROLES,
        "words": words, "role": role, "scope": scope, "scopes": _scopes(visit), "gone": query.get("gone") == "yes",
        "late_count": sum(person.id in late for person in people), "refresh": 0,
    }  # fmt: skip


def one_person(visit: Visit) -> Shown:
    """Everything about somebody."""
    session, person = visit.session, _person(visit)
    rights = [
        (right, name_of_scope(session, right.scope, right.scope_id)) for right in directory.rights_of(session, person)
    ]
    substitutions = session.execute(
        select(Substitution, Person.name)
        .join(Person, Person.id == Substitution.substitute_id)
        .where(Substitution.person_id == person.id)
        .order_by(Substitution.first)
    )
    others = session.execute(
        select(Person.id, Person.name)
        .where(Person.left_at.is_(None), Person.id != person.id, _within(visit))
        .order_by(Person.name)
    )
    return "people_one.html", {
        "person": person, "rights": rights, "roles": ROLES, "scopes": _scopes(visit),
        "substitutions": [(row, name) for row, name in substitutions], "others": list(others),
        "logins": session.query(Login).where(Login.person_id == person.id).count(), "open": open_affairs(visit, person),
        "is_own": person.id == visit.viewer.person_id, "refresh": 0,
    }  # fmt: skip


def open_affairs(visit: Visit, person: Person) -> dict[str, Any]:
    """What somebody who goes leaves open: orders of theirs that wait for signatures, tasks in open incidents."""
    session = visit.session
    waiting = session.scalars(
        select(Order).where(
            Order.by_id == person.id, Order.sent_at.is_(None), Order.withdrawn_at.is_(None), Order.expires_at > now()
        )
    )
    tasks = [
        (row.store_id, row.incident_id, str(order.get("text", "")))
        for row in session.scalars(
            select(StoredIncident)
            .join(Store, Store.id == StoredIncident.store_id)
            .where(StoredIncident.is_open, visit.viewer.visible())
        )
        for order in row.document.get("orders") or ()
        if isinstance(order, dict)
        and order.get("person") == person.name
        and order.get("state") not in ("done", "closed")
    ]
    return {"orders": list(waiting), "tasks": tasks}


def importing(visit: Visit) -> Shown:
    """Where a table is pasted."""
    del visit
    return "people_import.html", {"columns": COLUMNS, "roles": ROLES, "refresh": 0}


def contacts(visit: Visit, fields: Fields) -> str:
    """New contacts of somebody else; they have to confirm them."""
    person = _person(visit)
    directory.require_over(visit.session, visit.viewer, person)
    mail, mobile = fields.optional("mail", most=200), fields.optional("mobile", most=40)
    if set_contacts(visit.session, person, mail=mail, mobile=mobile, by=visit.viewer.person_id):
        person.confirmed_at = None
        directory.touch(visit.session)
    usual = fields.optional("substitute", most=40)
    directory.set_usual_substitute(visit.session, visit.viewer, person, _known(visit, usual) if usual else None)
    return f"{PATH}/{person.id}"


def reset(visit: Visit, fields: Fields) -> str:
    """Take a lost second factor and all logins away."""
    del fields
    person = _person(visit)
    directory.require_over(visit.session, visit.viewer, person)
    if person.id == visit.viewer.person_id:
        raise RefusedError("hq_people.not_oneself")
    stop_using(visit.session, person)
    end_logins(visit.session, person.id)
    visit.note("second_factor.reset", person.id)
    return f"{PATH}/{person.id}"


def give_role(visit: Visit, fields: Fields) -> str:
    """A role somewhere."""
    person = _person(visit)
    directory.grant(visit.session, visit.viewer, person, _right(visit, fields))
    return f"{PATH}/{person.id}"


def take_role(visit: Visit, fields: Fields) -> str:
    """No longer a role somewhere."""
    person = _person(visit)
    directory.revoke(visit.session, visit.viewer, person, _right(visit, fields))
    return f"{PATH}/{person.id}"


def let_go(visit: Visit, fields: Fields) -> str:
    """Somebody leaves."""
    _confirmed(fields)
    person = _person(visit)
    affairs = open_affairs(visit, person)
    directory.leave(visit.session, visit.viewer, person)
    if affairs["orders"] or affairs["tasks"]:
        visit.note("person.left_open", f"{person.id} {len(affairs['orders'])} orders {len(affairs['tasks'])} tasks")
    return PATH


def give_over(visit: Visit, fields: Fields) -> str:
    """All roles from one to another."""
    _confirmed(fields)
    person = _person(visit)
    taker = _known(visit, fields.text("to", most=40))
    affairs = open_affairs(visit, person)
    directory.hand_over(visit.session, visit.viewer, person, taker)
    for store_id, incident_id, _words in affairs["tasks"]:
        visit.note("task.handed_over", f"{incident_id} {person.id} to {taker.id}", store_id=store_id)
    for order in affairs["orders"]:
        visit.note("order.handed_over", f"{order.id} {person.id} to {taker.id}")
    return f"{PATH}/{taker.id}"


def name_substitute(visit: Visit, fields: Fields) -> str:
    """Somebody stands in from a day to a day."""
    person = _person(visit)
    first, last = _day(fields, "first"), _day(fields, "last") if fields.optional("last") else None
    substitute = _known(visit, fields.text("to", most=40))
    directory.stand_in(visit.session, visit.viewer, person, substitute, first, last)
    return f"{PATH}/{person.id}"


def end_substitute(visit: Visit, fields: Fields) -> str:
    """A stand-in ends."""
    person = _person(visit)
    directory.end_stand_in(visit.session, visit.viewer, person, fields.text("to", most=40), _day(fields, "first"))
    return f"{PATH}/{person.id}"


def _person(visit: Visit) -> Person:
    """The person that the path names; one outside of the viewer's scopes does not exist."""
    return _known(visit, visit.request.path_params["person"])


def _known(visit: Visit, person_id: str) -> Person:
    person = visit.session.scalar(select(Person).where(Person.id == person_id, _within(visit)))
    if person is None:
        raise HTTPException(404)
    return person


def _within(visit: Visit) -> ColumnElement[bool]:
    """SQL condition on `Person`: whom the viewer looks after. Somebody without a role is anybody's to begin with."""
    scopes = directory.visible_people(visit.viewer)
    if scopes is None:
        return Person.id == Person.id
    parts = [
        or_(
            and_(Grant.scope == one.scope, Grant.scope_id == one.scope_id),
            Grant.scope_id.in_(_stores_in(one.scope, one.scope_id)),
        )
        for one in scopes
    ]
    return or_(
        Person.id.in_(select(Grant.person_id).where(or_(*parts))) if parts else Person.id == "",
        and_(Person.id.not_in(select(Grant.person_id)), Person.left_at.is_(None)),
    )


def _stores_in(scope: str, scope_id: str) -> Any:
    column = Store.region_id if scope == "region" else Store.entity_id
    return (
        select(Store.id).where(column == scope_id)
        if scope in ("region", "entity")
        else select(Store.id).where(Store.id == "")
    )


def _scopes(visit: Visit) -> list[tuple[str, str, str]]:
    """Scopes to choose from, as value, kind and name; stores are typed by name, there may be thousands."""
    found = [
        (kind if kind == "all" else f"{kind}:{which}", kind, name)
        for (kind, which), name in scope_names(visit.session, stores=visit.session.query(Store).count() <= 300).items()
    ]
    order = {"all": 0, "entity": 1, "region": 2, "store": 3}
    return sorted(found, key=lambda one: (order[one[1]], one[2]))


def _right(visit: Visit, fields: Fields) -> Right:
    role = fields.text("role", most=30)
    if role not in ROLES:
        raise UsageError("hq_people.role_wrong")
    named = fields.optional("store_name", most=200)
    scope, scope_id = find_scope(visit.session, f"store:{named}" if named else fields.text("scope", most=80))
    return Right(role=role, scope=scope, scope_id=scope_id)


def _day(fields: Fields, name: str) -> date:
    told = fields.text(name, most=10)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", told):
        raise UsageError("hq_people.dates_wrong")
    try:
        return date.fromisoformat(told)
    except ValueError as error:
        raise UsageError("hq_people.dates_wrong") from error


def _confirmed(fields: Fields) -> None:
    if fields.optional("confirmed") != "yes":
        raise UsageError("hq_people.not_confirmed")
