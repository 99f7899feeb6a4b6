"""What head office is told of an incident: enough to see where it stands, what is due and what holds it up.

Everything is masked and bounded. Words are in the store's language; beside them stand the identifiers (duty, field,
unmet condition, role) from which head office says the same in its reader's language. A part that cannot be looked up
is left out and named under `untold`, for a broken evidence folder must not keep head office from hearing of the rest.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.incident.cases import case_of
from agent.incident.clocks import iso
from agent.incident.duties import DutyState, duties_of
from agent.incident.grading import law_grade
from agent.incident.law import load_plan
from agent.incident.orders import Order, orders_of
from agent.incident.records import Incident
from agent.incident.view import full, papers, wording_of
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("incident")
MOST_ITEMS: Final = 200
MOST_STEPS: Final = 2000  # what head office takes; the newest, the store has them all
MOST_PAPERS: Final = 200
MOST_ORDERS: Final = 300
MOST_MISSING: Final = 60
MOST_WORDS: Final = 400
DRAFTS: Final = "drafts"


def for_head_office(agent: Agent, incident: Incident, now: datetime) -> dict[str, Any]:
    """The `incident` report of the link; `docs/wire-v1.md` lists its fields.

    Args:
        agent: all parts.
        incident: with its items and steps.
        now: aware.
    """
    document = full(agent, incident, now)
    for local in ("next", "evidence", "schema", "clocks", "orders", "documents_note"):
        document.pop(local)
    document["items"] = document["items"][:MOST_ITEMS]
    document["steps"] = document["steps"][-MOST_STEPS:]
    document["documents"] = paper_documents(agent.home.documents / incident.id)
    document |= {
        "language": agent.text.language, "case": case_of(incident),
        "states": dict(Counter(item.state for item in incident.items)),
        "tasks": [
            {"roles": list(duty.roles), "texts": {"zh-CN": duty.chinese, "en": duty.english}}
            for duty in load_plan()
            if duty.phase == incident.phase
        ],
    }  # fmt: skip
    untold = []
    for name, part in _parts(agent, incident, now):
        try:
            document |= part()
        except (ClocheError, OSError, ValueError, KeyError) as error:
            log.warning("a part of an incident could not be told", incident=incident.id, part=name, why=describe(error))
            untold.append(name)
    document["untold"] = untold
    return document


def _parts(agent: Agent, incident: Incident, now: datetime) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    zone = wording_of(agent).zone
    yield "clocks", lambda: duties(agent, incident, now)
    yield (
        "orders",
        lambda: {"orders": [order(agent, item, now, zone) for item in orders_of(agent, incident.id)][-MOST_ORDERS:]},
    )
    yield "next", lambda: {"next": following(agent, incident)}
    yield "approvals", lambda: {"approvals": approvals(agent, incident, zone)}
    yield "persons", lambda: persons(agent, incident, zone)
    yield "notified", lambda: {"notified": notified(agent, incident)}
    yield "grade", lambda: {"grade": grade(incident)}
    yield "isolation", lambda: {"isolation": isolation(agent, now, zone)}
    yield "conclusion", lambda: {"conclusion": conclusion(incident)}


def order(agent: Agent, found: Order, now: datetime, zone: tzinfo) -> dict[str, Any]:
    """One order; `state` is open, acknowledged, late, done or cancelled."""
    state = found.ended_how or (
        "late" if now > found.due_at else "acknowledged" if found.acknowledged_at is not None else "open"
    )
    return {
        "id": found.id, "role": found.role, "person": found.owner, "text": found.what[:MOST_WORDS],
        "by": found.issued_by, "issued_at": iso(found.issued_at, zone), "due": iso(found.due_at, zone), "state": state,
        "acknowledged_at": iso(found.acknowledged_at, zone), "acknowledged_by": found.acknowledged_by,
        "ended_at": iso(found.ended_at, zone), "ended_by": found.ended_by, "note": agent.mask(found.note)[:MOST_WORDS],
    }  # fmt: skip


def duties(agent: Agent, incident: Incident, now: datetime) -> dict[str, Any]:
    """`clocks`, one a duty, each with the legal entities that owe it; `entity` is the one with most persons."""
    wording = wording_of(agent)
    rows: dict[str, dict[str, Any]] = {}
    entities: dict[str, dict[str, Any]] = {}
    for state in duties_of(agent, incident, now):
        row = rows.get(state.clock.key)
        if row is None:
            row = state.clock.document(wording.text.language, wording.zone)
            row.pop("contents")
            row |= {"note": row["note"][:MOST_WORDS], "entities": []}
            rows[state.clock.key] = row
        row["entities"].append(owed_by(agent, incident, state))
        entity = state.one.entity
        entities.setdefault(
            state.one.key,
            {
                "name": entity.name, "code": entity.code, "province": entity.province, "files": state.one.files,
                "persons": state.one.persons,
            },
        )  # fmt: skip
    found = list(entities.values())
    return {"clocks": list(rows.values()), "entities": found, "entity": found[0]["name"] if found else ""}


def owed_by(agent: Agent, incident: Incident, state: DutyState) -> dict[str, Any]:
    """One entity's side of a duty: to which office, what the form still lacks, its draft, what was handed in."""
    zone = wording_of(agent).zone
    missing: dict[str, str] = {}
    for part in state.parts:
        if not part.content.optional:
            missing |= {filled.field: filled.gap for filled in part.fields if filled.gap}
    home, draft = agent.home.documents / incident.id, state.draft
    files = [path for path in map(Path, draft.files) if path.is_relative_to(home)] if draft else []
    return {
        "name": state.one.entity.name, "code": state.one.entity.code, "province": state.one.entity.province,
        "office": state.office[agent.text.language], "office_verified": state.office_verified,
        "missing": [{"field": field, "text": gap[:MOST_WORDS]} for field, gap in list(missing.items())[:MOST_MISSING]],
        "draft": None if draft is None else {
            "version": draft.version, "made_at": iso(draft.made_at, zone), "missing": draft.missing,
            "files": [str(path.relative_to(home)) for path in files],
        },
        "submissions": [
            {
                "at": iso(entry.at, zone), "by": entry.by, "to": entry.to, "channel": entry.channel,
                "receipt": entry.receipt, "version": entry.version,
            }
            for entry in state.submissions
        ],
    }  # fmt: skip


def following(agent: Agent, incident: Incident) -> list[dict[str, Any]]:
    """Phases that may follow, forward first, each with what stands in its way now."""
    from agent.incident.life import BACK, FORWARD, unmet_for

    rows = []
    forward = FORWARD.get(incident.phase)
    if forward is not None:
        unmet = [
            {
                "key": item.key, "text": item.words(agent.text)[:MOST_WORDS],
                "values": {name: value for name, value in item.values.items() if isinstance(value, int | str)},
            }
            for item in unmet_for(agent, incident, forward)
        ]  # fmt: skip
        rows.append({"phase": forward, "back": False, "unmet": unmet})
    rows.extend({"phase": phase, "back": True, "unmet": []} for phase in BACK.get(incident.phase, ()))
    return rows


def approvals(agent: Agent, incident: Incident, zone: tzinfo) -> list[dict[str, Any]]:
    """What people are asked to approve about this incident, the newest version of each, given words included."""
    from agent.approvals.approving import newest_about
    from agent.approvals.rules import RULES

    return [
        {
            "id": found.subject, "digest": found.digest, "act": found.act, "what": found.about[:MOST_WORDS],
            "needed": RULES[found.act].needed, "not_it": RULES[found.act].not_it, "roles": list(RULES[found.act].roles),
            "asked_by": found.asked_by, "asked_at": iso(found.asked_at, zone), "missing": found.missing,
            "given": [{"person": word.person, "how": word.how, "at": iso(word.at, zone)} for word in found.given],
        }
        for found in newest_about(agent, incident.id)
    ]  # fmt: skip


def persons(agent: Agent, incident: Incident, zone: tzinfo) -> dict[str, Any]:
    """Whether persons were counted once each from all files as they are now, and whose and what they are."""
    from agent.notice.persons import digest_of_items, last_count

    counted = last_count(agent, incident.id)
    if counted is None:
        return {"persons_complete": False, "count": None}
    current = counted.items == digest_of_items(incident)
    return {
        "persons_complete": counted.complete and current,
        "count": {
            "persons": counted.persons, "customers": counted.customers, "staff": counted.staff,
            "suppliers": counted.suppliers, "sensitive": counted.sensitive, "virtual": counted.virtual,
            "reachable": counted.reachable, "unreadable": counted.unreadable, "files": counted.files,
            "types": counted.types, "current": current, "at": iso(counted.at, zone),
        },
    }  # fmt: skip


def notified(agent: Agent, incident: Incident) -> dict[str, Any]:
    """How many customers were told, and how it stands; `state` '' where nothing was drafted."""
    from agent.notice.campaign import newest_campaign
    from agent.notice.lists import list_of
    from agent.notice.told import ToldMemory

    campaign = newest_campaign(agent, incident.id)
    if campaign is None:
        return {"state": "", "version": 0, "listed": 0}
    by_state: Counter[str] = Counter()
    for states in ToldMemory(agent).counts(campaign.name).values():
        by_state.update(states)
    return {
        "state": campaign.state, "version": campaign.version, "reason": campaign.reason[:MOST_WORDS],
        "waits": campaign.waits, "listed": list_of(agent, campaign.list_id).persons if campaign.list_id else 0,
        **{name: by_state[name] for name in ("sent", "handed", "failed", "lost", "uncertain")},
    }  # fmt: skip


def grade(incident: Incident) -> dict[str, Any] | None:
    """The grade by law with its reason; None below the lowest."""
    graded = law_grade(incident)
    if graded is None:
        return None
    return {"id": graded.grade.id, "by": graded.by, "exact": graded.exact, "verified": graded.verified}


def isolation(agent: Agent, now: datetime, zone: tzinfo) -> dict[str, Any] | None:
    """What is cut from the network by order; None where nothing is."""
    from agent.isolation.state import Isolations

    found = Isolations(agent.journal).current()
    found = found.without_ended(now) if found is not None else None
    if found is None or not found.cuts:
        return None
    return {
        "everything": found.everything, "clients": len(found.clients), "since": iso(found.since, zone),
        "until": iso(found.until, zone), "by": agent.mask(found.by), "incident": found.incident,
    }  # fmt: skip


def conclusion(incident: Incident) -> dict[str, str] | None:
    """What people concluded about the cause; None until they have."""
    from agent.investigation.people import fold

    said = fold(incident.steps).conclusion
    return None if said is None else {"manner": said.manner, "cause": said.cause[:MOST_WORDS], "by": said.by}


def paper_documents(folder: Path) -> list[dict[str, Any]]:
    """Name, size and SHA-256 of the newest documents, drafts as `drafts/NAME`."""
    found = [*papers(folder), *papers(folder / DRAFTS)]
    newest = sorted(found, key=lambda path: path.stat().st_mtime_ns)[-MOST_PAPERS:]
    return [
        {
            "name": str(path.relative_to(folder)), "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in newest
    ]  # fmt: skip
