"""What the inventory hands out: frozen records, never rows that a session may reload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from config.schema import ItemKind
from scanners.records import Coverage, Finding, Reason, Status

State = Literal["plain", "sealed", "fenced", "vault", "gone"]
Severity = Literal["notice", "warning", "critical"]


@dataclass(frozen=True, kw_only=True)
class StoredItem:
    """An item as inventory.db knows it. `path` and `container` are raw bytes; findings carry no samples.

    `key` is `FileIdentity.key` of the file it is, or of the file it lies in; '' where the scan saw none.
    `recipe` says with which detection settings it was read: another recipe means it must be read again.
    """

    id: int
    path: bytes
    container: bytes | None
    key: str
    kind: ItemKind
    status: Status
    reason: Reason
    encoding: str | None
    size: int
    mtime_ns: int
    uid: int
    mode: int
    level: int
    score: float
    about: str
    records: int
    persons: int
    state: State
    sealed_path: bytes | None
    recipe: str
    first_run: int
    last_run: int
    findings: tuple[Finding, ...] = ()

    @property
    def entities(self) -> tuple[str, ...]:
        """What was found in it, each once, sorted."""
        return tuple(sorted({finding.entity for finding in self.findings}))

    @property
    def place(self) -> bytes:
        """Where its bytes lie now: the sealed file where there is one."""
        return self.sealed_path or self.container or self.path


@dataclass(frozen=True, kw_only=True)
class Run:
    """One scan as recorded. `ended_at` is None for one that was cut short."""

    id: int
    started_at: datetime
    ended_at: datetime | None
    roots: tuple[bytes, ...]
    persons: int
    coverage: Coverage

    @property
    def clean(self) -> bool:
        """It ended, and nothing was partial or unread."""
        return self.ended_at is not None and self.coverage.clean

    def covers(self, roots: Iterable[bytes]) -> bool:
        """Whether each of `roots` was scanned, by itself or as part of another."""
        return all(any(root == own or root.startswith(own.rstrip(b"/") + b"/") for own in self.roots) for root in roots)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A behaviour that was seen, and what was done about it.

    `text` must be masked by whoever makes the alert; `stop_ms` is measured, from the crossing read to stopped.
    `id` is given by the inventory.
    """

    at: datetime
    kind: str
    severity: Severity
    text: str
    keys: tuple[str, ...] = ()
    session: str = ""
    program: str = ""
    user: str = ""
    action: str = "alert"
    stop_ms: float | None = None
    open: bool = True
    id: int = field(default=0)
