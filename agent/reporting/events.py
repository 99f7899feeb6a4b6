"""What happened on the store, in batches: acts on record, crossed bounds, gaps of the watch.

From the audit log (scans that ended, what was sealed, restarts, changed policy, every act of a person) and from the
events database (crossings and gaps; single accesses stay here). Each source is read from where the last batch ended;
while the outbox is full nothing is read, and the next batches are fuller. Cut off between a batch and the note of it,
the batch is told twice, never not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from agent.reporting.state import note_reported, reported
from agent.watch.api import Crossing, Gap
from config.text import load_packs

if TYPE_CHECKING:
    from agent.wiring import Agent

KIND: Final = "events"
MOST: Final = 500
LONGEST: Final = 1000
MAX_LINE: Final = 1 << 20
WARNINGS: Final = frozenset({
    "audit.broken", "audit.torn", "audit.cut", "recovery", "law.clock_jumped", "messages.wrong_code",
    "messages.refused", "messages.report_aside", "vendor.wrong_receipt", "drill.cut", "check.accept",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Found:
    """An event, and where its source stands behind it."""

    event: dict[str, Any]
    source: str
    after: str


def tell_events(agent: Agent) -> int:
    """Put what happened since the last batch; the report's number, 0 where nothing did.

    Raises:
        FullError: too much waits; nothing is lost.
        ClocheError: a source cannot be read, or the disk refused it.
    """
    found = list(_from_record(agent, MOST))
    found += _from_watch(agent, MOST - len(found))
    if not found:
        return 0
    found.sort(key=lambda one: str(one.event["at"]))
    number = agent.outbox.put(KIND, {"events": [one.event for one in found]})
    for source in {one.source for one in found}:
        note_reported(agent, KIND, source, max((one.after for one in found if one.source == source), key=int))
    return number


def _from_record(agent: Agent, most: int) -> Iterator[_Found]:
    """Acts on record, from the byte where the last batch ended. The first time, what is there already is past."""
    path = agent.home.audit_log
    mark = reported(agent, KIND, "record")
    try:
        size = path.stat().st_size
        if mark is None:
            note_reported(agent, KIND, "record", str(size))
            return
        place = int(mark)
        if place > size:  # cut, which the log itself puts on record
            place = 0 if size == 0 else _line_end(agent, size)
        yielded = False
        with path.open("rb") as log:
            log.seek(place)
            for _ in range(most):
                line = log.readline(MAX_LINE)
                if not line.endswith(b"\n"):
                    break
                place += len(line)
                event = _of_act(agent, line)
                if event is not None:
                    yielded = True
                    yield _Found(event=event, source="record", after=str(place))
        if not yielded and place != int(mark):
            note_reported(agent, KIND, "record", str(place))
    except FileNotFoundError:
        if mark is None:
            note_reported(agent, KIND, "record", "0")


def _line_end(agent: Agent, size: int) -> int:
    """Where the last whole line of a log that was cut ends."""
    descriptor = os.open(agent.home.audit_log, os.O_RDONLY | os.O_CLOEXEC)
    try:
        low = max(0, size - MAX_LINE)
        tail = os.pread(descriptor, size - low, low)
    finally:
        os.close(descriptor)
    return low + tail.rfind(b"\n") + 1


def _of_act(agent: Agent, line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        act, details = str(entry["act"]), dict(entry["details"])
        at = datetime.fromisoformat(entry["time"]).astimezone(UTC).isoformat()
    except (ValueError, KeyError, TypeError):
        return None  # `cloche audit verify` names it
    count = next((details[name] for name in ("count", "persons", "files") if isinstance(details.get(name), int)), 0)
    return {
        "at": at, "kind": act[:80], "severity": "warning" if act in WARNINGS else "notice",
        "text": agent.mask(_words(details))[:LONGEST], "user": agent.mask(str(entry.get("actor", "")))[:80],
        "program": "", "place": "", "count": max(0, int(count)),
    }  # fmt: skip


def _words(details: dict[str, Any]) -> str:
    """What an act's entry says, in one line; lists by their first members."""
    parts = []
    for name, value in details.items():
        shown = ", ".join(map(str, value[:5])) if isinstance(value, list) else value
        if shown not in ("", None) and not isinstance(shown, dict):
            parts.append(f"{name}: {shown}")
    return "; ".join(parts)


def _from_watch(agent: Agent, most: int) -> Iterator[_Found]:
    mark = reported(agent, KIND, "watch")
    newest = agent.events.last()
    if mark is None or int(mark) > newest:
        note_reported(agent, KIND, "watch", str(newest))
        return
    if most <= 0 or newest == int(mark):
        return
    found = agent.events.notable(after=int(mark), until=newest, limit=most)
    for one in found:
        event = one.happening
        if isinstance(event, Gap):
            yield _Found(event=_of_gap(agent, event), source="watch", after=str(one.id))
        elif isinstance(event, Crossing):
            yield _Found(event=_of_crossing(agent, event), source="watch", after=str(one.id))
    if not found:
        note_reported(agent, KIND, "watch", str(newest))


def _of_gap(agent: Agent, gap: Gap) -> dict[str, Any]:
    lost = "?" if gap.lost is None else str(gap.lost)
    key = f"watch.gap_{gap.cause}"
    text = agent.text(key, lost=lost) if key in load_packs() else gap.cause
    return {
        "at": _moment(gap.at), "kind": "watch.gap", "severity": "warning", "text": agent.mask(text)[:LONGEST],
        "user": "", "program": "", "place": "", "count": gap.lost or 0,
    }  # fmt: skip


def _of_crossing(agent: Agent, crossing: Crossing) -> dict[str, Any]:
    event = crossing.event

    def shown(value: bytes) -> str:
        return agent.mask(os.fsdecode(value).encode("utf-8", "replace").decode())[:400]

    key = f"watch.rule_{crossing.rule}"
    return {
        "at": _moment(event.at), "kind": f"watch.{crossing.rule}"[:80], "severity": "critical",
        "text": (agent.text(key) if key in load_packs() else crossing.outcome)[:LONGEST],
        "user": agent.mask(event.user)[:80], "program": shown(event.program), "place": shown(event.path),
        "count": crossing.persons,
    }  # fmt: skip


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
