"""What is in quarantine, as the journal tells it.

One act of the journal is one call of `add`: its `begin` line lists every file with what the fence will take from it,
and each later line says which of them reached a step, so that a thousand files are fenced behind one fsync. An act
stays pending, and so survives the journal's compaction, until every file of it is out again. The vault folder holds
only sealed bytes: without the journal they still open with a key and say themselves where they belong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from containment.fence import Original
from containment.journal import DONE, Act, Journal, path_bytes, path_text

KIND: Final = "quarantine"
MANUAL: Final = "manual-"

Step = Literal[
    "begin", "fenced", "verified", "vaulted", "restoring", "restored", "released", "dropped", "purging", "purged"
]
State = Literal["fenced", "vaulted", "released", "purged"]
OUT: Final[frozenset[Step]] = frozenset({"released", "dropped", "purged"})
"""Steps after which nothing is left to do."""
Cause = Literal[
    "",
    "live",        # a database that a program works on
    "protected",   # held by a program of the till, or such a program itself
    "reserved",    # Cloche's own
    "special",     # no regular file
    "vanished",    # gone, or another file lies there now
    "permission",  # the kernel refused
    "hard_links",  # has names that nobody knows
    "in_use",      # somebody has it open for writing
    "changed",     # changed while it was copied
    "no_space",    # the vault's disk is full
    "io_error",    # a disk failed
    "no_key",      # there is no key to seal with
    "exists",      # something lies at its old place
    "place",       # the way to its old place leads elsewhere now
    "damaged",     # the vault's copy fails its check
    "wrong_key",   # the key does not open it
    "cut_off",     # a crash came before its copy was verified
    "released",    # somebody gave it back while it waited for the vault
    "not_vaulted", # only fenced: there is no sealed copy to destroy
]  # fmt: skip
STATES: Final[Mapping[Step, State]] = {
    "begin": "fenced", "fenced": "fenced", "verified": "fenced", "vaulted": "vaulted", "restoring": "vaulted",
    "restored": "vaulted", "released": "released", "purging": "purged", "purged": "purged",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One quarantined file. `names` are all its known names, `path` first; `sha256` of its content, hex.

    `digest` is the SHA-256 of the sealed copy; `mtime_ns` and `size` are from the moment of its copy. `cause` says why
    a file is still only fenced, or what is left to do about one in the vault. `immutable` says whether the fence got
    the flag besides the mode. `inode` is of the restored file, `folder_made` that its folder had to be made again.
    `added_at` is Unix time in seconds.
    """

    id: str
    act: str
    incident: str
    names: tuple[bytes, ...] = field(repr=False)
    original: Original
    size: int
    added_at: float
    step: Step = "begin"
    forced: bool = False
    cause: Cause = ""
    mtime_ns: int = 0
    sha256: str = ""
    digest: str = ""
    tombstones: tuple[bytes, ...] = field(default=(), repr=False)
    tombstone_sha256: str = ""
    inode: int = 0
    immutable: bool = False
    folder_made: bool = False

    @property
    def path(self) -> bytes:
        """Where it was found."""
        return self.names[0]

    @property
    def state(self) -> State:
        """As people see it."""
        return STATES[self.step]

    @property
    def is_manual(self) -> bool:
        """Added by hand, outside of any incident: on failure it goes back to what it was."""
        return self.incident.startswith(MANUAL)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A file that was not dealt with. `fenced` says that it stays closed all the same, under `id`."""

    path: bytes = field(repr=False)
    cause: Cause
    fenced: bool = False
    id: str = ""


class Register:
    """Entries, kept in the journal. One per process, the holder of `home/lock`; safe among its threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] | None = None
        self._notices: dict[str, str] = {}

    def entries(self) -> list[Entry]:
        """Everything fenced, in the vault, or out of it since the journal was last compacted; oldest first."""
        with self._lock:
            return [entry for entry in self._loaded().values() if entry.step != "dropped"]

    def notice(self, entry: Entry) -> str:
        """The tombstone's text for an entry, as its act was told."""
        with self._lock:
            self._loaded()
            return self._notices.get(entry.act, "").replace("{id}", entry.id)

    def begin(self, incident: str, notice: str, entries: Iterable[Entry]) -> list[Entry]:
        """Record, durably and before anything is done to them, that these will be fenced.

        Raises:
            OSError: not recorded; nothing may be done.
        """
        with self._lock:
            loaded = self._loaded()
            now = time.time()
            files = {entry.id: _first(entry) for entry in entries}
            act = self._journal.begin(KIND, incident=incident, notice=notice, since=now, files=files)
            self._notices[act] = notice
            made = [_made(entry_id, act, incident, now, facts) for entry_id, facts in files.items()]
            loaded.update({entry.id: entry for entry in made})
            return made

    def record(self, step: Step, facts: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        """Record, durably, that these entries (by id) reached `step`, with what is new about each.

        Raises:
            OSError: not recorded; what follows the step may not be done.
        """
        with self._lock:
            loaded = self._loaded()
            acts: dict[str, dict[str, Mapping[str, Any]]] = {}
            for entry_id, news in facts.items():
                acts.setdefault(loaded[entry_id].act, {})[entry_id] = news
            for act, files in acts.items():
                self._journal.step(act, step, files=files)
                for entry_id, news in files.items():
                    loaded[entry_id] = _moved(loaded[entry_id], step, news)
            if step in OUT:
                for act in acts:
                    if all(e.step in OUT for e in loaded.values() if e.act == act):
                        self._journal.step(act, DONE)
            return [loaded[entry_id] for entry_id in facts]

    def _loaded(self) -> dict[str, Entry]:
        if self._entries is None:
            found: dict[str, Entry] = {}
            for act in self._journal.acts():
                if act.kind == KIND:
                    self._notices[act.id] = str(act.get("notice", ""))
                    found.update(_replay(act))
            self._entries = found
        return self._entries


def _replay(act: Act) -> dict[str, Entry]:
    begin = act.lines[0]
    found = {
        entry_id: _made(entry_id, act.id, str(begin["incident"]), float(begin["since"]), facts)
        for entry_id, facts in begin["files"].items()
    }
    for line in act.lines[1:]:
        for entry_id, news in line.get("files", {}).items():
            found[entry_id] = _moved(found[entry_id], line["step"], news)
    return found


def _first(entry: Entry) -> dict[str, Any]:
    original = entry.original
    return {
        "names": [path_text(name) for name in entry.names], "size": entry.size, "forced": entry.forced,
        "device": original.device, "inode": original.inode, "mode": original.mode, "flags": original.flags,
    }  # fmt: skip


def _made(entry_id: str, act: str, incident: str, since: float, facts: Mapping[str, Any]) -> Entry:
    original = Original(device=facts["device"], inode=facts["inode"], mode=facts["mode"], flags=facts["flags"])
    return Entry(
        id=entry_id, act=act, incident=incident, names=tuple(path_bytes(name) for name in facts["names"]),
        original=original, size=facts["size"], added_at=since, forced=facts["forced"],
    )  # fmt: skip


def _moved(entry: Entry, step: Step, news: Mapping[str, Any]) -> Entry:
    changes: dict[str, Any] = dict(news)
    if "tombstones" in changes:
        changes["tombstones"] = tuple(path_bytes(name) for name in changes["tombstones"])
    return replace(entry, step=step, **changes)
