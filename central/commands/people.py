"""`cloche-hq people`: the people of the plan, from head office's own machine. Whoever may run it may do everything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from central.commands.session import transaction
from central.console import Console, console_options
from central.models import Person
from central.moments import now
from central.people import directory
from central.people.accounts import end_logins
from central.people.contacts import unconfirmed
from central.people.directory import machine_viewer
from central.people.importing import import_people, read_right
from central.people.invitations import invite
from central.people.record import note_act
from central.people.second_factor import stop_using
from config.errors import ClocheError, UsageError

RIGHT = "ROLE@SCOPE: a role, and all, entity:ID, region:ID or store:ID (or the name)."


@click.group()
def command() -> None:
    """People of the plan: roles, accounts, substitutes, leaving."""


@command.command("list")
@console_options
@click.option("--late", is_flag=True, help="Only those who have not confirmed their contacts for 31 days.")
def list_people(console: Console, late: bool) -> None:
    """Everybody who is here, with their roles."""
    with transaction(console) as session:
        waiting = {person.id for person in unconfirmed(session, now())}
        found = [
            person
            for person in session.scalars(select(Person).where(Person.left_at.is_(None)).order_by(Person.name))
            if not late or person.id in waiting
        ]
        rows = [_row(session, person, waiting) for person in found]
    lines = [
        f"{row['id']}  {row['name']}  {row['login'] or '-'}  {', '.join(row['roles']) or '-'}"
        f"{'  *' if row['late'] else ''}"
        for row in rows
    ]
    console.answer({"schema": "cloche.hq-people/1", "people": rows}, lines)


@command.command("add")
@console_options
@click.argument("name")
@click.option("--login", default="", help="Name of the account; an invitation is made for it.")
@click.option("--mobile", default="", help="How they are reached.")
@click.option("--mail", default="", help="Mailbox.")
@click.option("--role", "roles", multiple=True, metavar="ROLE@SCOPE", help=RIGHT)
def add_somebody(console: Console, name: str, login: str, mobile: str, mail: str, roles: tuple[str, ...]) -> None:
    """Add NAME, with roles and an account."""
    with transaction(console) as session:
        by = machine_viewer()
        person = directory.add(session, by, name, login=login, mobile=mobile, mail=mail)
        for word in roles:
            directory.grant(session, by, person, read_right(session, word))
        code = invite(session, person, by=by.person_id) if login else ""
        row = _row(session, person, set())
    lines = [console.text("hq_people.cli_added", name=name, id=row["id"])]
    if code:
        lines.append(console.text("hq_people.cli_invitation", path=f"/invited?code={code}"))
    console.answer({"schema": "cloche.hq-person/1", **row, "invitation": code or None}, lines)


@command.command("grant")
@console_options
@click.argument("who")
@click.argument("right", metavar="ROLE@SCOPE")
def grant_role(console: Console, who: str, right: str) -> None:
    """Give WHO (id, account or name) a role: ROLE@SCOPE."""
    with transaction(console) as session:
        person = _find(session, who)
        directory.grant(session, machine_viewer(), person, read_right(session, right))
        row = _row(session, person, set())
    console.answer({"schema": "cloche.hq-person/1", **row}, [f"{row['name']}  {', '.join(row['roles'])}"])


@command.command("revoke")
@console_options
@click.argument("who")
@click.argument("right", metavar="ROLE@SCOPE")
def revoke_role(console: Console, who: str, right: str) -> None:
    """Take a role from WHO: ROLE@SCOPE."""
    with transaction(console) as session:
        person = _find(session, who)
        directory.revoke(session, machine_viewer(), person, read_right(session, right))
        row = _row(session, person, set())
    console.answer({"schema": "cloche.hq-person/1", **row}, [f"{row['name']}  {', '.join(row['roles']) or '-'}"])


@command.command("leave")
@console_options
@click.argument("who")
@click.option("--yes", is_flag=True, help="Do not ask.")
def let_go(console: Console, who: str, yes: bool) -> None:
    """WHO leaves: roles, logins and tokens end at once."""
    with transaction(console) as session:
        person = _find(session, who)
        _confirm(console, yes, "hq_people.leave_confirm", person.name)
        directory.leave(session, machine_viewer(), person)
        row = _row(session, person, set())
    console.answer({"schema": "cloche.hq-person/1", **row}, [console.text("hq_people.cli_left", name=row["name"])])


@command.command("hand-over")
@console_options
@click.argument("who")
@click.argument("to")
@click.option("--yes", is_flag=True, help="Do not ask.")
def hand_over(console: Console, who: str, to: str, yes: bool) -> None:
    """Give all roles of WHO to TO."""
    with transaction(console) as session:
        giver, taker = _find(session, who), _find(session, to)
        _confirm(console, yes, "hq_people.hand_over_confirm", giver.name)
        directory.hand_over(session, machine_viewer(), giver, taker)
        row = _row(session, taker, set())
    console.answer({"schema": "cloche.hq-person/1", **row}, [f"{row['name']}  {', '.join(row['roles'])}"])


@command.command("substitute")
@console_options
@click.argument("who")
@click.argument("by")
@click.option("--first", type=click.DateTime(["%Y-%m-%d"]), help="First day; today by default.")
@click.option("--last", type=click.DateTime(["%Y-%m-%d"]), help="Last day; none: without end.")
def substitute(console: Console, who: str, by: str, first: datetime | None, last: datetime | None) -> None:
    """BY stands in for WHO."""
    with transaction(console) as session:
        person, other = _find(session, who), _find(session, by)
        begins = first.date() if first else now().date()
        directory.stand_in(session, machine_viewer(), person, other, begins, last.date() if last else None)
        document = {
            "schema": "cloche.hq-substitute/1", "person": person.id, "substitute": other.id,
            "first": begins.isoformat(), "last": last.date().isoformat() if last else None,
        }  # fmt: skip
    console.answer(document, [f"{person.name} → {other.name}  {document['first']} – {document['last'] or ''}"])


@command.command("invite")
@console_options
@click.argument("who")
@click.option("--login", default="", help="Name of the account, for somebody without one.")
@click.option("--reset", is_flag=True, help="Also take the second factor and all logins away.")
def invite_somebody(console: Console, who: str, login: str, reset: bool) -> None:
    """A new one-use invitation for WHO, shown once."""
    with transaction(console) as session:
        person = _find(session, who)
        if login:
            directory.give_account(session, machine_viewer(), person, login)
        if reset:
            stop_using(session, person)
            end_logins(session, person.id)
            note_act(session, "cloche-hq", "second_factor.reset", person.id)
        code = invite(session, person, by="cloche-hq")
    console.answer(
        {"schema": "cloche.hq-invitation/1", "person": person.id, "invitation": code},
        [console.text("hq_people.cli_invitation", path=f"/invited?code={code}")],
    )


@command.command("import")
@console_options
@click.argument("file", type=click.Path())
def import_table(console: Console, file: str) -> None:
    """Add everybody of a CSV FILE: name, login, mobile, mail, roles."""
    try:
        with click.open_file(file, encoding="utf-8-sig") as source:
            table = source.read(2_000_000)
    except (OSError, UnicodeDecodeError) as error:
        raise ClocheError(f"{file}: cannot be read as UTF-8") from error
    try:
        with transaction(console) as session:
            done = import_people(session, machine_viewer(), table, text=console.text)
            told = f"{done.added} new, {done.known} known, {done.roles} roles"
            note_act(session, "cloche-hq", "people.imported", told)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    console.answer(
        {"schema": "cloche.hq-import/1", "added": done.added, "known": done.known, "roles": done.roles},
        [console.text("hq_people.imported", added=done.added, known=done.known, roles=done.roles)],
    )


def _find(session: Session, who: str) -> Person:
    found = list(
        session.scalars(
            select(Person).where(
                or_(Person.id == who, Person.login == who, Person.name == who), Person.left_at.is_(None)
            )
        )
    )
    if len(found) != 1:
        raise UsageError(f"{who}: {'nobody' if not found else 'more than one person'} of this name")
    return found[0]


def _row(session: Session, person: Person, late: set[str]) -> dict[str, Any]:
    return {
        "id": person.id, "name": person.name, "login": person.login, "late": person.id in late,
        "roles": [
            f"{right.role}@{right.scope}{':' if right.scope_id else ''}{right.scope_id}"
            for right in directory.rights_of(session, person)
        ],
    }  # fmt: skip


def _confirm(console: Console, yes: bool, key: str, name: str) -> None:
    if yes:
        return
    if not console.is_terminal or console.as_json:
        raise UsageError("this needs --yes where nobody can be asked")
    click.confirm(console.text(key, name=name), abort=True, err=True)
