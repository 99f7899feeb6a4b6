"""Purges in inventory.db. Each call is one transaction."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import select

from agent.purge.models import PurgeRow
from agent.purge.records import Item, Purge, State
from config.errors import UsageError
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent

ID: Final = re.compile(r"P\d{8}-[a-z]{4}")


class Purges:
    """All purges of this home."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._sessions = agent.inventory.sessions

    def add(self, purge: Purge, local_day: datetime) -> Purge:
        """Keep a new request under a fresh id (`P20261126-bkrt`)."""
        with self._sessions.begin() as session:
            taken = set(session.scalars(select(PurgeRow.id)))
            while (fresh := f"P{local_day:%Y%m%d}-{fresh_letters()}") in taken:
                pass
            session.add(
                PurgeRow(
                    id=fresh, state=purge.state, digest=purge.digest, originals=purge.originals, reason=purge.reason,
                    statement=purge.statement, by=purge.by, asked_at=purge.asked_at, ended_by="", outcome="{}",
                    entries=json.dumps([asdict(item) for item in purge.items], ensure_ascii=False),
                )
            )  # fmt: skip
        return self.get(fresh)

    def change(self, purge_id: str, **values: Any) -> Purge:
        """Set fields of a purge; what it looks like then."""
        if "outcome" in values:
            values["outcome"] = json.dumps(values["outcome"], ensure_ascii=False)
        with self._sessions.begin() as session:
            row = session.scalars(select(PurgeRow).where(PurgeRow.id == purge_id)).one()
            for name, value in values.items():
                setattr(row, name, value)
        return self.get(purge_id)

    def get(self, purge_id: str) -> Purge:
        """One by its id.

        Raises:
            UsageError: there is none.
        """
        with self._sessions() as session:
            row = session.scalars(select(PurgeRow).where(PurgeRow.id == purge_id)).first()
            if row is None:
                shown = purge_id if ID.fullmatch(purge_id) else self._agent.mask(purge_id)
                raise UsageError(self._agent.text("purge.unknown", id=shown))
            return _purge(row)

    def all(self, *states: State) -> list[Purge]:
        """Newest first; all states without one."""
        with self._sessions() as session:
            rows = session.scalars(select(PurgeRow).order_by(PurgeRow.number.desc()))
            return [_purge(row) for row in rows if not states or row.state in states]


def _purge(row: PurgeRow) -> Purge:
    return Purge(
        id=row.id, state=cast("State", row.state), digest=row.digest, originals=row.originals, reason=row.reason,
        statement=row.statement, items=tuple(Item(**facts) for facts in json.loads(row.entries)), by=row.by,
        asked_at=row.asked_at, approved_at=row.approved_at, due_at=row.due_at, ended_at=row.ended_at,
        ended_by=row.ended_by, outcome=json.loads(row.outcome),
    )  # fmt: skip
