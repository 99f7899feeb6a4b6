"""Purges that head office ordered, until they end: destroyed, vetoed, what was left."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from agent.direction.models import OrderRow
from agent.direction.telling import tell
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


def follow(agent: Agent, now: datetime) -> None:  # noqa: ARG001  a duty's signature
    """Tell head office how purges that it ordered ended: destroyed, vetoed, what was left."""
    with agent.inventory.reading() as session:
        rows = list(session.scalars(select(OrderRow).where(OrderRow.kind == "purge", OrderRow.state == "done")))
    for row in rows:
        answer = json.loads(row.answer)
        if not answer.get("purge") or answer.get("state") in ("done", "cancelled"):
            continue
        from agent.direction.purging import facts_of
        from agent.purge.store import Purges

        with suppress(UsageError):
            found = Purges(agent).get(answer["purge"])
            if found.state == answer.get("state"):
                continue
            with agent.inventory.sessions.begin() as session:
                kept = session.get_one(OrderRow, row.id)
                kept.answer = json.dumps({**facts_of(found), "missing": ""}, ensure_ascii=False)
                if found.state == "cancelled":
                    kept.reason = str(found.outcome.get("why", ""))
            tell(agent, row.id)
