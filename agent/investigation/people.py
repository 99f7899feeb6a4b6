"""What people said in an investigation, read off the incident's timeline, where each word of it stands hash-chained.

Nothing of it is kept anywhere else: what nobody put on the timeline was not said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from agent.incident.course import Course
from agent.incident.records import Step
from agent.incident.store import family
from agent.investigation.records import Conclusion
from config.errors import ClocheError
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent

PREFIX: Final = "investigation."


@dataclass(frozen=True, kw_only=True)
class Word:
    """One thing that somebody said about a hypothesis, a question or an actor."""

    subject: str
    words: str
    by: str
    at: datetime


@dataclass(kw_only=True)
class SaidSoFar:
    """All of it, later words above earlier ones; `own_…` are what people added themselves."""

    persons: dict[str, Word] = field(default_factory=dict)
    own_hypotheses: dict[str, Word] = field(default_factory=dict)
    confirmed: dict[str, Word] = field(default_factory=dict)
    rejected: dict[str, Word] = field(default_factory=dict)
    own_questions: dict[str, Word] = field(default_factory=dict)
    answers: dict[str, Word] = field(default_factory=dict)
    conclusion: Conclusion | None = None


def said_so_far(agent: Agent, incident_id: str) -> SaidSoFar:
    """Fold the timeline, and those of incidents that this one took over.

    Raises:
        CorruptError: a line is no step.
    """
    steps = [step for name in family(agent, incident_id) for step in agent.timelines.steps(name)]
    return fold(sorted(steps, key=lambda step: step.time))


def fold(steps: Iterable[Step]) -> SaidSoFar:
    """What these steps say."""
    found = SaidSoFar()
    for step in steps:
        if not step.act.startswith(PREFIX):
            continue
        act, details = step.act.removeprefix(PREFIX), step.details
        word = Word(
            subject=str(details.get("subject", "")), words=str(details.get("words", "")), by=step.actor, at=step.time
        )
        match act:
            case "person":
                found.persons[word.subject] = word
            case "hypothesis_added":
                found.own_hypotheses[word.subject] = word
            case "hypothesis_confirmed":
                found.confirmed[word.subject] = word
                found.rejected.pop(word.subject, None)
            case "hypothesis_rejected":
                found.rejected[word.subject] = word
                found.confirmed.pop(word.subject, None)
            case "question_added":
                found.own_questions[word.subject] = word
            case "question_answered":
                found.answers[word.subject] = word
            case "concluded":
                found.conclusion = Conclusion(
                    manner=str(details.get("manner", "")), cause=str(details.get("cause", "")), by=step.actor,
                    at=step.time, hypothesis=word.subject,
                )  # fmt: skip
    return found


def say(agent: Agent, incident_id: str, actor: str, act: str, **details: Any) -> None:
    """Put a word on the timeline.

    Raises:
        ClocheError: it is not there afterwards. What people say must not be lost like a step of a containment may.
    """
    before = len(agent.timelines.steps(incident_id))
    Course(agent, incident_id, actor).record(f"{PREFIX}{act}", **details)
    if len(agent.timelines.steps(incident_id)) <= before:
        raise ClocheError(agent.text("investigation.not_recorded", id=incident_id))


def fresh_id(letter: str, taken: Iterable[str]) -> str:
    """A short id for what somebody adds (`h-bkrt`)."""
    known = set(taken)
    while True:
        found = f"{letter}-{fresh_letters()}"
        if found not in known:
            return found
