"""Levels of an incident: by the plan and by the law, from counted persons, graded anew as counts change.

Persons and persons of whom something sensitive leaked are counted apart; virtual numbers of delivery platforms are no
persons. Counts may fall when files turn out to hold the same people; a level that the lawyer set by hand is a lower
bound that no count takes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.incident.course import Course
from agent.incident.grading import graded_regime, law_grade, level_of, load_levels
from agent.incident.records import Incident
from agent.incident.store import incidents
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


def regrade(agent: Agent, incident_id: str, actor: str) -> Incident:
    """Grade an incident by what is known now; a change is recorded, and a rise wakes those of the new level.

    Raises:
        UsageError: no such incident.
    """
    store = incidents(agent)
    incident = store.get(incident_id)
    level, by_law = level_of(incident).id, law_grade(incident)
    law = by_law.grade.id if by_law else ""
    if (level, law) == (incident.level, incident.law_grade):
        return incident
    store.change(incident.id, level=level, law_grade=law)
    Course(agent, incident.id, actor).record(
        "grade", level=level, law=law, before=incident.level, persons=incident.persons,
        sensitive=incident.sensitive or 0, counted=incident.counted_at is not None,
    )  # fmt: skip
    order = [level.id for level in load_levels()]
    if incident.level and order.index(level) > order.index(incident.level):
        wake(agent, store.get(incident.id))
    return store.get(incident.id)


def grade_by_hand(agent: Agent, incident_id: str, actor: str, reason: str, **by_hand: str | int) -> Incident:
    """The lawyer grades up: `level`, `law` (grade ids) and `loss_cny`; never below what counts reach.

    Raises:
        UsageError: no such level or grade, or no reason.
    """
    levels, grades = {level.id for level in load_levels()}, {grade.id for grade in graded_regime().grades}
    level, law = str(by_hand.get("level") or ""), str(by_hand.get("law") or "")
    if level and level not in levels:
        raise UsageError(f"--level: {level!r} is none of {', '.join(sorted(levels))}")
    if law and law not in grades:
        raise UsageError(f"--law: {law!r} is none of {', '.join(sorted(grades))}")
    if not reason.strip():
        raise UsageError(agent.text("incident.reason_needed"))
    store = incidents(agent)
    incident = store.get(incident_id)
    loss = int(by_hand.get("loss_cny") or 0) or incident.loss_cny
    store.change(
        incident.id, level_by_hand=level or incident.level_by_hand, law_by_hand=law or incident.law_by_hand,
        loss_cny=loss,
    )  # fmt: skip
    Course(agent, incident.id, actor).record(
        "grade_by_hand", level=level or incident.level_by_hand, law=law or incident.law_by_hand, loss_cny=loss or 0,
        reason_given=agent.mask(reason),
    )  # fmt: skip
    return regrade(agent, incident.id, actor)


def wake(agent: Agent, incident: Incident) -> None:
    """Tell the roles of the incident's level what it is and what to do; who cannot be reached is no error here."""
    from agent.incident.view import wording_of
    from agent.messages import tell

    level = next(level for level in load_levels() if level.id == (incident.level or load_levels()[0].id))
    wording, text = wording_of(agent), agent.text
    tell(
        agent, level.tell,
        text("incident.wake_subject", store=agent.settings.store.name, id=incident.id),
        text(
            "incident.wake_text", id=incident.id, kind=text(f"incident.kind_{incident.kind}"),
            phase=text(f"incident.phase_{incident.phase}"), level=level.name[text.language],
            persons=f"{incident.persons:,}", discovered=wording.moment(incident.discovered_at),
            summary=incident.summary, place=incident.place,
        ),
        purpose="report", incident=incident.id, urgent=True,
    )  # fmt: skip
