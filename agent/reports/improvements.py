"""Improvements of an incident: what, who, until when, and whether it was done (预案 四.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import func, select

from agent.incident.course import Course
from agent.incident.moments import zone_of
from agent.messages import tell
from agent.reports.models import ImprovementRow
from config.errors import UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

Change = Literal["done", "drop"]
LEADERS: Final[tuple[Role, ...]] = ("response_lead", "security_lead", "security_deputy")
STAGES: Final = (timedelta(days=-7), timedelta(), timedelta(days=7))
"""When people are reminded, from the day it is due."""


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """One row of the table. `done_at` None: still to be done."""

    number: int
    what: str
    owner: str
    due: date
    by: str
    done_at: datetime | None
    done_by: str


def improvements_of(agent: Agent, incident_id: str) -> list[Improvement]:
    """Those of an incident that were not dropped, by number."""
    with agent.inventory.reading() as session:
        rows = session.scalars(
            select(ImprovementRow)
            .where(ImprovementRow.incident == incident_id, ImprovementRow.dropped_at.is_(None))
            .order_by(ImprovementRow.number)
        )
        return [_record(row) for row in rows]


def remind(agent: Agent, now: datetime) -> None:
    """The keeper's duty: owners hear of what comes due, is due, stayed undone; leaders of the last too. Once each."""
    today = now.astimezone(zone_of(agent.settings.store.timezone)).date()
    with agent.inventory.reading() as session:
        rows = session.scalars(
            select(ImprovementRow)
            .where(ImprovementRow.dropped_at.is_(None), ImprovementRow.done_at.is_(None))
            .order_by(ImprovementRow.due, ImprovementRow.id)
        )
        waiting = [(row.id, row.incident, row.reminded, _record(row)) for row in rows]
    for row_id, incident, reminded, improvement in waiting:
        stage = sum(today >= improvement.due + before for before in STAGES)
        if stage > reminded:
            with agent.inventory.sessions.begin() as session:
                session.get_one(ImprovementRow, row_id).reminded = stage
            _remind(agent, incident, improvement, stage)


def _remind(agent: Agent, incident: str, improvement: Improvement, stage: int) -> None:
    owner = agent.people.named(improvement.owner)
    leaders = agent.people.holding(LEADERS) if stage == len(STAGES) or owner is None else []
    people = tuple(dict.fromkeys(person.name for person in (owner, *leaders) if person is not None))
    told = "、".join(people) or agent.text("orders.nobody")
    Course(agent, incident, "cloche").record(
        "reports.improvement_reminded", number=improvement.number, stage=stage, people=told
    )
    tell(
        agent, people, agent.text("reports.improvement_subject", store=agent.settings.store.name, id=incident),
        agent.text(
            "reports.improvement_text", number=improvement.number, what=improvement.what, owner=improvement.owner,
            due=improvement.due.isoformat(), id=incident,
        ),
        purpose="reminder", incident=incident,
    )  # fmt: skip


def add_improvement(agent: Agent, incident_id: str, actor: str, what: str, owner: str, due: date) -> Improvement:
    """Put one into the table; words are masked here.

    Raises:
        UsageError: no words or no owner.
    """
    what, owner = agent.mask(what.strip()), agent.mask(owner.strip())
    if not what or not owner:
        raise UsageError(agent.text("reports.improvement_needs"))
    with agent.inventory.sessions.begin() as session:
        last = session.scalar(select(func.max(ImprovementRow.number)).where(ImprovementRow.incident == incident_id))
        row = ImprovementRow(
            incident=incident_id, number=(last or 0) + 1, what=what, owner=owner, due=due, by=actor, at=agent.now(),
            done_at=None, done_by="", dropped_at=None, reminded=0,
        )  # fmt: skip
        session.add(row)
        session.flush()
        found = _record(row)
    Course(agent, incident_id, actor).record(
        "reports.improve", number=found.number, what=what, owner=owner, due=due.isoformat()
    )
    return found


def change_improvement(agent: Agent, incident_id: str, actor: str, number: int, change: Change) -> None:
    """Say that one was done, or take it out of the table.

    Raises:
        UsageError: there is none of this number.
    """
    with agent.inventory.sessions.begin() as session:
        row = session.scalars(
            select(ImprovementRow).where(
                ImprovementRow.incident == incident_id, ImprovementRow.number == number,
                ImprovementRow.dropped_at.is_(None),
            )
        ).first()  # fmt: skip
        if row is None:
            raise UsageError(agent.text("reports.no_improvement", number=number, id=incident_id))
        if change == "done":
            row.done_at, row.done_by = row.done_at or agent.now(), row.done_by or actor
        else:
            row.dropped_at = agent.now()
        what = row.what
    Course(agent, incident_id, actor).record(f"reports.improvement_{change}", number=number, what=what)


def _record(row: ImprovementRow) -> Improvement:
    return Improvement(
        number=row.number, what=row.what, owner=row.owner, due=row.due, by=row.by, done_at=row.done_at,
        done_by=row.done_by,
    )  # fmt: skip
