"""Ask for approval, give it, and see whether it is enough.

An approval is of one version: subject and SHA-256 of exactly what is approved. A changed text, list or set has another
digest and needs everybody's word again. A word counts once a person, however often and by whatever way it comes.
Limit: who holds root on this machine can write any word into the database; head office and the record of every act,
which names each, are what he cannot change unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from agent.approvals.models import ApprovalRow, RequestRow
from agent.approvals.rules import RULES, Act
from agent.incident.course import Course
from agent.incident.store import incidents
from agent.messages.records import Answer as Word
from config.errors import ClocheError, RefusedError, UsageError
from config.log import describe, get_logger
from config.officers import Officer
from config.orders import APPROVED_BY_ORDER
from config.schema import Person

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("approvals")
VERSION_MARK: Final = "#"
How = Literal["account", "code", "link", "page", "officer", "officer_it", "order"]
"""`order`: by an order of head office's, given by this person. `officer` (from IT: `officer_it`): by a signature over
an order of head office's that this store has verified."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """One person's word. `at` is aware."""

    person: str
    how: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a request stands. `missing` is '' when it is enough, `people`, or `not_it`."""

    act: Act
    subject: str
    digest: str
    about: str
    asked_by: str
    asked_at: datetime
    given: tuple[Given, ...]
    missing: Literal["", "people", "not_it"]


def require(agent: Agent, act: Act, subject: str, digest: str, about: str, actor: str) -> Standing:
    """Return once enough people have approved exactly this; the actor's own word counts if he may give it.

    Args:
        agent: all parts.
        act: which rule holds.
        subject: `<what>:<id>`, stable, such as `notice:I20261126-bkrt`; an incident's timeline shows what is about it.
        digest: SHA-256 (hex) of what is approved.
        about: what it is, in a sentence, masked.
        actor: account that asks.

    Raises:
        RefusedError: words are still missing; whoever may give them has been asked.
    """
    request = _open(agent, act, (subject, digest), about, actor)
    person = agent.people.of_account(actor)
    if person is not None and RULES[act].may(person):
        _give(agent, request, person, "account")
    found = _standing_of(agent, request)
    if found.missing:
        _ask_people(agent, found)
        raise RefusedError(describe_missing(agent, found))
    if agent.settings.respond.single_handed and len(found.given) < RULES[act].needed:
        reason = agent.mask(agent.settings.respond.single_handed)
        _record(agent, subject, actor, "single_handed", reason_given=reason)
    return found


def count_officers(agent: Agent, subject: str, digest: str, officers: Iterable[Officer]) -> Standing:
    """Count officers who signed an order of head office's for exactly this version; their signatures were verified.

    Raises:
        UsageError: nobody has asked for this version.
    """
    with agent.inventory.reading() as session:
        request = session.scalars(_version(subject, digest)).first()
    if request is None:
        raise UsageError(agent.text("approval.unknown", subject=subject))
    for officer in officers:
        person = Person(name=f"{officer.name} ({officer.person})", roles=("security_lead",))
        _give(agent, request, person, "officer_it" if officer.it else "officer")
    return _standing_of(agent, request)


def approve(agent: Agent, subject: str, person: Person, how: How, version: str = "") -> Standing:
    """Give a person's word for the newest version of a subject.

    `version` is the beginning of the digest that the person was asked about; '' where they see the newest themselves.

    Raises:
        UsageError: nothing of this name waits.
        RefusedError: this person's word does not count for it, or not by an order of head office's, or it was changed
            since they were asked.
    """
    request = _newest(agent, subject)
    if not request.digest.startswith(version):
        raise RefusedError(agent.text("approval.changed_since", subject=subject))
    if how == "order" and request.act not in APPROVED_BY_ORDER:
        raise RefusedError(agent.text("approval.not_by_order", subject=subject))
    if not RULES[cast("Act", request.act)].may(person):
        raise RefusedError(agent.text("approval.not_yours", person=person.name, subject=subject))
    _give(agent, request, person, how)
    return _standing_of(agent, request)


def asked_about(agent: Agent, subject: str) -> str:
    """What a code for the newest version is about: a code for an earlier one does not fit it.

    Raises:
        UsageError: nothing of this name waits.
    """
    return versioned(subject, _newest(agent, subject).digest)


def versioned(subject: str, digest: str) -> str:
    """A subject with its version."""
    return f"{subject}{VERSION_MARK}{digest[:16]}"


def standing(agent: Agent, subject: str, digest: str) -> Standing | None:
    """Where the approval of this version stands; None if nobody asked for it."""
    with agent.inventory.reading() as session:
        request = session.scalars(_version(subject, digest)).first()
    return None if request is None else _standing_of(agent, request)


def waiting(agent: Agent) -> Sequence[Standing]:
    """The newest version of every subject that still lacks a word, oldest first."""
    with agent.inventory.reading() as session:
        newest: dict[str, RequestRow] = {}
        for request in session.scalars(select(RequestRow).order_by(RequestRow.id)):
            newest[request.subject] = request
    found = [_standing_of(agent, request) for request in newest.values()]
    return sorted((item for item in found if item.missing), key=lambda item: item.asked_at)


def newest_about(agent: Agent, incident_id: str) -> Sequence[Standing]:
    """The newest version of every subject about an incident, enough or not, oldest first."""
    with agent.inventory.reading() as session:
        newest: dict[str, RequestRow] = {}
        query = select(RequestRow).where(RequestRow.subject.endswith(f":{incident_id}", autoescape=True))
        for request in session.scalars(query.order_by(RequestRow.id)):
            newest[request.subject] = request
    return sorted((_standing_of(agent, request) for request in newest.values()), key=lambda item: item.asked_at)


def describe_missing(agent: Agent, found: Standing) -> str:
    """Who still has to say yes, in a sentence."""
    rule = RULES[found.act]
    counting = (agent.people.named(word.person) for word in found.given)
    given = {person.name for person in counting if person is not None and rule.may(person)}
    able = [person for person in agent.people.holding(rule.roles) if person.name not in given]
    if found.missing == "not_it":
        able = [person for person in able if not agent.people.is_from_it(person)]
    separator = "、" if agent.text.language == "zh-CN" else ", "
    names = separator.join(person.name for person in able)
    key = f"approval.missing_{found.missing}" if able else "approval.nobody"
    return agent.text(
        key,
        given=len(given),
        needed=rule.needed,
        names=names,
        subject=versioned(found.subject, found.digest),
        about=found.about,
    )


def answered(agent: Agent, answer: Word) -> None:
    """A word that came by a code or a link; what no longer counts is logged and changes nothing."""
    person = agent.people.named(answer.person)
    try:
        if person is None:
            raise RefusedError("the person is no longer in the settings")
        subject, _, version = answer.about.partition(VERSION_MARK)
        approve(agent, subject, person, answer.how, version)
    except ClocheError as error:
        log.warning("an approval was not taken", why=describe(error))


def _newest(agent: Agent, subject: str) -> RequestRow:
    with agent.inventory.reading() as session:
        query = select(RequestRow).where(RequestRow.subject == subject).order_by(RequestRow.id.desc()).limit(1)
        request = session.scalars(query).first()
    if request is None:
        raise UsageError(agent.text("approval.unknown", subject=subject))
    return request


def _version(subject: str, digest: str) -> Select[RequestRow]:
    return select(RequestRow).where(RequestRow.subject == subject, RequestRow.digest == digest)


def _open(agent: Agent, act: Act, version: tuple[str, str], about: str, actor: str) -> RequestRow:
    subject, digest = version
    with agent.inventory.sessions.begin() as session:
        request = session.scalars(_version(subject, digest)).first()
        fresh = request is None
        if request is None:
            request = RequestRow(
                act=act, subject=subject, digest=digest, about=about, asked_by=agent.mask(actor), asked_at=agent.now()
            )
            session.add(request)
            session.flush()
        session.expunge(request)
    if fresh:
        _record(agent, subject, actor, "asked", digest=digest[:16], about=about)
    return request


def _give(agent: Agent, request: RequestRow, person: Person, how: How) -> None:
    with agent.inventory.sessions.begin() as session:
        known = session.scalars(
            select(ApprovalRow).where(ApprovalRow.request == request.id, ApprovalRow.person == person.name)
        ).first()
        if known is not None:
            return
        session.add(ApprovalRow(request=request.id, person=person.name, given_at=agent.now(), how=how))
    _record(agent, request.subject, person.name, "given", digest=request.digest[:16], how=how)


def _standing_of(agent: Agent, request: RequestRow) -> Standing:
    with agent.inventory.reading() as session:
        given = _given(session, request.id)
    act = cast("Act", request.act)
    people = [person for word in given if (person := _speaker(agent, act, word)) is not None]
    return Standing(
        act=act, subject=request.subject, digest=request.digest, about=request.about,
        asked_by=request.asked_by, asked_at=request.asked_at, given=given,
        missing=RULES[act].lacks(people, single_handed=bool(agent.settings.respond.single_handed)),
    )  # fmt: skip


def _speaker(agent: Agent, act: Act, word: Given) -> Person | None:
    """Whose word it is, if it counts for this act."""
    if word.how == "order" and act not in APPROVED_BY_ORDER:
        return None
    if word.how in ("officer", "officer_it"):
        # signs for what stores destroy; never in the lawyer's place
        return Person(name=word.person, roles=("security_lead",) if word.how == "officer_it" else ("department_head",))
    person = agent.people.named(word.person)
    if person is not None and act in ("purge", "originals") and word.how != "account":
        from agent.direction.policy import is_vouched

        return person if is_vouched(agent, person) else None
    return person


def _given(session: Session, request: int) -> tuple[Given, ...]:
    rows = session.scalars(select(ApprovalRow).where(ApprovalRow.request == request).order_by(ApprovalRow.id))
    return tuple(Given(person=row.person, how=row.how, at=row.given_at) for row in rows)


def _ask_people(agent: Agent, found: Standing) -> None:
    """Send a code to everybody whose word is missing, once a version; who cannot be reached is asked in person."""
    from agent.messages import tell_with_code

    given = {word.person for word in found.given}
    for person in agent.people.holding(RULES[found.act].roles):
        if person.name in given:
            continue
        try:
            tell_with_code(
                agent, person, agent.text("approval.ask_subject", store=agent.settings.store.name),
                agent.text("approval.ask_text", about=found.about, subject=found.subject, asked_by=found.asked_by),
                purpose="approval", about=versioned(found.subject, found.digest),
            )  # fmt: skip
        except ClocheError as error:
            log.warning("nobody could be asked to approve", why=describe(error))


def _record(agent: Agent, subject: str, actor: str, act: str, **details: Any) -> None:
    """On the timeline of the incident that the subject names, else in the record of every act alone."""
    incident = subject.rpartition(":")[2]
    if any(known.id == incident for known in incidents(agent).all()):
        Course(agent, incident, agent.mask(actor)).record(f"approval.{act}", subject=subject, **details)
    else:
        agent.audit.append(f"approval.{act}", agent.mask(actor), subject=subject, **details)
