"""The life of an incident: which phase follows which, what must be true first, and who may say otherwise.

疑似上报 → 指令下达 → 应急响应 → 现场清理与恢复 → 事后报告 → 结束; 误报 from any. A containment does not wait for a
meeting: a declaration gives the orders of its kind and goes on to the response at once. Conditions are looked at, not
ticked: the disk, the evidence, the check and the papers are asked at that moment. A person with the right may override
what is unmet; the reason and everything unmet then stand on the timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.incident.conditions import CONDITIONS, Unmet
from agent.incident.course import Course
from agent.incident.declare import finish, tell_head_office
from agent.incident.records import Incident, Phase
from agent.incident.store import incidents
from agent.incident.undo import close_alerts, drop_keys
from config.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent

FORWARD: Final[dict[Phase, Phase]] = {
    "directed": "responding", "responding": "cleaning", "cleaning": "reviewing", "reviewing": "closed",
}  # fmt: skip
BACK: Final[dict[Phase, tuple[Phase, ...]]] = {
    "cleaning": ("responding",), "reviewing": ("cleaning", "responding"),
}  # fmt: skip
"""Where more turns out to be affected, or the check finds something, the work goes on where it must."""
CUT_OFF: Final = timedelta(minutes=2)
"""A declaration that stands still for so long was cut off: fencing and stopping take seconds."""
ENDED: Final[frozenset[Phase]] = frozenset({"closed", "dismissed"})


class UnmetError(RefusedError):
    """Conditions of a phase are not met; `unmet` says which, and nothing was changed."""

    def __init__(self, message: str, unmet: tuple[Unmet, ...]) -> None:
        super().__init__(message)
        self.unmet = unmet


@dataclass(frozen=True, kw_only=True)
class Move:
    """A wish to move an incident. `to` None is the next phase; `override` is the reason for going on regardless."""

    to: Phase | None = None
    override: str = ""
    reason: str = ""


def next_phase(incident: Incident) -> Phase | None:
    """The phase that follows, or None: the incident is ended, or is only reported and waits for a declaration."""
    return FORWARD.get(incident.phase)


def unmet_for(agent: Agent, incident: Incident, phase: Phase) -> tuple[Unmet, ...]:
    """What stands between an incident and a phase, looked at now."""
    return tuple(unmet for condition in CONDITIONS.get(phase, ()) for unmet in condition(agent, incident))


def advance(agent: Agent, incident_id: str, actor: str, move: Move) -> Incident:
    """Move an incident to the next phase, or back.

    Raises:
        UsageError: no such incident, or no such way.
        UnmetError: conditions are unmet and there is no override.
    """
    store = incidents(agent)
    incident = store.get(incident_id)
    to = move.to or next_phase(incident)
    if incident.phase == "reported":
        raise UsageError(agent.text("incident.declare_first", id=incident.id))
    if to is None or to not in (FORWARD.get(incident.phase), *BACK.get(incident.phase, ())):
        raise UsageError(
            agent.text(
                "incident.no_way", id=incident.id, phase=agent.text(f"incident.phase_{incident.phase}"),
                to=agent.text(f"incident.phase_{to}") if to else "–",
            )
        )  # fmt: skip
    is_back = to in BACK.get(incident.phase, ())
    unmet = () if is_back else unmet_for(agent, incident, to)
    if unmet and not move.override.strip():
        raise UnmetError(
            agent.text(
                "incident.unmet", to=agent.text(f"incident.phase_{to}"),
                what="；".join(item.words(agent.text) for item in unmet) if agent.text.language == "zh-CN"
                else "; ".join(item.words(agent.text) for item in unmet),
            ),
            unmet,
        )  # fmt: skip
    course = Course(agent, incident.id, actor)
    if unmet:
        course.record(
            "override", to=to, reason_given=agent.mask(move.override), unmet=[item.key for item in unmet],
            what="; ".join(item.words(agent.text) for item in unmet),
        )  # fmt: skip
    enter(course, to, reason=move.reason)
    return course.incident


def carry_on(agent: Agent, now: datetime) -> None:
    """The keeper's duty: a declaration that was cut off before its orders is brought on to the response."""
    for incident in incidents(agent).all():
        if incident.phase == "directed" and now - (incident.declared_at or now) > CUT_OFF:
            enter(Course(agent, incident.id, "cloche"), "responding")


def enter(course: Course, phase: Phase, *, reason: str = "") -> None:
    """Go into a phase: its times, its step, its orders, its documents. Conditions are the caller's."""
    agent, incident = course.agent, course.incident
    now = agent.now()
    values: dict[str, object] = {"phase": phase}
    if phase == "reviewing":
        values["handling_ended_at"] = now
    elif phase in ("responding", "cleaning") and incident.phase in ("cleaning", "reviewing"):
        values["handling_ended_at"] = None
    if phase in ENDED:
        values["closed_at"] = now
    course.store.change(incident.id, **values)
    course.record("phase", before=incident.phase, phase=phase, reason_given=agent.mask(reason))
    if phase not in ENDED:
        from agent.incident.orders import issue_for_phase

        issue_for_phase(agent, incident.id, phase, course.actor)
    if phase == "closed":
        drop_keys(agent, incident.id)
    if phase == "reviewing":
        close_alerts(course)
    if phase in ("reviewing", "closed"):
        finish(course)
    elif incident.phase != "directed":  # a declaration tells head office itself, once it has contained
        tell_head_office(course)
