"""The way out, for many files at once: restore a batch, then give the names, then empty the vault of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from config.errors import ClocheError, CorruptError, RefusedError
from containment import tombstone
from containment.entries import Cause, Entry, Refusal, Register
from containment.intake import sync_folders
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.releasing import give_names, matches, restore, throw_away
from containment.vault import IncidentKeys, Vault
from containment.vaulting import KeptError, cause_of, open_again

BATCH: Final = 64


@dataclass(frozen=True, kw_only=True)
class Released:
    """What `release` did; what cannot go back stays where it is and is named."""

    entries: tuple[Entry, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """See the module. Failures of one file never stop the others."""

    register: Register = field(repr=False)
    vault: Vault
    keyring: Keyring = field(repr=False)
    keys: IncidentKeys = field(repr=False)

    def unfence(self, entries: Iterable[Entry]) -> Released:
        """Open fenced entries again, exactly as they were. No key is needed."""
        opened: list[Entry] = []
        refused: list[Refusal] = []
        for entry in entries:
            there = open_again(entry)
            self.vault.discard(entry.id)
            done = self.register.record("released" if there else "dropped", {entry.id: {"cause": ""}})
            if there:
                opened += done
            else:
                refused.append(Refusal(path=entry.path, cause="vanished", id=entry.id))
        return Released(entries=tuple(opened), refused=tuple(refused))

    def give_back(self, entries: Sequence[Entry], unlocker: Unlocker | None) -> Released:
        """Restore vaulted entries at their old places."""
        released: list[Entry] = []
        refused: list[Refusal] = []
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            try:
                released += self._batch(batch, unlocker, refused)
            except OSError as error:  # the journal failed: what it says already is what recovery goes on with
                cause = cause_of(error)
                refused += [Refusal(path=entry.path, cause=cause, id=entry.id) for entry in batch]
        return Released(entries=tuple(released), refused=tuple(refused))

    def finish(self, entries: Iterable[Entry]) -> list[Entry]:
        """After a cut: go on with restored files that are whole, and put the others back to `vaulted`."""
        done: list[Entry] = []
        for entry in entries:
            if matches(entry):
                with suppress(OSError, KeptError):
                    give_names(entry)
                    done += self._empty([entry])
                    continue
            throw_away(entry)
            self.register.record("vaulted", {entry.id: {}})
        return done

    def _batch(self, batch: Sequence[Entry], unlocker: Unlocker | None, refused: list[Refusal]) -> list[Entry]:
        failed: dict[str, Cause] = {}
        facts: dict[str, dict[str, Any]] = {}
        self.register.record("restoring", {entry.id: {} for entry in batch})
        for entry in batch:
            try:
                facts[entry.id] = self._restore(entry, unlocker)
            except (OSError, ClocheError, KeptError) as error:
                failed[entry.id] = _cause(error)
        sync_folders(entry for entry in batch if entry.id in facts)
        restored = self.register.record("restored", facts)
        named: list[Entry] = []
        for entry in restored:
            try:
                taken = give_names(entry)
            except (OSError, KeptError) as error:
                throw_away(entry)
                failed[entry.id] = cause_of(error)
                continue
            named.append(entry)
            refused += [Refusal(path=name, cause="exists", id=entry.id) for name in taken]
        if failed:
            self.register.record("vaulted", {entry_id: {} for entry_id in failed})
        refused += [Refusal(path=e.path, cause=failed[e.id], id=e.id) for e in batch if e.id in failed]
        return self._empty(named)

    def _restore(self, entry: Entry, unlocker: Unlocker | None) -> dict[str, Any]:
        outer = self.keys.find(entry.incident)
        key = unlocker or self.keyring.held(entry.incident)
        if outer is None or key is None:
            raise KeptError("no_key")
        return restore(entry, self.vault, key, outer, self.keyring.public_key)

    def _empty(self, entries: Sequence[Entry]) -> list[Entry]:
        """The files are back: record it, then remove copies and tombstones."""
        if not entries:
            return []
        sync_folders(entries)
        released = self.register.record("released", {entry.id: {"cause": ""} for entry in entries})
        for entry in released:
            self.vault.discard(entry.id)
            for stone in entry.tombstones:
                tombstone.remove(stone, entry.tombstone_sha256)
        self.vault.sync()
        return released


def _cause(error: OSError | ClocheError | KeptError) -> Cause:
    if isinstance(error, RefusedError):
        return "wrong_key"
    if isinstance(error, CorruptError):
        return "damaged"
    if isinstance(error, FileNotFoundError):
        return "damaged"  # the vault's copy is missing: a missing folder is made
    return cause_of(error)
