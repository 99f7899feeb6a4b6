"""The course of an incident: each part tried on its own, recorded with its outcome in the incident and the audit log.

A part that fails must not keep the next from being tried: a full disk that refuses the evidence is no reason to leave
the files readable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agent.incident.records import Act, Incident, Step
from agent.incident.store import incidents
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("incident")
TOLD: Final = "outbox"
"""That head office was told is no news for head office."""

NOTHING_DONE: Final[dict[Act, dict[str, Any]]] = {
    "deny": {"files": 0, "denied": 0, "tier": "none"},
    "stop": {"stopped": 0, "spared": 0, "pids": []},
    "vault": {"files": 0, "vaulted": 0, "fenced": 0},
    "evidence": {"events": 0, "processes": 0, "hashes": 0},
    "documents": {"count": 0},
    "outbox": {"number": 0},
    "release": {"files": 0, "released": 0},
    "allow": {"files": 0},
    "resume": {"resumed": 0, "gone": 0},
    "alerts": {"count": 0},
    "orders": {"count": 0},
}
"""What a part says that failed before it could say anything."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a part did. `reason_key` names the text that says what is missing; '' means that all of it worked."""

    details: dict[str, Any] = field(default_factory=dict)
    reason_key: str = ""


class Course:
    """Carries out and records the parts of one incident."""

    def __init__(self, agent: Agent, incident_id: str, actor: str) -> None:
        self.agent = agent
        self.id = incident_id
        self.actor = actor
        self.store = incidents(agent)

    @property
    def incident(self) -> Incident:
        """As it stands now."""
        return self.store.get(self.id)

    def take(self, act: Act, part: Callable[[], Outcome]) -> bool:
        """Try one part and record it. True if all of it worked."""
        try:
            outcome = part()
        except Exception as error:  # noqa: BLE001  containment goes on whatever one part runs into
            reason = str(error) if isinstance(error, ClocheError) else describe(error)
            log.error("a part of an incident failed", incident=self.id, part=act, error=describe(error))
            self.record(act, ok=False, **NOTHING_DONE.get(act, {}), reason=self.agent.mask(reason))
            return False
        details = dict(outcome.details)
        if outcome.reason_key:
            details["reason_key"] = outcome.reason_key
        self.record(act, ok=not outcome.reason_key, **details)
        return not outcome.reason_key

    def record(self, act: Act, *, ok: bool = True, **details: Any) -> None:
        """Put a step into the incident's course and into the audit log.

        A record that cannot be written is logged and does not stop the response; the other one still is tried.
        """
        step = Step(time=self.agent.now(), act=act, actor=self.actor, ok=ok, details=details)
        if act != TOLD:
            self.agent.moved.add(self.id)
        try:
            number, entry = self.agent.timelines.append(self.id, step)
            place = {"entry": number, "hash": entry}
        except Exception as error:  # noqa: BLE001  a full disk must not stop containment
            place = {}
            log.error("a step could not be recorded", incident=self.id, part=act, error=describe(error))
        short = {name: value for name, value in details.items() if name != "deeds"}
        try:
            self.agent.audit.append(f"incident.{act}", self.actor, incident=self.id, ok=ok, timeline=place, **short)
        except ClocheError as error:
            log.error("an act could not be put on record", incident=self.id, part=act, error=describe(error))
