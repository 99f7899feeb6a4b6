"""What has to be known before an investigation is complete: a closed list, and what people add.

The program asks only what the traces leave open; it answers none of them for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.incident.records import Incident
from agent.investigation.people import SaidSoFar
from agent.investigation.records import Actor, Question, Said, Scope


def questions_of(incident: Incident, scope: Scope, actors: Sequence[Actor], said: SaidSoFar) -> tuple[Question, ...]:
    """Those of the closed list that this incident raises, then people's own; answers where somebody gave one."""
    asked = [*_asked(incident, scope, actors)]
    found = [_answered(Question(id=name, asked=question), said) for name, question in asked]
    found += [
        _answered(Question(id=name, words=word.words, by=word.by, at=word.at), said)
        for name, word in said.own_questions.items()
    ]
    return tuple(found)


def _asked(incident: Incident, scope: Scope, actors: Sequence[Actor]) -> Iterator[tuple[str, Said]]:
    for actor in actors:
        if actor.suspect and not actor.person:
            yield f"person:{actor.id}", Said(key="q_person", values={"user": actor.user, "where": actor.where})
    if not any(actor.suspect for actor in actors):
        yield "who", Said(key="q_who")
    if incident.occurred_at is None:
        yield "when", Said(key="q_when")
    yield "where_to", Said(key="q_where_to")
    if scope.blind_until is not None:
        yield "before", Said(key="q_before", values={"until": scope.blind_until})
    if scope.gaps:
        yield "gaps", Said(key="q_gaps", values={"count": scope.gaps})
    if not scope.attributed:
        yield "nobody_named", Said(key="q_nobody_named")
    unscanned = sum(not item.types and not item.persons for item in incident.items)
    if unscanned:
        yield "unscanned", Said(key="q_unscanned", values={"count": unscanned})
    if not scope.counted:
        yield "persons", Said(key="q_persons")
    yield "copies", Said(key="q_copies")
    yield "why_possible", Said(key="q_why_possible")


def _answered(question: Question, said: SaidSoFar) -> Question:
    word = said.answers.get(question.id)
    if word is None:
        return question
    return Question(
        id=question.id, asked=question.asked, words=question.words, answer=word.words, by=word.by, at=word.at
    )
