"""Letters of a week: to whom, in which language; each sent by one instance, once.

A letter is a mark (`digest`, `WEEK/WHO`): `waiting`, `sending SINCE`, `sent`, `failed WHY`. Whoever sends it claims
it first. An instance that dies between the mail server's word and the mark leaves it `sending`: after ten minutes it
is sent again under the same Message-ID, by which a mail program knows the second for the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from central.api.settings import DigestSettings
from central.digest.words import Digest, figures_of, write_digest
from central.models import Entity, Grant, NewsMark, Person
from central.people.rights import Right, Viewer, viewer_of
from config.text import Language

ROLES: Final = frozenset(
    {
        "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer", "area_manager", "franchisee",
    }
)  # fmt: skip
"""Who plans and answers for it (plan.md 三)."""
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TOPIC: Final = "digest"
ROBOT: Final = "robot"
STUCK: Final = timedelta(minutes=10)
TRIES: Final = 6


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One digest for one reader; `to` is an address, or '' for the group's robot."""

    subject: str
    """Of its mark: `WEEK/WHO`."""
    to: str
    digest: Digest


def week_of(moment: datetime, settings: DigestSettings, timezone: ZoneInfo) -> str:
    """The week whose digest is due, such as `2026-W48`; '' before its day and hour in this week.

    ISO 8601 weeks begin on Monday: with another day, the digest comes later in the same week.
    """
    local = moment.astimezone(timezone)
    if (local.weekday(), local.hour) < (DAYS.index(settings.day), settings.hour):
        return ""
    year, week, _day = local.isocalendar()
    return f"{year}-W{week:02d}"


def readers(session: Session, settings: DigestSettings) -> Iterator[tuple[str, Person | None]]:
    """Who gets it: people with a role that answers for it and a mailbox, and the robot's group."""
    if settings.smtp_host:
        holding = select(Grant.person_id).where(Grant.role.in_(ROLES))
        query = select(Person).where(Person.left_at.is_(None), Person.mail != "", Person.id.in_(holding))
        for person in session.scalars(query.order_by(Person.id)):
            yield person.id, person
    if settings.robot_kind:
        yield ROBOT, None


def write_letter(
    session: Session, who: str, person: Person | None, week: str, moment: datetime, office: tuple[str, ZoneInfo]
) -> Letter:  # fmt: skip
    """A reader's letter with the figures of now; the robot's group reads of all stores that head office may
    look at, in Chinese."""
    name, timezone = office
    if person is None:
        everywhere = (Right(role="security_lead", scope="all"),)
        franchises = session.scalars(select(Entity).where(Entity.kind == "franchise"))
        agreements = {entity.id: frozenset(entity.rights) for entity in franchises}
        viewer = Viewer(person_id=ROBOT, name="", rights=everywhere, agreements=agreements)
        language: Language = "zh-CN"
    else:
        viewer = viewer_of(session, person, moment.astimezone(timezone).date())
        language = "en" if person.language == "en" else "zh-CN"
    digest = write_digest(figures_of(session, viewer, moment), name, language, timezone, week)
    return Letter(subject=f"{week}/{who}", to=person.mail if person else "", digest=digest)


def make_week(session: Session, week: str, settings: DigestSettings, moment: datetime) -> None:
    """Marks for everybody of this week, where there are none. In the writer's transaction, under the duty."""
    known = set(
        session.scalars(
            select(NewsMark.subject).where(NewsMark.topic == TOPIC, NewsMark.subject.startswith(f"{week}/"))
        )
    )
    for who, _person in readers(session, settings):
        if f"{week}/{who}" not in known:
            session.add(NewsMark(topic=TOPIC, subject=f"{week}/{who}", state="waiting 0", at=moment))
    session.flush()


def claim_letter(session: Session, week: str, moment: datetime) -> tuple[str, int] | None:
    """The next letter that waits (or stuck), now this instance's, and how often it was tried; None if there is none.
    In the writer's transaction."""
    rows = session.scalars(
        select(NewsMark)
        .where(NewsMark.topic == TOPIC, NewsMark.subject.startswith(f"{week}/"))
        .order_by(NewsMark.subject)
    )
    for row in rows:
        word, _space, number = row.state.partition(" ")
        tries = int(number) if number.isdecimal() else 0
        is_due = word == "waiting" and row.at <= moment
        if not (is_due or (word == "sending" and row.at + STUCK <= moment)):
            continue
        taken = session.execute(
            update(NewsMark)
            .where(NewsMark.topic == TOPIC, NewsMark.subject == row.subject, NewsMark.state == row.state)
            .values(state=f"sending {tries + 1}", at=moment)
        )
        if taken.rowcount == 1:  # type: ignore[attr-defined]
            return row.subject, tries + 1
    return None


def settle_letter(session: Session, subject: str, tries: int, failure: str, moment: datetime) -> str:
    """Write down how it went: sent, to be tried again after a while, or failed for good; the new state."""
    row = session.get_one(NewsMark, (TOPIC, subject), populate_existing=True)
    if not failure:
        row.state, row.at = "sent", moment
    elif tries >= TRIES:
        row.state, row.at = f"failed {failure}"[:120], moment
    else:
        row.state, row.at = f"waiting {tries}", moment + timedelta(minutes=2**tries)
    session.flush()
    return row.state
