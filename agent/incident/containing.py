"""Contain the affected files: deny, fence, stop who holds them, vault.

The order is by how fast each takes hold: the guard's denial at once, the fence within one fsync, then the processes,
and the vault, which copies, last and in its turn. A process that is stopped keeps what it read already.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agent.aftermath import known_items, note_contained
from agent.incident.affected import AffectedSet
from agent.incident.course import Course, Outcome
from agent.incident.records import Affected
from agent.incident.trace import LOOK_BACK, trace_of
from agent.watch.api import BLOCKING
from config.schema import Settings
from containment.fence import settle
from containment.processes import Holder, Spared, holders, program_of, start_time, state, stop
from containment.processes import Outcome as Stopped
from containment.quarantine import Contained, Refusal, Terms

LEFT_ON_PURPOSE = frozenset({"live", "protected", "reserved"})


class Containing:
    """One containment, carried out part by part."""

    def __init__(self, course: Course, affected: AffectedSet) -> None:
        self._course = course
        self._agent = course.agent
        self._affected = affected
        self._paths = tuple(item.path for item in affected.items)
        self._keys = tuple({item.key for item in affected.items if item.key})
        self._touched = tuple({item.key for item in affected.all if item.key})
        self.held: list[Holder] = []
        self.contained = Contained()

    def deny(self) -> Outcome:
        """Refuse every further open and read in the guard, where there is one."""
        watch = self._agent.watch
        denied = watch.deny(self._keys) if self._keys else frozenset()
        details = {"files": len(self._paths), "denied": len(denied), "tier": watch.tier}
        missing = len(self._keys) - len(denied)
        if watch.tier in BLOCKING and missing:
            return Outcome(details={**details, "count": missing}, reason_key="incident.not_denied")
        return Outcome(details=details)

    def look(self) -> None:
        """See who holds the files now, before they are fenced and moved."""
        self.held = holders(self._paths)

    def fence(self) -> None:
        """Close the files: mode 000 and immutable, journalled."""
        forced = self._affected.on_a_word
        parts = [
            self._agent.quarantine.fence(paths, self._course.id, self._terms(forced=is_forced))
            for is_forced, paths in (
                (False, [path for path in self._paths if path not in forced]),
                (True, [path for path in self._paths if path in forced]),
            )
            if paths
        ]
        self.contained = Contained(
            entries=tuple(entry for part in parts for entry in part.entries),
            refused=tuple(refusal for part in parts for refusal in part.refused),
        )

    def stop(self) -> Outcome:
        """Stop who holds the files, never a shared server; who is spared is refused by the guard and named."""
        settings = self._agent.settings.watch
        own = [os.fsdecode(program.program) for program in self._agent.own_programs.learned()]
        spared = Spared.of(settings.shared_servers, [*settings.protected_programs, *own])
        outcomes = [outcome for holder in self.held for outcome in stop(holder, spared)]
        started = {holder.pid: holder.started for holder in self.held}
        for pid, began in self._stopped_by_guard():
            if pid not in started:
                started[pid] = began
                outcomes.append(Stopped(pid=pid, action="stopped", program=program_or_nothing(pid)))
        stopped = [outcome for outcome in outcomes if outcome.action == "stopped"]
        refused = [outcome for outcome in outcomes if outcome.action == "refused"]
        details: dict[str, Any] = {
            "stopped": len(stopped),
            "spared": sum(outcome.action == "denied_only" for outcome in outcomes),
            "pids": [[outcome.pid, started_at(outcome.pid, started)] for outcome in stopped],
            "programs": sorted({self._agent.mask(os.fsdecode(outcome.program)) for outcome in stopped}),
        }
        if refused:
            return Outcome(details={**details, "count": len(refused)}, reason_key="incident.not_stopped")
        return Outcome(details=details)

    def _stopped_by_guard(self) -> list[tuple[int, int]]:
        """Suspects that the guard froze before the declaration and that may hold no affected file at this moment."""
        since = self._course.incident.discovered_at - LOOK_BACK
        frozen = []
        for crossing in trace_of(self._agent, self._touched, since).crossings:
            event = crossing.event
            try:
                if state(event.pid) == "T" and start_time(event.pid) == event.started:
                    frozen.append((event.pid, event.started))
            except OSError:
                continue
        return frozen

    def vault(self) -> Outcome:
        """Take the fenced files into the vault, in this home's turn; tell inventory, watch and record."""
        agent = self._agent
        known = known_items(agent, self._paths)
        with agent.exclusive:
            taken = agent.quarantine.take_in(self.contained.entries)
            done = Contained(entries=taken.entries, refused=self.contained.refused + taken.refused)
            self.contained = done
            note_contained(agent, done, actor=self._course.actor, items=known)
        self._remember(done)
        self._name_left_out(done.refused)
        in_vault = {entry.id for entry in done.entries}
        failed = [r for r in done.refused if r.cause not in LEFT_ON_PURPOSE and r.id not in in_vault]
        details: dict[str, Any] = {
            "files": len(self._paths), "vaulted": len(in_vault),
            "fenced": sum(refusal.fenced and refusal.id not in in_vault for refusal in done.refused),
        }  # fmt: skip
        if not failed:
            return Outcome(details=details)
        if not agent.keyring.ready:
            return Outcome(details=details, reason_key="incident.no_keys")
        causes = dict(sorted(Counter(refusal.cause for refusal in failed).items()))
        return Outcome(details={**details, "count": len(failed), "causes": causes}, reason_key="incident.not_contained")

    def _terms(self, *, forced: bool) -> Terms:
        agent, settings = self._agent, self._agent.settings
        whom = whom_to_call(settings) or agent.text("quarantine.whom")
        return Terms(
            notice=agent.text("quarantine.tombstone", store=settings.store.name, whom=whom, id="{id}"),
            protected=frozenset(os.fsencode(path) for path in settings.watch.protected_programs),
            reserved=(os.fsencode(agent.home.state), os.fsencode(agent.home.run)),
            forced=forced,
        )

    def _name_left_out(self, refused: Sequence[Refusal]) -> None:
        """Files that the quarantine itself would not move, so that trade goes on."""
        kept = [refusal for refusal in refused if refusal.cause in LEFT_ON_PURPOSE]
        if kept:
            causes = dict(sorted(Counter(refusal.cause for refusal in kept).items()))
            self._course.record("left_out", files=len(kept), causes=causes)

    def _remember(self, done: Contained) -> None:
        where = {refusal.path: (refusal.id, "fenced") for refusal in done.refused if refusal.fenced}
        where |= {name: (entry.id, "vault") for entry in done.entries for name in entry.names}
        items: list[Affected] = []
        for item in self._affected.items:
            vault_id, state = where.get(settle(item.path), (item.vault_id, item.state))
            items.append(replace(item, vault_id=vault_id, state=state))
        self._course.store.set_items(self._course.id, items)


def started_at(pid: int, known: dict[int, int]) -> int:
    """Start of a stopped process in clock ticks since boot; 0 if it is gone already."""
    if pid in known:
        return known[pid]
    try:
        return start_time(pid)
    except OSError:
        return 0


def program_or_nothing(pid: int) -> bytes:
    """Path of the executable; empty for a process that is gone."""
    try:
        return program_of(pid)
    except OSError:
        return b""


def whom_to_call(settings: Settings) -> str:
    """Who leads the response, with contact; '' where nobody is named."""
    for role in ("response_lead", "security_lead", "store_manager"):
        for person in settings.people:
            if role in person.roles:
                return f"{person.name} {person.contact}".strip()
    return ""
