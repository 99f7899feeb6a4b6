"""One pass over the inventory, for all measures: each file that holds something, as it lies there now.

A scan may be a day old and somebody may have changed a mode since: mode, age and existence are asked of the disk at
this moment (`lstat`, never opened). What lies in a database reached by a URL has no file to ask.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from agent.inventory.live import is_live
from agent.inventory.records import Run, State, StoredItem
from agent.inventory.store import Inventory

HOLDING: Final[tuple[State, ...]] = ("plain", "fenced", "sealed", "vault")
_DATE: Final = re.compile(r"(?<!\d)(20\d{2})[-_.年]?(0[1-9]|1[0-2])(?:[-_.月]?(0[1-9]|[12]\d|3[01]))?(?!\d)")


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file (or a database) that holds customer information. `since` is when it last changed, by its date or name.

    `changed`: it is no longer the file that was scanned. `persons` of the file, or of the fullest part in it.
    """

    path: bytes = field(repr=False)
    key: str
    kind: str
    state: State
    mode: int
    uid: int
    gid: int
    size: int
    since: datetime | None
    persons: int
    level: int
    entities: frozenset[str]
    live: bool
    changed: bool
    last_run: int

    @property
    def is_database(self) -> bool:
        """Reached by a URL, not a file."""
        return not self.path.startswith(b"/")

    @property
    def is_stray(self) -> bool:
        """In the open, and nothing that a program works on: what can be sealed or put away."""
        return self.state in ("plain", "fenced") and not self.live and not self.is_database

    def age_days(self, now: datetime) -> float:
        """Days since it last changed; 0 where nobody knows."""
        return max((now - self.since).total_seconds() / 86_400, 0.0) if self.since else 0.0


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All of it. `gone` counts files that a scan met and that are no longer there."""

    files: tuple[Held, ...]
    gone: int
    last_run: Run | None

    @property
    def strays(self) -> tuple[Held, ...]:
        """Files that lie in the open without need."""
        return tuple(file for file in self.files if file.is_stray)

    def persons_in(self, files: Iterable[Held]) -> int:
        """Distinct persons in these files, at most.

        One whole scan told persons apart across files: where it met all of them, never more than it counted.
        """
        chosen = tuple(files)
        total = sum(file.persons for file in chosen)
        run = self.last_run
        if run is None or any(file.last_run != run.id or file.state != "plain" for file in chosen):
            return total
        return max(min(total, run.persons), max((file.persons for file in chosen), default=0))


def survey(inventory: Inventory) -> Survey:
    """Look at everything that the inventory holds."""
    grouped: dict[tuple[bytes, bytes | None, str], list[StoredItem]] = {}
    for item in inventory.items(states=HOLDING):
        grouped.setdefault((item.container or item.path, item.sealed_path, item.state), []).append(item)
    files, gone = [], 0
    for (path, _sealed, _state), parts in grouped.items():
        if not any(part.findings or part.persons for part in parts):
            continue
        held = _held(path, parts)
        if held is None:
            gone += 1
        else:
            files.append(held)
    return Survey(files=tuple(files), gone=gone, last_run=inventory.last_run())


def _held(path: bytes, parts: list[StoredItem]) -> Held | None:
    whole = next((part for part in parts if part.container is None), parts[0])
    mode, uid, gid, size, mtime_ns, changed = whole.mode, whole.uid, -1, whole.size, whole.mtime_ns, False
    is_file = path.startswith(b"/")
    if is_file and whole.state in ("plain", "fenced"):
        try:
            facts = os.lstat(path)
        except OSError:
            return None
        if not stat.S_ISREG(facts.st_mode):
            return None
        mode, uid, gid, size = stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_size
        changed = (facts.st_mtime_ns, facts.st_size) != (whole.mtime_ns, whole.size)
        mtime_ns = facts.st_mtime_ns
    return Held(
        path=path, key=whole.key, kind=whole.kind, state=whole.state, mode=mode, uid=uid, gid=gid, size=size,
        since=_since(path, mtime_ns), persons=max(part.persons for part in parts),
        level=max(part.level for part in parts),
        entities=frozenset(finding.entity for part in parts for finding in part.findings),
        live=is_file and whole.state == "plain" and is_live(path, whole.kind), changed=changed,
        last_run=min(part.last_run for part in parts),
    )  # fmt: skip


def _since(path: bytes, mtime_ns: int) -> datetime | None:
    """When the content dates from: its change on disk, or an earlier day in its name (`会员_2024-05-01.csv`).

    A copy made yesterday of an export from two years ago has yesterday's time and the old name.
    """
    changed = datetime.fromtimestamp(mtime_ns / 1e9, UTC) if mtime_ns > 0 else None
    found = _DATE.search(os.path.basename(path).decode("utf-8", "replace"))
    if found is None:
        return changed
    try:
        named = datetime(int(found[1]), int(found[2]), int(found[3] or 1), tzinfo=UTC)
    except ValueError:
        return changed
    return named if changed is None else min(named, changed)


def kinds_of(files: Iterable[Held]) -> dict[str, int]:
    """Number of files by entity, the most frequent first."""
    return dict(Counter(entity for file in files for entity in file.entities).most_common())
