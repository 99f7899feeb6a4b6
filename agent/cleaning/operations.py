"""`clean.show|decide|release|restore|purge|risk`: the clean-up of one incident from the keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.cleaning.acting import FINAL, Cleaning, Copy, entries_of, short
from agent.cleaning.state import Places, decisions_of, risk_assessment
from agent.incident.clocks import iso
from agent.incident.moments import zone_of
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.operation import Answer, Request
from agent.purge.operations import fields as purge_fields
from config.errors import ExitCode, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

MAY_LOOK: Final[tuple[Role, ...]] = get_args(Role)
MAY_DECIDE: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer",
)  # fmt: skip
MAY_ACT: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "response_lead")
LONGEST_TEXT: Final = 2000
LOOK_AGAIN: Final = timedelta(days=90)
"""A risk for which nobody names a day is looked at again after a quarter."""


def show(agent: Agent, request: Request) -> Answer:
    """Each affected item: where it is now, what was decided, how it was proved; and the residual risks."""
    request.may(*MAY_LOOK)
    return _answer(agent, _incident(agent, request))


def decide(agent: Agent, request: Request) -> Answer:
    """Write down a decision for `items` (or `undecided`: all that have none): `decision`, `reason`."""
    request.may(*MAY_DECIDE)
    incident = _incident(agent, request)
    cleaning = Cleaning(agent, incident, request.caller.user)
    decision: Any = request.arguments.get("decision")
    cleaning.decide(_items(agent, incident, request), decision, _text(request, "reason"))
    return _answer(agent, incident)


def release(agent: Agent, request: Request) -> Answer:
    """Give `items` back and prove it; a key file's descriptor, if any."""
    request.may(*MAY_ACT)
    incident = _incident(agent, request)
    unlocker = agent.keyring.unlocker(request.descriptors[0]) if request.descriptors else None
    cleaning = Cleaning(agent, incident, request.caller.user)
    left = cleaning.release(_items(agent, incident, request), _text(request, "reason"), unlocker)
    answer = _answer(agent, incident)
    answer.document["left"] = [{"name": item.name, "cause": cause} for item, cause in left]
    return Answer(document=answer.document, exit_code=ExitCode.INCOMPLETE if left else ExitCode.DONE)


def restore(agent: Agent, request: Request) -> Answer:
    """Restore one of `items` from the first descriptor; a key file may be the second."""
    request.may(*MAY_ACT)
    incident = _incident(agent, request)
    if not request.descriptors:
        raise UsageError(agent.text("cleaning.no_copy"))
    unlocker = agent.keyring.unlocker(request.descriptors[1]) if len(request.descriptors) > 1 else None
    (item, *more) = _items(agent, incident, request)
    if more:
        raise UsageError(agent.text("cleaning.one_item"))
    copy = Copy(
        source=request.descriptors[0], reason=_text(request, "reason"), differs=_text(request, "differs"),
        replace=bool(request.arguments.get("replace")), unlocker=unlocker,
    )  # fmt: skip
    proof = Cleaning(agent, incident, request.caller.user).restore(item, copy)
    answer = _answer(agent, incident)
    answer.document["proof"] = proof
    return answer


def purge(agent: Agent, request: Request) -> Answer:
    """Decide on a purge of `items` and ask for it: `reason`, `originals` with `statement`."""
    request.may(*MAY_ACT)
    incident = _incident(agent, request)
    made = Cleaning(agent, incident, request.caller.user).purge(
        _items(agent, incident, request), reason=_text(request, "reason"),
        originals=bool(request.arguments.get("originals")), statement=_text(request, "statement"),
    )  # fmt: skip
    answer = _answer(agent, incident)
    answer.document["purge"] = purge_fields(agent, made)
    return Answer(document=answer.document, exit_code=ExitCode.INCOMPLETE)


def risk(agent: Agent, request: Request) -> Answer:
    """Write down a residual `risk` ('' means that none remains) with `owner` and `until` (YYYY-MM-DD)."""
    request.may(*MAY_DECIDE)
    incident = _incident(agent, request)
    day = _text(request, "until")
    try:
        until = date.fromisoformat(day) if day else agent.now().date() + LOOK_AGAIN
    except ValueError:
        raise UsageError(agent.text("cleaning.needs_day")) from None
    cleaning = Cleaning(agent, incident, request.caller.user)
    cleaning.accept_risk(risk=_text(request, "risk"), owner=_text(request, "owner"), until=until)
    return _answer(agent, incident)


def _answer(agent: Agent, incident: Incident) -> Answer:
    """`cloche.clean/1`."""
    zone = zone_of(agent.settings.store.timezone)
    incident = incidents(agent).get(incident.id)
    decided, places = decisions_of(agent, incident.id), Places(agent)
    items = []
    for number, item in enumerate(incident.items, 1):
        word = decided.get(item.path)
        items.append({
            "number": number, "key": short(item.path), "name": item.name, "persons": item.persons,
            "where": places.of(item, word), "vault_id": item.vault_id,
            "decision": word.decision if word else None, "by": word.by if word else None,
            "at": iso(word.at, zone) if word else None, "reason": word.reason if word else None,
            "done_at": iso(word.done_at, zone) if word else None, "proof": word.proof if word else {},
        })  # fmt: skip
    assessed = risk_assessment(agent, incident.id)
    document = {
        "schema": "cloche.clean/1", "incident": incident.id, "phase": incident.phase, "items": items,
        "readable": sum(item["where"] == "readable" for item in items),
        "undecided": sum(item["decision"] is None for item in items),
        "unfinished": sum(item["decision"] is not None and item["done_at"] is None for item in items),
        "assessed_at": iso(assessed.at, zone) if assessed else None,
        "risks": [
            {"risk": one.risk, "owner": one.owner, "until": one.until.isoformat() if one.until else None, "by": one.by}
            for one in (assessed.risks if assessed else ())
        ],
    }  # fmt: skip
    return Answer(document=document)


def _incident(agent: Agent, request: Request) -> Incident:
    return incidents(agent).get(_text(request, "id"))


def _items(agent: Agent, incident: Incident, request: Request) -> Sequence[Affected]:
    """Items by number, short key, id of the vault or masked name; or many at once.

    `undecided`: without a decision. `everything`: what is in quarantine; for a decision all that is not dealt with.
    """
    if request.arguments.get("everything"):
        decided = decisions_of(agent, incident.id)
        done = {path for path, word in decided.items() if word.done_at is not None and word.decision in FINAL}
        left = [item for item in incident.items if item.path not in done]
        if request.arguments.get("decision"):
            return left
        held = entries_of(agent, incident, left)
        return [item for item in left if item.path in held and held[item.path].state in ("fenced", "vaulted")]
    if request.arguments.get("undecided"):
        decided = decisions_of(agent, incident.id)
        return [item for item in incident.items if item.path not in decided]
    chosen: dict[bytes, Affected] = {}
    for word in request.arguments.get("items") or ():
        name = str(word)
        found = [
            item
            for number, item in enumerate(incident.items, 1)
            if name in (str(number), short(item.path), item.vault_id, item.name)
        ]
        if len(found) != 1:
            raise UsageError(agent.text("cleaning.unknown_item", name=agent.mask(name), count=len(found)))
        chosen[found[0].path] = found[0]
    if not chosen:
        raise UsageError(agent.text("cleaning.nothing"))
    return list(chosen.values())


def _text(request: Request, name: str) -> str:
    return str(request.arguments.get(name) or "")[:LONGEST_TEXT]
