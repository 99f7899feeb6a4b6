"""`incident.persons` and `notice.*`: count, list, draft, preview, test, approve, send, decide."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from agent.incident.moments import zone_of
from agent.incident.operations import DECLARERS, READERS, text_of
from agent.incident.store import incidents
from agent.notice import campaign as campaigning
from agent.notice import sending
from agent.notice.campaign import Campaign, campaign_of, newest_campaign
from agent.notice.lists import affected_list, list_of, people
from agent.notice.persons import Counted, count_persons, last_count
from agent.notice.told import ToldMemory
from agent.operation import Answer, Request
from config.errors import ExitCode, RefusedError, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.keys import Unlocker

COUNTERS: Final[tuple[Role, ...]] = (*DECLARERS, "legal", "customer_service")
SENDERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer", "store_manager",
    "customer_service", "area_manager",
)  # fmt: skip
MOST_ROUNDS: Final = 100_000


def persons(agent: Agent, request: Request) -> Answer:
    """`cloche.incident-persons/1`: the last count, or a new one with `count`; a key file's descriptor, if any.

    With `list` the sealed list is written to the first descriptor, where two people approved it.

    Raises:
        UsageError: no such incident, nobody counted, or there is no list.
        RefusedError: no right, no approval, or no key.
    """
    incident = incidents(agent).get(text_of(request, "id"))
    written: int | None = None
    if request.arguments.get("list"):
        from agent.notice.reading import write_list

        request.may(*SENDERS)
        if not request.descriptors:
            raise UsageError("a list needs a descriptor to be written to")
        made = affected_list(agent, incident.id)
        if made is None:
            raise UsageError(agent.text("notice.no_list"))
        target, *keys = request.descriptors
        unlocker = agent.keyring.unlocker(keys[0]) if keys else None
        written = write_list(agent, made, unlocker, target, request.caller.user)
        counted = last_count(agent, incident.id)
    elif request.arguments.get("count"):
        request.may(*COUNTERS)
        counted = count_persons(
            agent, incident.id, _unlocker(agent, request), request.caller.user,
            progress=lambda done, total: request.progress({"done": done, "total": total}),
        )  # fmt: skip
    else:
        request.may(*READERS)
        counted = last_count(agent, incident.id)
    if counted is None:
        raise UsageError(agent.text("notice.not_counted", id=incident.id))
    document = {"schema": "cloche.incident-persons/1", "incident": incident.id, **count_fields(agent, counted)}
    if written is not None:
        document["written"] = written
    return Answer(document=document, exit_code=ExitCode.DONE if counted.complete else ExitCode.INCOMPLETE)


def draft(agent: Agent, request: Request) -> Answer:
    """Texts, list and documents; `cloche.notice/1`. Arguments: `id`, `anew`, `also_told`; a key file's descriptor."""
    request.may(*SENDERS)
    made = campaigning.draft(
        agent, text_of(request, "id"), _unlocker(agent, request), request.caller.user,
        anew=bool(request.arguments.get("anew")), also_told=bool(request.arguments.get("also_told")),
        progress=lambda done, total: request.progress({"done": done, "total": total}),
    )  # fmt: skip
    return _answer(agent, made)


def preview(agent: Agent, request: Request) -> Answer:
    """Who would be told how, and who not and why, besides the texts; nothing is sent."""
    from agent.notice.planning import Planner

    request.may(*SENDERS)
    found = campaign_of(agent, text_of(request, "id"))
    planner, plan = Planner(agent, found, ToldMemory(agent)), Counter[str]()
    with people(agent, list_of(agent, found.list_id), _unlocker(agent, request)) as everybody:
        for choice in planner.choose(everybody, agent.now()):
            plan[choice.way.channel if choice.way else str(choice.skip)] += 1
    return _answer(agent, found, plan=dict(sorted(plan.items())))


def test(agent: Agent, request: Request) -> Answer:
    """The texts to a person of the settings (`to`)."""
    request.may(*SENDERS)
    found = campaign_of(agent, text_of(request, "id"))
    ids = campaigning.test(agent, found, text_of(request, "to"), request.caller.user)
    return _answer(agent, found, messages=list(ids))


def approve(agent: Agent, request: Request) -> Answer:
    """Give the caller's word for the newest version, and ask the others; exit code 3 while words are missing.

    Raises:
        RefusedError: this caller's word does not count.
    """
    found = campaign_of(agent, text_of(request, "id"))
    try:
        campaigning.approval(agent, found, request.caller.user)
    except RefusedError as error:
        person = agent.people.of_account(request.caller.user)
        given = {name for name, _how in _given(agent, found)}
        if person is None or person.name not in given:
            raise
        return Answer(document=_document(agent, found, missing=str(error)), exit_code=ExitCode.INCOMPLETE)
    return _answer(agent, found)


def send(agent: Agent, request: Request) -> Answer:
    """Begin, or go on. `uncertain`: a person's word on who may have been told: `resend` or `told`.

    Raises:
        RefusedError: not approved by two people, or the list's key is missing.
        UsageError: a false alarm, nothing drafted, no channel.
    """
    request.may(*SENDERS)
    found = campaign_of(agent, text_of(request, "id"))
    word = text_of(request, "uncertain")
    if word not in ("", "resend", "told"):
        raise UsageError("--uncertain: resend or told")
    found = sending.start(agent, found, _unlocker(agent, request), request.caller.user)
    if word:
        sending.settle_uncertain(agent, found, request.caller.user, resend=word == "resend")
    for _ in range(MOST_ROUNDS):
        done = sending.round_of(agent, campaign_of(agent, found.incident), agent.now())
        if done.ended or done.waits or not done.handed:
            break
    return _answer(agent, campaign_of(agent, found.incident))


def status(agent: Agent, request: Request) -> Answer:
    """How far the newest version got.

    Raises:
        UsageError: nothing was drafted or decided.
    """
    request.may(*READERS)
    found = newest_campaign(agent, incidents(agent).get(text_of(request, "id")).id)
    if found is None:
        raise UsageError(agent.text("notice.no_draft"))
    return _answer(agent, found)


def decide_not(agent: Agent, request: Request) -> Answer:
    """The lawyer's decision, with `reason`."""
    made = campaigning.decide_not(agent, text_of(request, "id"), request.caller.user, text_of(request, "reason"))
    return _answer(agent, made)


def call_list(agent: Agent, request: Request) -> Answer:
    """Whom to call, in clear, to the first descriptor, where two people approved that the list is seen."""
    from agent.notice.reading import write_call_list

    request.may(*SENDERS)
    if not request.descriptors:
        raise UsageError("a call list needs a descriptor to be written to")
    found = campaign_of(agent, text_of(request, "id"))
    target, *keys = request.descriptors
    unlocker = agent.keyring.unlocker(keys[0]) if keys else None
    written = write_call_list(agent, found, unlocker, target, request.caller.user)
    return _answer(agent, found, written=written)


def count_fields(agent: Agent, counted: Counted) -> dict[str, Any]:
    """A count as JSON; keys are stable."""
    zone = zone_of(agent.settings.store.timezone)
    return {
        "persons": counted.persons, "customers": counted.customers, "staff": counted.staff,
        "suppliers": counted.suppliers, "sensitive": counted.sensitive, "reachable": counted.reachable,
        "virtual": counted.virtual, "masked": counted.masked, "own": counted.own, "types": counted.types,
        "files": counted.files, "unreadable": counted.unreadable, "complete": counted.complete,
        "unread": [{"name": part.name, "reason": part.reason} for part in counted.unread],
        "counted_at": counted.at.astimezone(zone).isoformat(timespec="seconds"), "by": counted.by,
    }  # fmt: skip


def _answer(agent: Agent, found: Campaign, **more: Any) -> Answer:
    document = _document(agent, found, **more)
    left = sum(by_state.get("uncertain", 0) + by_state.get("failed", 0) for by_state in document["told"].values())
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if left else ExitCode.DONE)


def _document(agent: Agent, found: Campaign, **more: Any) -> dict[str, Any]:
    """`cloche.notice/1`."""
    zone = zone_of(agent.settings.store.timezone)
    made = list_of(agent, found.list_id) if found.list_id else None
    return {
        "schema": "cloche.notice/1", "incident": found.incident, "name": found.name, "version": found.version,
        "state": found.state, "waits": found.waits, "reason": found.reason, "by": found.by, "digest": found.digest,
        "at": found.at.astimezone(zone).isoformat(timespec="seconds"),
        "list": None if made is None else {
            "number": made.number, "persons": made.persons, "digest": made.digest, **made.contacts
        },
        "position": found.position, "channels": list(found.channels), "also_told": found.also_told,
        "sms": found.texts.get("sms"), "texts": found.texts.get("texts", {}), "law": found.texts.get("law", ""),
        "verified": found.texts.get("verified"), "approved_by": [name for name, _how in _given(agent, found)],
        "told": ToldMemory(agent).counts(found.name) if made else {}, **more,
    }  # fmt: skip


def _given(agent: Agent, found: Campaign) -> list[tuple[str, str]]:
    from agent.approvals import standing

    stands = standing(agent, campaigning.subject_of(found.incident), found.digest) if found.digest else None
    return [(word.person, word.how) for word in stands.given] if stands else []


def _unlocker(agent: Agent, request: Request) -> Unlocker | None:
    return agent.keyring.unlocker(request.descriptors[0]) if request.descriptors else None
