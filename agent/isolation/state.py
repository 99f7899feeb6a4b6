"""What was ordered about the network, as the journal tells it: from the order on until it is lifted.

One act of the journal is one isolation; each change of it is a line that holds all of it. It stays pending, so it
survives compaction and a restart, and what the kernel really does is asked of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from containment.journal import DONE, Journal

KIND: Final = "isolation"
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """What is cut by order. Times are aware; None means: until told.

    `kept` are entries that were added for this time alone (connections of the till's programs, a person's word);
    `clients` gives each cut address the time it comes back. `boot` is the boot that it was put up in; `told` that a
    loss (reboot) was told already. Who, why and for which incident are of the last order; the reason is masked.
    """

    everything: bool = False
    until: datetime | None = None
    kept: tuple[str, ...] = ()
    clients: Mapping[str, datetime | None] = field(default_factory=dict)
    since: datetime
    by: str
    reason: str = ""
    incident: str = ""
    boot: str = ""
    told: bool = False

    @property
    def cuts(self) -> bool:
        """Anything is left of it."""
        return self.everything or bool(self.clients)

    def without_ended(self, now: datetime) -> Isolation:
        """Less what has run out by `now`."""
        ended = self.everything and self.until is not None and self.until <= now
        clients = {address: until for address, until in self.clients.items() if until is None or until > now}
        if not ended:
            return replace(self, clients=clients)
        return replace(self, everything=False, until=None, kept=(), clients=clients)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "everything": self.everything, "until": _text(self.until), "kept": list(self.kept),
            "clients": {address: _text(until) for address, until in self.clients.items()},
            "since": self.since.isoformat(), "by": self.by, "reason": self.reason, "incident": self.incident,
            "boot": self.boot, "told": self.told,
        }  # fmt: skip


def boot_id() -> str:
    """Of this boot of the machine; '' where the kernel does not say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Isolations:
    """The isolation in force by order, kept in the journal. Only the holder of `home/lock` has one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def current(self) -> Isolation | None:
        """What was ordered last and not lifted; None where nothing is."""
        found = self._journal.pending(KIND)
        return _isolation(found[-1].get("state")) if found else None

    def order(self, isolation: Isolation) -> None:
        """Record, durably and before it is put up, what shall be.

        Raises:
            OSError: not recorded; nothing may be put up.
        """
        pending = self._journal.pending(KIND)
        if pending:
            self._journal.step(pending[-1].id, "ordered", state=isolation.document())
        else:
            self._journal.begin(KIND, state=isolation.document())

    def lifted(self) -> None:
        """Record that nothing is cut any more."""
        for act in self._journal.pending(KIND):
            self._journal.step(act.id, DONE)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _isolation(facts: Mapping[str, Any]) -> Isolation:
    return Isolation(
        everything=facts["everything"], until=_moment(facts["until"]), kept=tuple(facts["kept"]),
        clients={address: _moment(until) for address, until in facts["clients"].items()},
        since=datetime.fromisoformat(facts["since"]), by=facts["by"], reason=facts["reason"],
        incident=facts["incident"], boot=facts["boot"], told=facts["told"],
    )  # fmt: skip
