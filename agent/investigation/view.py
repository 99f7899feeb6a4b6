"""An investigation as a document: `cloche.incident.investigation/1`. Masked throughout; times in the store's zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.incident.clocks import iso
from agent.incident.wording import Wording
from agent.investigation.records import Actor, Conclusion, Hypothesis, Investigation, Question, Scope


def investigation_document(found: Investigation, wording: Wording) -> dict[str, Any]:
    """All of it, sentences in the reader's language."""
    zone = wording.zone
    return {
        "schema": "cloche.incident.investigation/1", "id": found.incident, "at": iso(found.at, zone),
        "concluded": found.conclusion is not None, "scope": _scope(found.scope, wording),
        "manner": [said.words(wording) for said in found.manner],
        "actors": [_actor(actor, wording) for actor in found.actors], "more_actors": found.more_actors,
        "more_events": found.more_events,
        "crossings": [
            {
                "at": iso(crossed.at, zone), "actor": crossed.actor, "rule": crossed.rule, "files": crossed.files,
                "persons": crossed.persons, "outcome": crossed.outcome, "stopped_ms": crossed.stopped_ms,
            }
            for crossed in found.crossings
        ],
        "evidence": found.bundles,
        "hypotheses": [_hypothesis(hypothesis, wording) for hypothesis in found.hypotheses],
        "questions": [_question(question, wording) for question in found.questions],
        "conclusion": _conclusion(found.conclusion, wording),
    }  # fmt: skip


def _scope(scope: Scope, wording: Wording) -> dict[str, Any]:
    def moment(value: datetime | None) -> str | None:
        return iso(value, wording.zone)

    return {
        "since": moment(scope.since), "until": moment(scope.until), "files": scope.files, "traced": scope.traced,
        "read": scope.read, "persons": scope.persons, "counted": scope.counted, "types": list(scope.types),
        "suspects": scope.suspects, "left_files": scope.left_files, "left_persons": scope.left_persons,
        "left_bytes": scope.left_size, "earliest": moment(scope.earliest),
        "watched_since": moment(scope.watched_since), "known_since": moment(scope.known_since),
        "blind_until": moment(scope.blind_until), "gaps": scope.gaps,
        "gap_times": [moment(time) for time in scope.gap_times], "attributed": scope.attributed,
        "source": scope.source,
    }  # fmt: skip


def _actor(actor: Actor, wording: Wording) -> dict[str, Any]:
    zone = wording.zone
    return {
        "id": actor.id, "user": actor.user, "client": actor.client, "session": actor.session,
        "sessions": actor.sessions, "first": iso(actor.first, zone), "last": iso(actor.last, zone),
        "files": actor.files, "persons": actor.persons, "bytes": actor.size, "events": actor.events,
        "refused": actor.refused, "changed": actor.changed, "suspect": actor.suspect, "person": actor.person,
        "confirmed_by": actor.confirmed_by,
        "programs": [
            {
                "program": use.program, "command": use.command, "first": iso(use.first, zone),
                "last": iso(use.last, zone), "files": use.files, "persons": use.persons, "events": use.events,
                "refused": use.refused, "changed": use.changed,
            }
            for use in actor.programs
        ],
    }  # fmt: skip


def _hypothesis(hypothesis: Hypothesis, wording: Wording) -> dict[str, Any]:
    return {
        "id": hypothesis.id, "title": hypothesis.title(wording.text), "state": hypothesis.state,
        "state_words": wording.text(f"investigation.state_{hypothesis.state}"), "judged": hypothesis.judged,
        "evidence": [said.words(wording) for said in hypothesis.evidence], "by": hypothesis.by,
        "reason": hypothesis.reason, "at": iso(hypothesis.at, wording.zone),
    }  # fmt: skip


def _question(question: Question, wording: Wording) -> dict[str, Any]:
    return {
        "id": question.id, "question": question.title(wording), "open": question.is_open, "answer": question.answer,
        "by": question.by, "at": iso(question.at, wording.zone),
    }  # fmt: skip


def _conclusion(conclusion: Conclusion | None, wording: Wording) -> dict[str, Any] | None:
    if conclusion is None:
        return None
    return {
        "manner": conclusion.manner, "cause": conclusion.cause, "by": conclusion.by,
        "at": iso(conclusion.at, wording.zone), "hypothesis": conclusion.hypothesis,
    }  # fmt: skip
