"""Contacts of people, which each person confirms once a month (plan.md 三: people live at head office).

Contacts are the staff's own data: they are on the pages of those who look after people, on stores that need them, and
never in the record, which says only that they changed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from central.models import Grant, Person
from central.people.record import note_act
from config.errors import UsageError

CONFIRMED_FOR: Final = timedelta(days=31)
_MAIL: Final = re.compile(r"[^@\s<>\"',;]{1,100}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,90}[A-Za-z0-9])?")
_MOBILE: Final = re.compile(r"\+?[0-9][0-9 -]{5,20}[0-9]")


def set_contacts(session: Session, person: Person, *, mail: str, mobile: str, by: str) -> bool:
    """Change somebody's mailbox and telephone; True if they changed.

    Raises:
        UsageError: one of them is none. It is not quoted.
    """
    if mail and not _MAIL.fullmatch(mail):
        raise UsageError("hq_people.mail_wrong")
    if mobile and not _MOBILE.fullmatch(mobile):
        raise UsageError("hq_people.mobile_wrong")
    if (person.mail, person.mobile) == (mail, mobile):
        return False
    person.mail, person.mobile = mail, mobile
    note_act(session, by, "contacts.changed", person.id)
    return True


def is_due(person: Person, moment: datetime) -> bool:
    """Whether somebody should confirm their contacts: never done, or more than 31 days ago."""
    return person.confirmed_at is None or person.confirmed_at < _edge(moment)


def _edge(moment: datetime) -> datetime:
    """Before this nothing counts as confirmed: the beginning of the day (UTC) 31 days ago."""
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC) - CONFIRMED_FOR


def unconfirmed(session: Session, today: datetime) -> list[Person]:
    """Everybody with a role who has not confirmed their contacts for more than 31 days, by name.

    Args:
        session: to read in.
        today: the moment it is asked, aware.
    """
    edge = _edge(today)
    found = session.scalars(
        select(Person)
        .where(
            Person.left_at.is_(None),
            Person.id.in_(select(Grant.person_id)),
            or_(Person.confirmed_at.is_(None), Person.confirmed_at < edge),
        )
        .order_by(Person.name)
    )
    return list(found)


def without_contacts(kind: str, params: dict[str, Any]) -> dict[str, Any]:
    """An order's parameters as others than its stores may see them: lists of people without how they are reached."""
    if kind != "people":
        return params
    kept = ("name", "roles", "substitute")
    people = [
        {key: one[key] for key in kept if key in one} for one in params.get("people", ()) if isinstance(one, dict)
    ]
    return {**params, "people": people}
