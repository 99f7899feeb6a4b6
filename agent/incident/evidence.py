"""Who did what, kept as evidence: access events, processes with their parents and connections, file hashes; masked,
signed, never written over.

Names of files, programs and command lines are masked; each item's key leads to its raw path in the root-only
inventory. Hashes are of the content as it went into the vault; a file that is only fenced is hashed where it lies.
Events exist from the moment the watch began: what was read before has none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from agent.incident.containing import Containing
from agent.incident.course import Course, Outcome
from agent.incident.records import Incident
from agent.incident.surroundings import look_around
from agent.incident.trace import LOOK_BACK, Trace, deeds, trace_of, what_left
from agent.watch.api import AccessEvent, Crossing
from containment.evidence import write_bundle
from containment.processes import Holder

SHOWN_DEEDS: Final = 50
MOST_CROSSED: Final = 50


def keep(course: Course, containing: Containing) -> Outcome:
    """Write the bundle, and put what left and the trace into the incident's record.

    Raises:
        ClocheError: the bundle could not be written.
    """
    agent, incident, mask = course.agent, course.incident, course.agent.mask
    since = min(incident.discovered_at, incident.occurred_at or incident.discovered_at) - LOOK_BACK
    trace = trace_of(agent, {item.key for item in incident.items if item.key}, since)
    persons = {item.key: item.persons for item in incident.items}
    found = deeds(trace.events, persons, trace.suspects, mask)
    left = what_left(trace.events, persons, trace.suspects)
    if left is not None:
        course.store.change(course.id, left_files=left.files, left_persons=left.persons, left_seconds=left.seconds)
    hashes = file_hashes(incident, containing)
    processes = [process_facts(holder, mask) for holder in (*containing.held, *crossed_only(trace, containing.held))]
    write_bundle(
        agent.home.evidence / course.id,
        {
            "events.json": as_json([event_facts(event, mask) for event in trace.events]),
            "crossings.json": as_json([crossing_facts(crossing, mask) for crossing in trace.crossings]),
            "processes.json": as_json(processes),
            "files.json": as_json(hashes),
            "deeds.json": as_json([deed.document() for deed in found]),
        },
        agent.keyring.sign,
    )
    return Outcome(
        details={
            "events": len(trace.events), "processes": len(processes),
            "hashes": sum(bool(facts["sha256"]) for facts in hashes),
            "deeds": [deed.document() for deed in found[:SHOWN_DEEDS]],
        }
    )  # fmt: skip


def event_facts(event: AccessEvent, mask: Callable[[str], str]) -> dict[str, Any]:
    """An event as JSON."""
    facts = asdict(event)
    for name in ("path", "program", "command"):
        facts[name] = mask(os.fsdecode(facts[name]))
    return facts


def crossing_facts(crossing: Crossing, mask: Callable[[str], str]) -> dict[str, Any]:
    """A broken rule as JSON."""
    return {**asdict(crossing), "event": event_facts(crossing.event, mask)}


def process_facts(holder: Holder, mask: Callable[[str], str]) -> dict[str, Any]:
    """A process that held affected files or broke a rule, with what stands around it now, as JSON."""
    return {
        "pid": holder.pid, "started": holder.started, "uid": holder.uid, "session": holder.session,
        "program": mask(os.fsdecode(holder.program)), "command": mask(os.fsdecode(holder.command)),
        "paths": [mask(os.fsdecode(path)) for path in holder.paths], "mapped": holder.mapped,
        **look_around(holder.pid, holder.started).document(mask),
    }  # fmt: skip


def crossed_only(trace: Trace, held: Sequence[Holder]) -> list[Holder]:
    """Processes that broke a rule and hold no affected file now, each once."""
    known = {(holder.pid, holder.started) for holder in held}
    found: dict[tuple[int, int], Holder] = {}
    for crossing in trace.crossings:
        event = crossing.event
        if event.pid and (event.pid, event.started) not in known and len(found) < MOST_CROSSED:
            found[event.pid, event.started] = Holder(
                pid=event.pid, started=event.started, uid=event.uid, session=0, program=event.program,
                command=event.command, paths=(), mapped=False,
            )  # fmt: skip
    return list(found.values())


def file_hashes(incident: Incident, containing: Containing) -> list[dict[str, Any]]:
    """SHA-256 of every affected file, '' where it cannot be read; from the vault's record where it is there."""
    vaulted = {entry.id: entry.sha256 for entry in containing.contained.entries}
    return [
        {
            "key": item.key, "name": item.name, "persons": item.persons, "state": item.state,
            "vault_id": item.vault_id, "sha256": vaulted.get(item.vault_id or "") or hash_file(item.path),
        }
        for item in incident.items
    ]  # fmt: skip


def hash_file(path: bytes) -> str:
    """SHA-256 (hex) of a regular file, following no link; '' where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def as_json(rows: Sequence[dict[str, Any]]) -> bytes:
    """Readable JSON; bytes that are no text as base64."""
    return json.dumps(
        rows, ensure_ascii=True, indent=1, sort_keys=True,
        default=lambda value: base64.b64encode(value).decode("ascii"),
    ).encode("ascii")  # fmt: skip
