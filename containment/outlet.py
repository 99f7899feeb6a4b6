"""The way out, for many files at once: restore a batch, then give the names, then empty the vault of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from config.errors import ClocheError, CorruptError, RefusedError
from containment import tombstone
from containment.entries import Cause, Entry, Refusal, Register, Step
from containment.fence import folder
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.releasing import folder_made, give_names, matches, restore, throw_away
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
            if open_again(entry):
                self.vault.discard(entry.id)
                opened += self.register.record("released", {entry.id: {"cause": ""}})
                continue
            # Gone from its place. A verified copy is all there may be of it: it becomes an entry of the vault.
            step: Step = "vaulted" if entry.step == "verified" else "dropped"
            self.register.record(step, {entry.id: {"cause": "vanished"}})
            refused.append(Refusal(path=entry.path, cause="vanished", id=entry.id))
        return Released(entries=tuple(opened), refused=tuple(refused))

    def give_back(self, entries: Sequence[Entry], unlocker: Unlocker | None) -> Released:
        """Restore vaulted entries at their old places."""
        released: list[Entry] = []
        refused: list[Refusal] = []
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            try:
                with ExitStack() as places:
                    released += self._batch(batch, unlocker, refused, places)
            except OSError as error:  # the journal failed: what it says already is what recovery goes on with
                cause = cause_of(error)
                refused += [Refusal(path=entry.path, cause=cause, id=entry.id) for entry in batch]
        return Released(entries=tuple(released), refused=tuple(refused))

    def resume(self, entry: Entry) -> list[Entry]:
        """Go on with a release that was cut: finish one whose file is whole, put any other back to `vaulted`."""
        try:
            with folder(os.path.dirname(entry.path)) as parent:
                if entry.step == "restored" and matches(entry, parent):
                    give_names(entry, parent)
                    os.fsync(parent)
                    return self._empty([entry])
                throw_away(entry, parent)
        except (OSError, KeptError):
            pass  # what is left to do is done by a release: the vault's copy is whole
        self.register.record("vaulted", {entry.id: {}})
        return []

    def _batch(
        self, batch: Sequence[Entry], unlocker: Unlocker | None, refused: list[Refusal], places: ExitStack
    ) -> list[Entry]:
        failed: dict[str, Cause] = {}
        facts: dict[str, dict[str, Any]] = {}
        parents: dict[str, int] = {}
        self.register.record("restoring", {entry.id: {} for entry in batch})
        for entry in batch:
            try:
                parents[entry.id], made = places.enter_context(folder_made(os.path.dirname(entry.path)))
                inode = self._restore(entry, parents[entry.id], unlocker)
                facts[entry.id] = {"inode": inode, "folder_made": made}
            except (OSError, ClocheError, KeptError) as error:
                failed[entry.id] = _cause(error)
        for parent in {parents[entry_id] for entry_id in facts}:
            os.fsync(parent)
        named: list[Entry] = []
        for entry in self.register.record("restored", facts):
            try:
                taken = give_names(entry, parents[entry.id])
            except (OSError, KeptError) as error:
                throw_away(entry, parents[entry.id])
                failed[entry.id] = cause_of(error)
                continue
            named.append(entry)
            refused += [Refusal(path=name, cause="exists", id=entry.id) for name in taken]
        if failed:
            self.register.record("vaulted", {entry_id: {} for entry_id in failed})
        refused += [Refusal(path=e.path, cause=failed[e.id], id=e.id) for e in batch if e.id in failed]
        for entry in named:
            os.fsync(parents[entry.id])
        return self._empty(named)

    def _restore(self, entry: Entry, parent: int, unlocker: Unlocker | None) -> int:
        outer = self.keys.find(entry.incident)
        key = unlocker or self.keyring.held(entry.incident)
        if outer is None or key is None:
            raise KeptError("no_key")
        return restore(entry, parent, self.vault, key, outer, self.keyring.public_key)

    def _empty(self, entries: Sequence[Entry]) -> list[Entry]:
        """The files are back: record it, then remove copies and tombstones."""
        if not entries:
            return []
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
    return cause_of(error)
