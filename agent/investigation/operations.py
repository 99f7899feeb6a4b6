"""`incident.investigate.…`: look, confirm who sat where, judge hypotheses, ask and answer, conclude.

Everything that people say goes masked onto the timeline; the names of people of the plan are not masked, for they are
those who act, and a name that nobody has on the list is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.incident.operations import ENDERS, LONGEST_TEXT, READERS, text_of
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import wording_of
from agent.investigation.document import write_investigation
from agent.investigation.findings import findings_of
from agent.investigation.people import fresh_id, say
from agent.investigation.view import investigation_document
from agent.operation import Answer, Request
from config.errors import ExitCode, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

INVESTIGATORS: Final[tuple[Role, ...]] = (
    *ENDERS, "security_member", "tech_support", "legal", "privacy_officer", "store_manager", "area_manager",
)  # fmt: skip


def show(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.investigation/1`."""
    request.may(*READERS)
    return _shown(agent, incidents(agent).get(text_of(request, "id")))


def person(agent: Agent, request: Request) -> Answer:
    """Record who used an account at a terminal. It says nothing about blame.

    Raises:
        UsageError: no such incident or actor, or no name.
    """
    incident = _may_say(agent, request)
    subject, name = text_of(request, "actor"), text_of(request, "person").strip()
    actors = [actor.id for actor in findings_of(agent, incident.id).actors]
    _known(agent, incident, subject, actors)
    if not name:
        raise UsageError(agent.text("investigation.words_needed"))
    words = name if agent.people.named(name) else agent.mask(name[:LONGEST_TEXT])
    say(
        agent, incident.id, request.caller.user, "person", subject=subject, words=words,
        reason_given=agent.mask(text_of(request, "reason")[:LONGEST_TEXT]),
    )  # fmt: skip
    return _shown(agent, incident)


def hypothesis(agent: Agent, request: Request) -> Answer:
    """`act`: `add` (words), `confirm` or `reject` (subject, words).

    Raises:
        UsageError: no such incident or hypothesis, or nothing said.
    """
    incident = _may_say(agent, request)
    act, words = text_of(request, "act"), _words(agent, request)
    listed = findings_of(agent, incident.id).hypotheses
    if act == "add":
        subject = fresh_id("h", (known.id for known in listed))
        say(agent, incident.id, request.caller.user, "hypothesis_added", subject=subject, words=words)
    elif act in ("confirm", "reject"):
        subject = text_of(request, "subject")
        _known(agent, incident, subject, [known.id for known in listed])
        found = next(known for known in listed if known.id == subject)
        title = {"title": found.words} if found.words else {"title_key": f"investigation.h_{found.id}"}
        done = "hypothesis_confirmed" if act == "confirm" else "hypothesis_rejected"
        say(agent, incident.id, request.caller.user, done, subject=subject, words=words, **title)
    else:
        raise UsageError(f"act: {act!r} is none of add, confirm, reject")
    return _shown(agent, incident)


def question(agent: Agent, request: Request) -> Answer:
    """`act`: `add` (words) or `answer` (subject, words).

    Raises:
        UsageError: no such incident or question, or nothing said.
    """
    incident = _may_say(agent, request)
    act, words = text_of(request, "act"), _words(agent, request)
    listed = findings_of(agent, incident.id).questions
    if act == "add":
        subject = fresh_id("q", (known.id for known in listed))
        say(agent, incident.id, request.caller.user, "question_added", subject=subject, words=words)
    elif act == "answer":
        subject = text_of(request, "subject")
        _known(agent, incident, subject, [known.id for known in listed])
        found = next(known for known in listed if known.id == subject)
        title: dict[str, Any] = {"title": found.words}
        if found.asked:
            wording = wording_of(agent)
            title = {"title": found.asked.words(wording)}
        say(agent, incident.id, request.caller.user, "question_answered", subject=subject, words=words, **title)
    else:
        raise UsageError(f"act: {act!r} is none of add, answer")
    return _shown(agent, incident)


def conclude(agent: Agent, request: Request) -> Answer:
    """People's conclusion: `manner` and `cause`, and a `hypothesis` by id if one is it. Writes the report.

    Raises:
        UsageError: no such incident or hypothesis, or one of both is not said.
    """
    incident = _may_say(agent, request, *ENDERS, "legal", "tech_support", "store_manager")
    manner, cause = (agent.mask(text_of(request, name).strip()[:LONGEST_TEXT]) for name in ("manner", "cause"))
    if not manner or not cause:
        raise UsageError(agent.text("investigation.words_needed"))
    subject = text_of(request, "hypothesis")
    if subject:
        _known(agent, incident, subject, [known.id for known in findings_of(agent, incident.id).hypotheses])
    say(agent, incident.id, request.caller.user, "concluded", subject=subject, manner=manner, cause=cause)
    return _written(agent, request, incident)


def document(agent: Agent, request: Request) -> Answer:
    """Write the report as things stand."""
    request.may(*INVESTIGATORS)
    return _written(agent, request, incidents(agent).get(text_of(request, "id")))


def _written(agent: Agent, request: Request, incident: Incident) -> Answer:
    is_there = write_investigation(agent, incident.id, request.caller.user)
    answer = _shown(agent, incident)
    stem = f"{agent.text('investigation.file_name')}-{incident.id}-"
    papers = sorted(str(path) for path in (agent.home.documents / incident.id).glob(f"{stem}*"))
    return Answer(
        document={**answer.document, "documents": papers},
        exit_code=ExitCode.DONE if is_there else ExitCode.INCOMPLETE,
    )


def _shown(agent: Agent, incident: Incident) -> Answer:
    return Answer(document=investigation_document(findings_of(agent, incident.id), wording_of(agent)))


def _may_say(agent: Agent, request: Request, *roles: Role) -> Incident:
    request.may(*(roles or INVESTIGATORS))
    incident = incidents(agent).get(text_of(request, "id"))
    if incident.phase in ("closed", "dismissed"):
        raise UsageError(agent.text("investigation.ended", id=incident.id))
    return incident


def _words(agent: Agent, request: Request) -> str:
    words = agent.mask(text_of(request, "words").strip()[:LONGEST_TEXT])
    if not words:
        raise UsageError(agent.text("investigation.words_needed"))
    return words


def _known(agent: Agent, incident: Incident, subject: str, known: list[str]) -> None:
    if subject not in known:
        raise UsageError(
            agent.text("investigation.unknown_subject", id=incident.id, subject=subject, known=", ".join(known) or "–")
        )
