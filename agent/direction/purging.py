"""A purge that head office ordered: asked for like any other, its officers' signatures counted as people's word.

The 24 hours and the veto of anybody at the store stay as they are, and so does the lawyer's word for originals and for
what the police may need. Head office is told again when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.direction.ordered import Ordered
from agent.purge.carrying import approve_by_officers, ask
from agent.purge.records import Purge
from config.errors import RefusedError
from config.orders import Purge as PurgeForm


def ask_with_officers(one: Ordered, wanted: Sequence[str], form: PurgeForm) -> dict[str, Any]:
    """Ask, and begin the waiting time where nobody's word is missing.

    Raises:
        UsageError: nothing to destroy.
        RefusedError: something needs the lawyer's word, or is no longer in the vault.
    """
    agent = one.agent
    if not wanted:
        return {"already": True, "destroyed": 0}
    entries = [entry for entry in agent.quarantine.entries() if entry.id in set(wanted)]
    found = ask(agent, entries, one.actor, reason=form.reason, originals=form.originals, statement=form.statement)
    missing = ""
    try:
        found = approve_by_officers(agent, found, one.actor, one.officers)
    except RefusedError as error:
        missing = agent.mask(str(error))[:300]
    return {**facts_of(found), "missing": missing}


def facts_of(found: Purge) -> dict[str, Any]:
    """What head office is told of a purge."""
    return {
        "purge": found.id, "state": found.state, "files": len(found.items),
        "due_at": found.due_at.isoformat() if found.due_at else None,
        "destroyed": len(found.outcome.get("destroyed", ())), "left": len(found.outcome.get("left", ())),
    }  # fmt: skip
