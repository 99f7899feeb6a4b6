"""Incidents in inventory.db: make, change, read. Their steps stand in the timelines (`agent.incident.timeline`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from agent.incident.models import IncidentItemRow, IncidentRow
from agent.incident.records import Affected, Incident, Kind, Phase, Scope, Step
from agent.inventory.store import Inventory
from config.errors import UsageError
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent

LATEST: Final = "latest"
"""What somebody types at two in the morning instead of an id."""
CHANGEABLE: Final = frozenset({
    "kind", "phase", "machine", "summary", "types", "scope", "declared_at", "handling_ended_at", "closed_at",
    "files", "persons", "counted_at", "sensitive", "virtual", "level", "law_grade", "level_by_hand", "law_by_hand",
    "loss_cny", "merged_into", "discovered_at", "occurred_at", "left_files", "left_persons", "left_seconds",
})  # fmt: skip


class IncidentStore:
    """All incidents of this store. Each call is one transaction."""

    def __init__(self, inventory: Inventory, steps: Callable[[str], tuple[Step, ...]]) -> None:
        self._sessions = inventory.sessions
        self._reading = inventory.reading
        self._steps = steps

    def add(self, incident: Incident, local_day: datetime) -> Incident:
        """Keep a new incident under a fresh id (`I20261123-bkrt`: the store's day and four random letters)."""
        values = asdict(incident)
        for derived in ("items", "steps"):
            values.pop(derived)
        values["types"] = json.dumps(incident.types)
        with self._sessions.begin() as session:
            taken = set(session.scalars(select(IncidentRow.id)))
            while True:
                values["id"] = f"I{local_day:%Y%m%d}-{fresh_letters()}"
                if values["id"] not in taken:
                    break
            session.add(IncidentRow(**values))
        return self.get(values["id"])

    def change(self, incident_id: str, **values: Any) -> None:
        """Set fields of an incident.

        Raises:
            KeyError: a field that does not change: a defect.
        """
        if unknown := values.keys() - CHANGEABLE:
            raise KeyError(f"not changeable: {sorted(unknown)}")
        if "types" in values:
            values["types"] = json.dumps(values["types"])
        with self._sessions.begin() as session:
            row = self._row(session, incident_id)
            for name, value in values.items():
                setattr(row, name, value)

    def set_items(self, incident_id: str, items: Iterable[Affected]) -> None:
        """Put what the incident touches; an item known by its path is replaced, others stay."""
        with self._sessions.begin() as session:
            known = {
                row.path: row
                for row in session.scalars(select(IncidentItemRow).where(IncidentItemRow.incident == incident_id))
            }
            for item in items:
                values = {**asdict(item), "types": json.dumps(item.types)}
                row = known.get(item.path)
                if row is None:
                    session.add(IncidentItemRow(incident=incident_id, **values))
                else:
                    for name, value in values.items():
                        setattr(row, name, value)

    def get(self, incident_id: str) -> Incident:
        """An incident with its items and steps.

        A beginning of the id that fits only one will do; `latest` is the newest that is not ended, else the newest.

        Raises:
            UsageError: none, or more than one.
        """
        with self._reading() as session:
            row = self._row(session, incident_id)
            items = session.scalars(
                select(IncidentItemRow).where(IncidentItemRow.incident == row.id).order_by(IncidentItemRow.id)
            )
            return as_incident(row, tuple(map(as_item, items)), self._steps(row.id))

    def all(self) -> list[Incident]:
        """Every incident, newest first, without items and steps."""
        with self._reading() as session:
            rows = session.scalars(select(IncidentRow).order_by(IncidentRow.number.desc()))
            return [as_incident(row, (), ()) for row in rows]

    @staticmethod
    def _row(session: Session, incident_id: str) -> IncidentRow:
        if incident_id == LATEST:
            ended = IncidentRow.phase.in_(("closed", "dismissed"))
            newest = session.scalars(select(IncidentRow).order_by(ended, IncidentRow.number.desc()).limit(1)).first()
            if newest is not None:
                return newest
        rows = list(session.scalars(select(IncidentRow).where(IncidentRow.id.startswith(incident_id, autoescape=True))))
        exact = [row for row in rows if row.id == incident_id]
        if exact or len(rows) == 1:
            return (exact or rows)[0]
        if not rows or not incident_id:
            raise UsageError(f"no incident has the id {incident_id!r}: see `cloche incident list`")
        raise UsageError(f"{incident_id!r} is the beginning of {len(rows)} incidents: give more of it")


def family(agent: Agent, incident_id: str) -> tuple[str, ...]:
    """An incident and those that it took over: what was handed in or found out for one of them counts for it."""
    found = [incident_id]
    others = incidents(agent).all()
    for member in found:
        found += [other.id for other in others if other.merged_into == member and other.id not in found]
    return tuple(found)


def incidents(agent: Agent) -> IncidentStore:
    """The incidents of this agent's home."""
    return IncidentStore(agent.inventory, agent.timelines.steps)


def as_incident(row: IncidentRow, items: tuple[Affected, ...], steps: tuple[Step, ...]) -> Incident:
    """The record of a row."""
    return Incident(
        id=row.id, kind=cast("Kind", row.kind), phase=cast("Phase", row.phase), machine=row.machine,
        summary=row.summary, place=row.place, types=tuple(json.loads(row.types)), by=row.by,
        scope=cast("Scope | None", row.scope), discovered_at=row.discovered_at, occurred_at=row.occurred_at,
        reported_at=row.reported_at, declared_at=row.declared_at, handling_ended_at=row.handling_ended_at,
        closed_at=row.closed_at, files=row.files, persons=row.persons, counted_at=row.counted_at,
        sensitive=row.sensitive, virtual=row.virtual, level=row.level, law_grade=row.law_grade,
        level_by_hand=row.level_by_hand, law_by_hand=row.law_by_hand, loss_cny=row.loss_cny,
        merged_into=row.merged_into, left_files=row.left_files,
        left_persons=row.left_persons, left_seconds=row.left_seconds, items=items, steps=steps,
    )  # fmt: skip


def as_item(row: IncidentItemRow) -> Affected:
    """The record of a row."""
    return Affected(
        key=row.key, path=row.path, name=row.name, persons=row.persons, types=tuple(json.loads(row.types)),
        state=row.state, vault_id=row.vault_id,
    )  # fmt: skip
