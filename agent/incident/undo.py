"""误报: undo a containment with one command.

Undone in the reverse of how it was done: the vault gives back bit for bit and opens what was only fenced, the guard
allows again, stopped processes that still exist go on, alerts close. What cannot be undone is named and can be tried
again: dismissing twice does only what is left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.aftermath import give_back
from agent.incident.course import Course, Outcome
from agent.incident.declare import finish
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.trace import LOOK_BACK, trace_of
from config.errors import UsageError
from containment.keys import Unlocker
from containment.processes import resume, state

if TYPE_CHECKING:
    from agent.wiring import Agent


def dismiss(agent: Agent, incident_id: str, by: str, reason: str, unlocker: Unlocker | None) -> Incident:
    """Undo everything; `incident.complete` and the steps after `dismiss` say what is still to be done.

    Args:
        agent: all parts.
        incident_id: or a beginning of it.
        by: who says that it is a false alarm.
        reason: why; masked here.
        unlocker: a recovery key; None uses the keys held in memory since the declaration (72 h at most).

    Raises:
        UsageError: no such incident, or it was closed as a real one.
    """
    store = incidents(agent)
    incident = store.get(incident_id)
    if incident.phase == "closed":
        raise UsageError(agent.text("incident.was_real", id=incident.id))
    course = Course(agent, incident.id, by)
    course.record("dismiss", reason_given=agent.mask(reason))
    undone = _Undoing(course, unlocker)
    with agent.exclusive:
        all_back = course.take("release", undone.release)
    course.take("allow", undone.allow)
    course.take("resume", undone.resume)
    course.take("alerts", undone.close_alerts)
    course.take("orders", undone.cancel_orders)
    store.change(incident.id, phase="dismissed", closed_at=agent.now())
    if all_back:
        drop_keys(agent, incident.id)
    finish(course)
    return course.incident


def drop_keys(agent: Agent, incident_id: str) -> None:
    """Forget the keys held for an incident, unless the vault still has something sealed under it."""
    if not any(entry.incident == incident_id for entry in agent.quarantine.entries("fenced", "vaulted")):
        agent.keyring.drop(incident_id)


def close_alerts(course: Course) -> None:
    """What the incident was about is dealt with: its alerts close."""
    course.take("alerts", _Undoing(course, None).close_alerts)


class _Undoing:
    """The parts of an undoing."""

    def __init__(self, course: Course, unlocker: Unlocker | None) -> None:
        self._course = course
        self._agent = course.agent
        self._incident = course.incident
        self._unlocker = unlocker
        self._keys = tuple({item.key for item in self._incident.items if item.key})

    def release(self) -> Outcome:
        """Everything of this incident that is in the vault or fenced goes back."""
        listed = {item.vault_id for item in self._incident.items}
        mine = [
            entry
            for entry in self._agent.quarantine.entries("fenced", "vaulted")
            if entry.incident == self._incident.id or entry.id in listed
        ]
        no_key = {entry.id for entry in self._agent.quarantine.lacks_key(mine, self._unlocker)}
        openable = [entry for entry in mine if entry.id not in no_key]
        released = give_back(self._agent, openable, self._unlocker, actor=self._course.actor)
        back = {entry.id for entry in released.entries}
        self._course.store.set_items(
            self._incident.id,
            [replace(item, state="released") if item.vault_id in back else item for item in self._incident.items],
        )
        details = {"files": len(mine), "released": len(back)}
        if no_key:
            return Outcome(details=details, reason_key="incident.no_release_key")
        if released.refused:
            causes = Counter(refusal.cause for refusal in released.refused)
            return Outcome(
                details={**details, "count": len(released.refused), "causes": dict(sorted(causes.items()))},
                reason_key="incident.not_released",
            )
        return Outcome(details=details)

    def allow(self) -> Outcome:
        """The guard lets these files be read again, and forgets what the suspects had read."""
        watch = self._agent.watch
        if self._keys:
            watch.allow(self._keys)
        trace = trace_of(self._agent, self._keys, self._incident.discovered_at - LOOK_BACK)
        for session in sorted(trace.suspects):
            watch.pardon(session)
        return Outcome(details={"files": len(self._keys)})

    def resume(self) -> Outcome:
        """Processes that were stopped and still exist go on, those too that the guard stopped before or since."""
        pids = {
            (int(pid), int(started))
            for step in self._incident.steps
            if step.act == "stop"
            for pid, started in step.details.get("pids", ())
        }
        trace = trace_of(self._agent, self._keys, self._incident.discovered_at - LOOK_BACK)
        pids |= {
            (event.pid, event.started)
            for event in (*trace.events, *(crossing.event for crossing in trace.crossings))
            if event.session in trace.suspects and event.pid and state(event.pid) == "T"
        }
        outcomes = [resume(pid, started) for pid, started in sorted(pids)]
        refused = sum(outcome.action == "refused" for outcome in outcomes)
        details = {
            "resumed": sum(outcome.action == "resumed" for outcome in outcomes),
            "gone": sum(outcome.action == "gone" for outcome in outcomes),
        }
        if refused:
            return Outcome(details={**details, "count": refused}, reason_key="incident.not_resumed")
        return Outcome(details=details)

    def cancel_orders(self) -> Outcome:
        """Nobody is to go on with what a false alarm ordered."""
        from agent.incident.orders import cancel_all

        note = self._agent.text("orders.false_alarm")
        return Outcome(details={"count": cancel_all(self._agent, self._incident.id, self._course.actor, note)})

    def close_alerts(self) -> Outcome:
        """Alerts about these files are dealt with."""
        keys = set(self._keys)
        ids = [alert.id for alert in self._agent.inventory.alerts() if not keys.isdisjoint(alert.keys)]
        return Outcome(details={"count": self._agent.inventory.close_alerts(ids) if ids else 0})
