"""What changed since the baseline, and how much it means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.security_check.records import Area, Finding, Severity, What
from agent.security_check.snapshot import Snapshot

MOST_OF_AN_AREA: Final = 50
LONGEST: Final = 200


@dataclass(frozen=True, kw_only=True)
class Weight:
    """What an entry that is new, changed or gone means; None: nothing to tell."""

    new: Severity | None
    changed: Severity | None
    gone: Severity | None = None


WEIGHTS: Final[dict[Area, Weight]] = {
    "uid0": Weight(new="critical", changed="critical"),
    "preload": Weight(new="critical", changed="critical"),
    "logins": Weight(new="warning", changed="warning"),
    "sudoers": Weight(new="warning", changed="warning", gone="notice"),
    "keys": Weight(new="warning", changed=None),
    "units": Weight(new="warning", changed="warning", gone="notice"),
    "cron": Weight(new="warning", changed="warning", gone="notice"),
    "startup": Weight(new="warning", changed="warning", gone="notice"),
    "packages": Weight(new="notice", changed="notice", gone="notice"),
    "listening": Weight(new="warning", changed=None),
    "modules": Weight(new="notice", changed="warning"),
}


def changes(before: Snapshot, after: Snapshot, mask: Callable[[str], str]) -> Iterator[Finding]:
    """Each difference as a finding, the areas in their order; many of an area end in one line that counts the rest."""
    for area, weight in WEIGHTS.items():
        told = 0
        rest: dict[Severity, int] = {}
        for what, name, state, severity in _differences(before.get(area), after.get(area, {}), weight):
            grade = _graded(area, what, state, severity)
            if told < MOST_OF_AN_AREA:
                told += 1
                yield Finding(
                    area=area,
                    what=what,
                    severity=grade,
                    subject=mask(name[:LONGEST]),
                    evidence=(mask(state[:LONGEST]),),
                )
            else:
                rest[grade] = rest.get(grade, 0) + 1
        for severity, count in rest.items():
            yield Finding(area=area, what="more", severity=severity, values={"count": count})


def _differences(
    before: Mapping[str, str] | None, after: Mapping[str, str], weight: Weight
) -> Iterator[tuple[What, str, str, Severity]]:
    if before is None:  # a newer Cloche looks at more than the one that made the baseline
        return
    for name in sorted(after.keys() - before.keys()):
        if weight.new:
            yield "new", name, after[name], weight.new
    for name in sorted(after.keys() & before.keys()):
        if weight.changed and after[name] != before[name]:
            yield "changed", name, f"{before[name]} ⇒ {after[name]}", weight.changed
    for name in sorted(before.keys() - after.keys()):
        if weight.gone:
            yield "gone", name, before[name], weight.gone


def _graded(area: Area, what: What, state: str, severity: Severity) -> Severity:
    """A module that the kernel's own maker did not build or sign is more than one that a stick called for."""
    if area == "modules" and what == "new" and any(mark in state for mark in "OE"):
        return "warning"
    return severity


def as_document(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as JSON."""
    return {area: dict(entries) for area, entries in snapshot.items()}
