"""The nouns of an incident. Everything that a person typed is masked before it gets here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Kind = Literal["intrusion", "ransomware", "staff_mistake", "insider", "lost_device", "vendor", "sold_online", "other"]
KINDS: Final[tuple[Kind, ...]] = (
    "intrusion", "ransomware", "staff_mistake", "insider", "lost_device", "vendor", "sold_online", "other",
)  # fmt: skip
Phase = Literal["reported", "directed", "responding", "cleaning", "reviewing", "closed", "dismissed"]
Scope = Literal["named", "alerts", "strays", "all"]
SCOPES: Final[tuple[Scope, ...]] = ("named", "alerts", "strays", "all")
Act = str
"""What a step is. `vault` is said by the text `incident.act_vault`, `notice.sent` by `notice.act_sent`."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What somebody (or a behaviour: `machine`) says when reporting or declaring. Times are aware of their zone.

    `scope` None means the default: what is named, else what the open alerts touched, else all strays. `paths` are
    absolute bytes and may be folders. `types` are entity names; empty means: fill them in from the inventory.
    """

    kind: Kind
    summary: str
    discovered_at: datetime
    occurred_at: datetime | None = None
    place: str = ""
    types: tuple[str, ...] = ()
    paths: tuple[bytes, ...] = field(default=(), repr=False)
    scope: Scope | None = None
    by: str
    machine: bool = False


@dataclass(frozen=True, kw_only=True)
class Affected:
    """One item that an incident touches, and what became of it. `name` is the masked path."""

    key: str
    path: bytes = field(repr=False)
    name: str
    persons: int
    types: tuple[str, ...] = ()
    state: str = "plain"
    vault_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One act of an incident, with its time. `ok` False names a part that failed; `details` are masked."""

    time: datetime
    act: Act
    actor: str
    ok: bool = True
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """An incident as stored. `files`, `persons` and `types` are what it touches, from the inventory.

    `persons` is "at most" until `counted_at`, then counted once each from the files themselves; `sensitive` are those
    among them of whom something sensitive leaked, `virtual` the expiring numbers of delivery platforms, which are no
    persons. `level` is by the plan, `law_grade` by the law ('' below its lowest); `…_by_hand` is what the lawyer said,
    a lower bound. `merged_into` names the incident that took this one over.

    `left_files` and `left_persons` are what was read before the stop, `left_seconds` how long that took, where the
    watch knows (None: unknown).
    """

    id: str
    kind: Kind
    phase: Phase
    machine: bool
    summary: str
    place: str
    types: tuple[str, ...]
    by: str
    scope: Scope | None
    discovered_at: datetime
    occurred_at: datetime | None
    reported_at: datetime | None
    declared_at: datetime | None
    handling_ended_at: datetime | None
    closed_at: datetime | None
    files: int
    persons: int
    counted_at: datetime | None = None
    sensitive: int | None = None
    virtual: int | None = None
    level: str = ""
    law_grade: str = ""
    level_by_hand: str = ""
    law_by_hand: str = ""
    loss_cny: int | None = None
    merged_into: str | None = None
    left_files: int | None = None
    left_persons: int | None = None
    left_seconds: float | None = None
    items: tuple[Affected, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def learned_at(self) -> datetime:
        """When somebody who had to act learned of it: at the report, else at the declaration."""
        return self.reported_at or self.declared_at or self.discovered_at

    @property
    def failures(self) -> tuple[Step, ...]:
        """What is still to be done: steps that failed, once dismissed only those since the last dismissal."""
        last = max((number for number, step in enumerate(self.steps) if step.act == "dismiss"), default=0)
        return tuple(step for step in self.steps[last:] if not step.ok)

    @property
    def complete(self) -> bool:
        """Nothing that failed is still to be done."""
        return not self.failures
