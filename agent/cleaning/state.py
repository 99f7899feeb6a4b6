"""Where each affected item is, by a look at the disk now, and what was decided about it.

An item counts as readable if it lies in clear where it was: also for root and for its owner, for a stolen account is
somebody's. Fenced, in the vault, sealed and gone ones do not. A live database that was left for trade counts as
readable unless the guard refuses it to all but the till's own programs. What is not looked for here: copies under other
names that no scan has met (a fresh scan finds those), and what has left this machine.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from sqlalchemy import select

from agent.cleaning.models import DecisionRow, RiskRow
from agent.cleaning.records import Decided, Decision, Risk, RiskAssessment, Where
from agent.incident.records import Affected, Incident
from agent.inventory.live import is_live
from agent.sealing.walking import looks_sealed
from agent.watch.api import BLOCKING
from containment.fence import settle

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.quarantine import Entry


def readable_items(agent: Agent, incident: Incident) -> list[Affected]:
    """Affected items that others than the till's own programs can still read, looked at now."""
    decided, places = decisions_of(agent, incident.id), Places(agent)
    return [item for item in incident.items if places.of(item, decided.get(item.path)) == "readable"]


def undecided_items(agent: Agent, incident: Incident) -> list[Affected]:
    """Affected items about which nobody has decided what becomes of them."""
    decided = decisions_of(agent, incident.id)
    return [item for item in incident.items if item.path not in decided]


def unfinished_items(agent: Agent, incident: Incident) -> list[Affected]:
    """Affected items whose decision is not carried out yet."""
    decided = decisions_of(agent, incident.id)
    return [item for item in incident.items if item.path in decided and decided[item.path].done_at is None]


class Places:
    """Where items are, for many of them: the quarantine is gone through once, the disk is asked for each."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._entries: dict[bytes, list[Entry]] = {}
        for entry in agent.quarantine.entries("fenced", "vaulted"):
            for name in entry.names:
                self._entries.setdefault(name, []).append(entry)

    def of(self, item: Affected, decided: Decided | None) -> Where:
        """Where one item is now, also under other names that the inventory knows of the same file."""
        if decided is not None and decided.done_at is not None and decided.decision in ("release", "restore"):
            return "settled"
        found = self._look(item, item.path)
        if found in ("readable", "governed") or not item.key:
            return found
        known = self._agent.inventory.items_of(item.key)
        others = [other.path for other in known if other.state == "plain" and not other.container]
        if any(self._look(item, other) == "readable" for other in others if other != item.path):
            return "readable"
        return found

    def _look(self, item: Affected, path: bytes) -> Where:
        if not path.startswith(b"/"):
            return "readable"  # a database behind a URL: nobody here can close it
        entries = self._entries.get(settle(path), [])
        try:
            facts = os.lstat(path)
        except FileNotFoundError:
            return self._absent(path, entries)
        except OSError:
            return "readable"  # it cannot be seen, so nobody can say that it is closed
        if stat.S_ISREG(facts.st_mode):
            fenced = any(entry.state == "fenced" and entry.original.inode == facts.st_ino for entry in entries)
            if fenced and not stat.S_IMODE(facts.st_mode):
                return "fenced"
            if looks_sealed(path):
                return "sealed"
            if self._governed(item, path):
                return "governed"
        return "readable"

    def _absent(self, path: bytes, entries: list[Entry]) -> Where:
        if any(entry.state == "vaulted" for entry in entries):
            return "vault"
        known = self._agent.inventory.item_at(path)
        if known is not None and known.sealed_path is not None and os.path.lexists(known.sealed_path):
            return "sealed"
        return "gone"

    def _governed(self, item: Affected, path: bytes) -> bool:
        """Whether the guard stops whoever opens this live database and is none of its own programs.

        It does so at the first open where the database alone holds more persons than the bound, and the response stops.
        """
        settings = self._agent.settings.watch
        known = self._agent.inventory.item_at(path)
        return (
            self._agent.watch.tier in BLOCKING and settings.enabled and settings.response in ("stop", "declare")
            and known is not None and is_live(path, known.kind) and item.persons > settings.max_persons
        )  # fmt: skip


def decisions_of(agent: Agent, incident_id: str) -> Mapping[bytes, Decided]:
    """What was decided, by path."""
    with agent.inventory.sessions() as session:
        rows = session.scalars(select(DecisionRow).where(DecisionRow.incident == incident_id))
        return {row.path: _decided(row) for row in rows}


def evidence_paths(agent: Agent) -> frozenset[tuple[str, bytes]]:
    """Incident and path of everything that somebody decided to keep as evidence."""
    with agent.inventory.sessions() as session:
        rows = session.scalars(select(DecisionRow).where(DecisionRow.decision == "evidence"))
        return frozenset((row.incident, row.path) for row in rows)


def risk_assessment(agent: Agent, incident_id: str) -> RiskAssessment | None:
    """The residual risks as written down; None where nobody has assessed them."""
    with agent.inventory.sessions() as session:
        rows = session.scalars(select(RiskRow).where(RiskRow.incident == incident_id).order_by(RiskRow.id))
        risks = tuple(Risk(risk=row.risk, owner=row.owner, until=row.until, by=row.by, at=row.at) for row in rows)
    if not risks:
        return None
    return RiskAssessment(at=risks[-1].at, risks=tuple(risk for risk in risks if risk.risk))


def _decided(row: DecisionRow) -> Decided:
    return Decided(
        path=row.path, decision=cast("Decision", row.decision), by=row.by, at=row.at, reason=row.reason,
        done_at=row.done_at, proof=json.loads(row.proof),
    )  # fmt: skip
