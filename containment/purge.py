"""Destroying what is in the vault: first what opens it, then what it was.

`purging` in the journal → the slots and the core of each copy overwritten → the incident's key overwritten and removed,
once no file of the incident is left that needs it → the copies removed → tombstones removed → `purged`. From the first
line on there is no way back: a cut is followed by the rest at the next start.

The content itself is not overwritten: on solid disks and copying filesystems that reaches nothing for certain. It is
noise without its key (crypto-erase, NIST SP 800-88 rev. 1, 2.5). What stays beyond reach: backups and snapshots of the
vault from before, together with such of the incident's key; a copy elsewhere that nobody quarantined; and what root
kept in memory. A copy of a sealed file from before opens only as long as the incident's key exists somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from containment import tombstone
from containment.entries import OUT, Cause, Entry, Refusal, Register
from containment.keyring import Keyring
from containment.vault import IncidentKeys, Vault
from containment.vaulting import cause_of


@dataclass(frozen=True, kw_only=True)
class Purged:
    """Entries that are destroyed, what was not with its cause, and the incidents whose key is gone with them."""

    entries: tuple[Entry, ...] = ()
    refused: tuple[Refusal, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shredder:
    """See the module. Failures of one file never stop the others."""

    register: Register = field(repr=False)
    vault: Vault
    keyring: Keyring = field(repr=False)
    keys: IncidentKeys = field(repr=False)

    def purge(self, entries: Sequence[Entry]) -> Purged:
        """Destroy entries of the vault, for good. One that is not in the vault (any more) is refused.

        Raises:
            OSError: the journal cannot be written: nothing was destroyed.
        """
        now = {entry.id: entry for entry in self.register.entries()}
        inside = [now[entry.id] for entry in entries if entry.id in now and now[entry.id].step == "vaulted"]
        begun = [now[entry.id] for entry in entries if entry.id in now and now[entry.id].step == "purging"]
        known = {entry.id for entry in (*inside, *begun)}
        refused = tuple(Refusal(path=e.path, cause=_why(now.get(e.id)), id=e.id) for e in entries if e.id not in known)
        if inside:
            self.register.record("purging", {entry.id: {} for entry in inside})
        done = self.finish([*inside, *begun])
        return Purged(entries=done.entries, refused=(*refused, *done.refused), keys=done.keys)

    def finish(self, entries: Iterable[Entry]) -> Purged:
        """Carry out what `purging` stands for; one whose disk fails stays so and is tried at the next start."""
        blind: list[Entry] = []
        refused: list[Refusal] = []
        for entry in entries:
            try:
                self.vault.blind(entry.id)
                blind.append(entry)
            except OSError as error:
                refused.append(Refusal(path=entry.path, cause=cause_of(error), id=entry.id))
        keys = self._destroy_keys({entry.incident for entry in blind}, refused)
        for entry in blind:
            self.vault.discard(entry.id)
            for stone in entry.tombstones:
                with suppress(OSError):  # a note that cannot be removed tells nothing of the content
                    tombstone.remove(stone, entry.tombstone_sha256)
        if not blind:
            return Purged(refused=tuple(refused), keys=keys)
        self.vault.sync()
        done = self.register.record("purged", {entry.id: {"cause": ""} for entry in blind})
        return Purged(entries=tuple(done), refused=tuple(refused), keys=keys)

    def _destroy_keys(self, incidents: Iterable[str], refused: list[Refusal]) -> tuple[str, ...]:
        """Keys that nothing needs any more, on disk and in memory; an entry still fenced needs its own."""
        needed = {entry.incident for entry in self.register.entries() if entry.step not in OUT | {"purging"}}
        needed |= {entry.incident for entry in self.register.entries() if entry.id in {r.id for r in refused}}
        destroyed = []
        for incident in sorted(set(incidents) - needed):
            self.keyring.drop(incident)
            if self.keys.destroy(incident):
                destroyed.append(incident)
        return tuple(destroyed)


def _why(entry: Entry | None) -> Cause:
    """The cause of not destroying it."""
    if entry is None or entry.state == "purged":
        return "vanished"
    return "released" if entry.state == "released" else "in_use" if entry.state == "vaulted" else "not_vaulted"
