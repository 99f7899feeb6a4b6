"""What is due of whom: each course again after its interval, each policy once a version, newcomers within their days.

GB/T 35273 asks for training at least yearly; intervals are data (`config/data/training/courses.toml`).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.incident.moments import zone_of
from agent.training.catalogue import concerns
from agent.training.records import Acknowledgement, Course, Due, Policy, Session, Staff
from agent.training.store import Register

if TYPE_CHECKING:
    from agent.wiring import Agent

DONE: Final = frozenset({"passed", "attended"})


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How training stands today: `staff` people at work, `owed` what they have to do sooner or later, soonest first.

    `trained` of them owe nothing that is overdue.
    """

    today: date
    staff: int
    owed: tuple[Due, ...]

    @property
    def overdue(self) -> tuple[Due, ...]:
        """What should have been done by yesterday."""
        return tuple(entry for entry in self.owed if entry.due < self.today)

    @property
    def trained(self) -> int:
        """People with nothing overdue."""
        return self.staff - len({entry.staff.number for entry in self.overdue})


def standing(agent: Agent, now: datetime) -> Standing:
    """How training stands at `now`, by the store's calendar."""
    register = Register(agent)
    people = register.staff()
    courses, policies = register.catalogue()
    owed = [
        *_courses(people, courses.values(), register.sessions()),
        *_policies(people, policies.values(), register.acknowledgements()),
    ]
    owed.sort(key=lambda entry: (entry.due, entry.staff.store, entry.staff.number, entry.id))
    return Standing(today=today_of(agent, now), staff=len(people), owed=tuple(owed))


def overdue(agent: Agent, now: datetime) -> tuple[Due, ...]:
    """What staff should have done by yesterday, the oldest first."""
    return standing(agent, now).overdue


def today_of(agent: Agent, now: datetime) -> date:
    """The store's day."""
    return now.astimezone(zone_of(agent.settings.store.timezone)).date()


def next_due(course: Course, person: Staff, last: date | None) -> date:
    """When a course is due: an interval after it was last done, for newcomers some days after they began."""
    return plus_months(last, course.interval_months) if last else person.begins + timedelta(days=course.within_days)


def plus_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _courses(people: Sequence[Staff], courses: Iterable[Course], sessions: Iterable[Session]) -> Iterable[Due]:
    last: dict[tuple[str, str], date] = {}
    for session in sessions:
        if session.result in DONE:
            key = session.number, session.course
            last[key] = max(last.get(key, session.on), session.on)
    for course in courses:
        for person in people:
            if concerns(course.roles, person.role):
                done = last.get((person.number, course.id))
                yield Due(staff=person, kind="course", id=course.id, due=next_due(course, person, done), last=done)


def _policies(people: Sequence[Staff], policies: Iterable[Policy], given: Iterable[Acknowledgement]) -> Iterable[Due]:
    signed: dict[tuple[str, str], date] = {}
    exact = set()
    for entry in given:
        signed[entry.number, entry.policy] = entry.on
        exact.add((entry.number, entry.policy, entry.version, entry.digest))
    for policy in policies:
        digest = policy.digest
        for person in people:
            is_signed = (person.number, policy.id, policy.version, digest) in exact
            if not is_signed and concerns(policy.roles, person.role):
                begins = max(person.begins, policy.date)
                due = begins + timedelta(days=policy.within_days)
                yield Due(
                    staff=person, kind="policy", id=policy.id, due=due, last=signed.get((person.number, policy.id))
                )
