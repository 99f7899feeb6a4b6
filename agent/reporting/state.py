"""What reporting remembers: in memory for as long as the process lives, and in inventory.db what was told already."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.reporting.models import ReportedRow

if TYPE_CHECKING:
    from agent.link.fingerprints import GroupKey
    from agent.link.letters import LinkKey
    from agent.wiring import Agent


@dataclass(kw_only=True)
class Reporting:
    """Memory of one process.

    `masked` spares detectors what they saw; `group` is the chain's key of fingerprints, never on a disk.
    """

    masked: dict[bytes, str] = field(default_factory=dict, repr=False)
    more: bool = False
    """Parts of the inventory wait for what was put before them to arrive."""
    whole: bool = False
    """Head office asked for everything again."""
    wanted_at: float | None = None
    group: GroupKey | None = field(default=None, repr=False)
    group_asked: LinkKey | None = field(default=None, repr=False)
    group_at: float | None = None
    looked: dict[str, float] = field(default_factory=dict, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def is_time(self, name: str, apart: float) -> bool:
        """Whether the last look at `name` was at least `apart` seconds ago; if so, this is the next one."""
        now = time.monotonic()
        last = self.looked.get(name)
        if last is not None and now - last < apart:
            return False
        self.looked[name] = now
        return True


def reported(agent: Agent, kind: str, key: str = "") -> str | None:
    """What was last told of it: a digest or a number, as its kind wrote it; None for nothing."""
    with agent.inventory.reading() as session:
        row = session.get(ReportedRow, (kind, key))
        return None if row is None else row.said


def note_reported(agent: Agent, kind: str, key: str, said: str) -> None:
    """Remember what was told. After `put`: cut between the two, it is told twice, never not at all.

    Raises:
        ClocheError: the disk refused it.
    """
    with agent.inventory.sessions.begin() as session:
        session.merge(ReportedRow(kind=kind, key=key, said=said))


def said_of(document: Mapping[str, Any]) -> str:
    """Digest of a document, to see whether it changed."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]
