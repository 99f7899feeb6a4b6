"""Pictures of how a thing stands (assessment, training, vendors), told when they change; of each only the newest waits.

Counts and names of firms; nobody of the staff is named.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agent.reporting.state import note_reported, reported, said_of

if TYPE_CHECKING:
    from agent.wiring import Agent

SOON: Final = timedelta(days=30)
MOST_VENDORS: Final = 500
LONGEST: Final = 400


def tell_assessment(agent: Agent, _now: datetime) -> int:
    """Put the newest assessment unless it was told; the report's number, 0 for nothing new."""
    from agent.assess.store import AssessmentStore
    from agent.assess.words import spoken

    newest = next(iter(AssessmentStore(agent.inventory.sessions).assessments(limit=1)), None)
    if newest is None or reported(agent, "assessment") == newest.sha256:
        return 0
    document = newest.document
    number = agent.outbox.put("assessment", {
        "at": newest.at.isoformat(), "score": newest.score,
        "risks": [{"id": risk, "score": score} for risk, score in document["risks"].items()],
        "measures": [
            {
                "id": one["id"], "score": round(100 * one["score"], 1), "state": one["state"],
                "why": agent.mask(" ".join(spoken(agent.text, saying) for saying in one["evidence"]))[:LONGEST],
            }
            for one in document["measures"]
        ],
    })  # fmt: skip
    note_reported(agent, "assessment", "", newest.sha256)
    return number


def tell_training(agent: Agent, now: datetime) -> int:
    """Put how training stands, if that changed."""
    return _tell_changed(agent, "training", training_document(agent, now))


def tell_vendors(agent: Agent, now: datetime) -> int:
    """Put what vendors have, if that changed."""
    return _tell_changed(agent, "vendors", vendors_document(agent, now))


def training_document(agent: Agent, now: datetime) -> dict[str, Any]:
    """People at work, who owes nothing, what is overdue and what falls due within a month; by course and policy."""
    from agent.training.standing import standing
    from agent.training.store import Register

    found = standing(agent, now)
    courses, policies = Register(agent).catalogue()
    late: Counter[str] = Counter(entry.id for entry in found.overdue)
    soon: Counter[str] = Counter(entry.id for entry in found.owed if found.today <= entry.due < found.today + SOON)
    owed: Counter[str] = Counter(entry.id for entry in found.owed)
    done = Counter(entry.id for entry in found.owed if entry.last is not None and entry.due >= found.today)
    language = agent.text.language
    titles = {entry.id: entry.title[language] for entry in courses.values()}
    titles |= {entry.id: entry.title[language] for entry in policies.values()}
    return {
        "staff": found.staff, "done": found.trained, "due": sum(soon.values()), "overdue": sum(late.values()),
        "courses": [
            {
                "id": name, "title": agent.mask(titles.get(name, name))[:LONGEST], "done": done[name],
                "due": soon[name], "overdue": late[name],
            }
            for name in sorted(owed)
        ],
    }  # fmt: skip


def vendors_document(agent: Agent, now: datetime) -> dict[str, Any]:
    """Each vendor: what it was given, until when its contract runs, whether it is let in just now."""
    from agent.vendors.store import vendors

    store, found = vendors(agent), []
    for vendor in store.all()[:MOST_VENDORS]:
        shares = store.shares(vendor.id)
        held = [share for share in shares if share.state == "open"]
        until = max((contract.ends for contract in vendor.contracts), default="")
        late = any(share.is_overdue(now) for share in held)
        found.append({
            "id": vendor.id, "name": agent.mask(vendor.name)[:LONGEST],
            "state": "overdue" if late else "open" if held else "idle",
            "shared": len(shares), "persons": sum(share.persons for share in held), "contract_until": until or None,
            "canaries": sum(share.planted for share in shares),
            "window_open": any(window.is_open(now) for window in store.windows(vendor.id)),
        })  # fmt: skip
    return {"vendors": found}


def _tell_changed(agent: Agent, kind: Any, document: dict[str, Any]) -> int:
    said = said_of(document)
    if reported(agent, kind) == said:
        return 0
    number = agent.outbox.put(kind, document)
    note_reported(agent, kind, "", said)
    return number
