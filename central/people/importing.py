"""People from a table: `name, login, mobile, mail, roles`, by comma or, as copied from a spreadsheet, by tab.

`roles` are `role@scope` with `;` between them: `store_manager@store:测试一店; legal@all`. Somebody of that name who is
there already gets the contacts and the roles that are new; nothing is taken away. With the first line that does not fit
nothing of it is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.models import Person
from central.people.contacts import set_contacts
from central.people.directory import ROLES, add, give_account, grant, require_over
from central.people.rights import Right, Viewer
from central.people.scopes import find_scope
from central.tables import Columns, TableError, read_table
from config.errors import ClocheError, RefusedError, UsageError
from config.text import Text, load_packs

COLUMNS: Final = Columns(names=("name", "login", "mobile", "mail", "roles"), most_lines=2000)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """How many were new, how many known, how many roles were given."""

    added: int
    known: int
    roles: int


def import_people(session: Session, by: Viewer, table: str, *, text: Text) -> Imported:
    """Add everybody of a table.

    Raises:
        UsageError: the heading or a line does not fit; its number and why.
        RefusedError: a line gives more than the viewer holds; its number.
    """
    rows = _read(table, text)
    added = known = roles = 0
    for number, row in rows:
        try:
            person = session.scalar(select(Person).where(Person.name == row["name"], Person.left_at.is_(None)))
            if person is None:
                person = add(
                    session, by, row["name"], login=row["login"], mobile=row["mobile"], mail=row["mail"]
                )  # fmt: skip
                added += 1
            else:
                known += 1
                _complete(session, by, person, row)
            for word in filter(None, (part.strip() for part in row["roles"].split(";"))):
                roles += grant(session, by, person, read_right(session, word))
        except ClocheError as error:
            kind = RefusedError if isinstance(error, RefusedError) else UsageError
            raise kind(f"{number}: {_words(text, error)}") from error
    return Imported(added=added, known=known, roles=roles)


def read_right(session: Session, word: str) -> Right:
    """`role@scope` or `role@scope:ID`.

    Raises:
        UsageError: no such role or scope.
    """
    role, _, where = word.partition("@")
    if role.strip() not in ROLES:
        raise UsageError(f"{role.strip()}: no role; one of {', '.join(ROLES)}")
    scope, scope_id = find_scope(session, where.strip() or "all")
    return Right(role=role.strip(), scope=scope, scope_id=scope_id)  # type: ignore[arg-type]  # checked above


def _complete(session: Session, by: Viewer, person: Person, row: dict[str, str]) -> None:
    if row["mobile"] or row["mail"]:
        require_over(session, by, person)
        set_contacts(
            session, person, mail=row["mail"] or person.mail, mobile=row["mobile"] or person.mobile, by=by.person_id
        )  # fmt: skip
    if row["login"] and person.login is None:
        give_account(session, by, person, row["login"])


def _read(table: str, text: Text) -> list[tuple[int, dict[str, str]]]:
    try:
        return read_table(table, COLUMNS)
    except TableError as error:
        raise UsageError(error.said(text, COLUMNS)) from error


def _words(text: Text, error: ClocheError) -> str:
    told = str(error)
    return next((text(key) for key in (told, f"hq_people.act_{told}") if key in load_packs()), told)
