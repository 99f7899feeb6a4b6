"""Put an act of logistics on record: on the timeline, or it did not happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.incident.records import Incident, Phase, Step
from config.errors import RefusedError

if TYPE_CHECKING:
    from agent.wiring import Agent

BESIDE: Final[frozenset[Phase]] = frozenset({"directed", "responding", "cleaning", "reviewing"})


def beside(agent: Agent, incident: Incident, *, custody: bool = False) -> None:
    """Logistics run from `directed` to the end; what is in custody is handed on after it too.

    Raises:
        RefusedError: the incident is only reported, or over.
    """
    if incident.phase in BESIDE or (custody and incident.declared_at is not None):
        return
    phase = agent.text(f"incident.phase_{incident.phase}")
    raise RefusedError(agent.text("logistics.not_now", id=incident.id, phase=phase))


def put(agent: Agent, incident: Incident, actor: str, act: str, **details: Any) -> None:
    """Append a step and the act itself; durable on return.

    Raises:
        ClocheError: the disk refused it; then it is not on the timeline.
    """
    actor = agent.mask(actor)
    step = Step(time=agent.now(), act=f"logistics.{act}", actor=actor, details=details)
    number, entry = agent.timelines.append(incident.id, step)
    agent.audit.append(
        f"incident.logistics.{act}", actor, incident=incident.id, timeline={"entry": number, "hash": entry}, **details
    )
