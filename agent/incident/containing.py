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

from agent.incident.affected import AffectedSet
from agent.incident.course import Course, Outcome
from agent.incident.records import Affected
from agent.incident.trace import LOOK_BACK, trace_of
from agent.watch.api import BLOCKING
from config.schema import Settings
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
        self.held: list[Holder] = []
        self.contained = Contained()
        self.taken = Contained()

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
        spared = Spared.of(settings.shared_servers, settings.protected_programs)
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
        for crossing in trace_of(self._agent, self._keys, since).crossings:
            event = crossing.event
            try:
                if state(event.pid) == "T" and start_time(event.pid) == event.started:
                    frozen.append((event.pid, event.started))
            except OSError:
                continue
        return frozen

    def vault(self) -> Outcome:
        """Take the fenced files into the vault, in this home's turn; tell the inventory where everything is."""
        fenced = self.contained
        keyring = self._agent.keyring
        if keyring.ready:
            keyring.hold(self._course.id)
            with self._agent.exclusive:
                self.taken = self._agent.quarantine.take_in(fenced.entries)
        taken = self.taken
        in_vault = {entry.id for entry in taken.entries}
        only_fenced = [entry for entry in fenced.entries if entry.id not in in_vault]
        self._remember({entry.path: (entry.id, "vault") for entry in taken.entries}
                       | {entry.path: (entry.id, "fenced") for entry in only_fenced})  # fmt: skip
        failed = [r for r in (*fenced.refused, *taken.refused) if r.cause not in LEFT_ON_PURPOSE]
        details: dict[str, Any] = {
            "files": len(self._paths), "vaulted": len(in_vault), "fenced": len(only_fenced),
        }  # fmt: skip
        self._name_left_out(fenced.refused + taken.refused)
        if not keyring.ready and only_fenced:
            return Outcome(details=details, reason_key="incident.no_keys")
        if failed:
            causes = Counter(refusal.cause for refusal in failed)
            return Outcome(
                details={**details, "count": len(failed), "causes": dict(sorted(causes.items()))},
                reason_key="incident.not_contained",
            )
        return Outcome(details=details)

    def _terms(self, *, forced: bool) -> Terms:
        settings, home = self._agent.settings, self._agent.home
        return Terms(
            notice=self._agent.text("incident.tombstone", store=settings.store.name, whom=whom_to_call(settings)),
            protected=frozenset(os.fsencode(path) for path in settings.watch.protected_programs if "/" in path),
            reserved=(os.fsencode(home.state), os.fsencode(home.run)),
            forced=forced,
        )

    def _name_left_out(self, refused: Sequence[Refusal]) -> None:
        """Files that the quarantine itself would not move, so that trade goes on."""
        kept = [refusal for refusal in refused if refusal.cause in LEFT_ON_PURPOSE]
        if kept:
            causes = dict(sorted(Counter(refusal.cause for refusal in kept).items()))
            self._course.record("left_out", files=len(kept), causes=causes)

    def _remember(self, where: dict[bytes, tuple[str, str]]) -> None:
        items: list[Affected] = []
        for item in self._affected.items:
            vault_id, state = where.get(item.path, (item.vault_id, item.state))
            items.append(replace(item, vault_id=vault_id, state=state))
            if state == "vault":
                self._agent.inventory.set_state(item.path, "vault")
            elif state == "fenced":
                self._agent.inventory.set_state(item.path, "fenced")
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
