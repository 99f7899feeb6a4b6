"""The quarantine: fence what is affected, take it into the vault, give it back bit for bit.

fence (all at once, behind one fsync of the journal) → copy sealed → verify → journal `verified` → remove the original →
tombstone → journal `vaulted`. Steps are taken for a batch of files behind each fsync, for the disk decides how fast
this goes. A file that cannot be dealt with is a `Refusal` with its cause: in an incident it stays fenced, and by hand
it becomes again what it was.

What is not promised: root reads a fenced file, and whoever has a file open reads on until the guard denies it or the
process is stopped; plaintext may survive in freed blocks, snapshots and backups.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from config.errors import ClocheError, RefusedError
from config.numbering import fresh_letters
from containment.entries import MANUAL, Cause, Entry, Refusal, Register, State
from containment.fence import settle
from containment.intake import Contained, Intake, Terms
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.outlet import Outlet, Released
from containment.purge import Purged, Shredder
from containment.sealed import unseal
from containment.vault import IncidentKeys, Vault

__all__ = ["Cause", "Check", "Contained", "Entry", "Purged", "Quarantine", "Refusal", "Released", "State", "Terms"]
Proof = Literal["digest", "decrypted"]
Result = Literal["intact", "damaged", "missing", "fenced", "no_key"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """State of one entry's copy, and by what it was told: its bytes (`digest`) or by decrypting all of it."""

    id: str
    path: bytes = field(repr=False)
    result: Result
    proof: Proof


class Quarantine:
    """See the module. Only the holder of `home/lock` has one. Safe among its threads; `fence` waits for no vault.

    Args:
        home_vault: folder of the sealed copies.
        journal: the home's journal.
        keyring: seals, and holds an incident's keys; incident keys lie in `incidents` of its folder.
    """

    def __init__(self, home_vault: Path, journal: Journal, keyring: Keyring) -> None:
        self.vault = Vault(home_vault)
        self.keys = IncidentKeys(keyring.folder / "incidents")
        self._keyring = keyring
        self._register = Register(journal)
        self._intake = Intake(register=self._register, vault=self.vault, keyring=keyring, keys=self.keys)
        self._outlet = Outlet(register=self._register, vault=self.vault, keyring=keyring, keys=self.keys)
        self._shredder = Shredder(register=self._register, vault=self.vault, keyring=keyring, keys=self.keys)
        self._turn = threading.RLock()
        self._fencing = threading.Lock()

    def entries(self, *states: State) -> list[Entry]:
        """What is in quarantine (all states without one), oldest first."""
        return [entry for entry in self._register.entries() if not states or entry.state in states]

    def find(self, name: str | bytes) -> list[Entry]:
        """Entries by id (text), or by the path a file had (bytes; a folder means all that was in it)."""
        present = self.entries("fenced", "vaulted")
        if isinstance(name, str):
            return [entry for entry in self.entries() if entry.id == name]
        path = settle(name)
        inside = path.rstrip(b"/") + b"/"
        return [e for e in present if any(known == path or known.startswith(inside) for known in e.names)]

    def fence(self, paths: Iterable[bytes], incident: str, terms: Terms) -> Contained:
        """Close these files at once. `entries` are fenced now and wait for `take_in`; nothing else happened to them.

        One fence at a time: a second one would take the first one's mode 000 for the file's own.

        Raises:
            ClocheError: the journal cannot be written: nothing was done.
        """
        with self._fencing:
            return self._intake.fence(paths, incident, terms)

    def take_in(
        self, entries: Sequence[Entry], *, progress: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Contained:
        """Take fenced entries into the vault. Which of them stay out is said, with the cause.

        Args:
            progress: called with the number of files dealt with and of all.
        """
        with self._turn:
            return self._intake.take_in(entries, progress)

    def add(
        self,
        paths: Iterable[bytes],
        incident: str | None,
        terms: Terms,
        *,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Contained:
        """Fence regular files and take them into the vault.

        Args:
            paths: absolute paths.
            incident: its id; None for a quarantine by hand, which gets an id of its own.
            terms: see `Terms`.
            progress: see `take_in`.

        Raises:
            RefusedError: by hand, and there is no key to seal with: nothing was done.
            ClocheError: the journal cannot be written: nothing was done.
        """
        if incident is None and not self._keyring.ready:
            raise RefusedError("nothing can go into the vault before there is a recovery key: run `cloche keys init`")
        fenced = self.fence(paths, incident or manual_id(), terms)
        taken = self.take_in(fenced.entries, progress=progress)
        return Contained(entries=taken.entries, refused=fenced.refused + taken.refused)

    def unfence(self, entries: Iterable[Entry]) -> Released:
        """Open fenced entries again, exactly as they were. No key is needed."""
        with self._turn:
            return self._outlet.unfence(entries)

    def release(self, entries: Iterable[Entry], unlocker: Unlocker | None = None) -> Released:
        """Give files back bit for bit at their old places; fenced ones are opened again.

        Args:
            entries: from `find` or `entries`.
            unlocker: a key; without one those held in memory for each incident are used.
        """
        wanted = list(entries)
        with self._turn:
            opened = self._outlet.unfence([entry for entry in wanted if entry.state == "fenced"])
            given = self._outlet.give_back([entry for entry in wanted if entry.state == "vaulted"], unlocker)
        return Released(entries=opened.entries + given.entries, refused=opened.refused + given.refused)

    def purge(self, entries: Iterable[Entry]) -> Purged:
        """Destroy entries of the vault for good: see `containment.purge`. Who may order it is the caller's affair.

        Raises:
            ClocheError: the journal cannot be written: nothing was destroyed.
        """
        wanted = list(entries)
        with self._turn:
            try:
                return self._shredder.purge(wanted)
            except OSError as error:
                raise ClocheError(f"the vault or the journal cannot be written: {error.strerror}") from error

    def lacks_key(self, entries: Iterable[Entry], unlocker: Unlocker | None) -> list[Entry]:
        """Which of these could not be released for want of a key: the incident's own, or one that opens the file."""
        return [
            entry
            for entry in entries
            if entry.state == "vaulted"
            and (self.keys.find(entry.incident) is None or not (unlocker or self._keyring.held(entry.incident)))
        ]

    def verify(self, entries: Iterable[Entry], unlocker: Unlocker | None = None) -> list[Check]:
        """Check copies in the vault: with a key by decrypting all of each, without by their digest."""
        return [self._check(entry, unlocker) for entry in entries]

    def recover(self) -> Contained:
        """After a cut: bring every file into one form. Needs no key. Called at start, before anything else.

        Returns:
            Entries whose way in or out was finished, and files that did not get as far, with the cause.
        """
        finished: list[Entry] = []
        refused: list[Refusal] = []
        cut_off: list[Entry] = []
        with self._turn:
            self.vault.sweep()
            for entry in self._register.entries():
                if entry.step == "verified" and self.vault.digest(entry.id) == entry.digest:
                    done = self._intake.finish([entry], after_cut=True)
                    finished += done.entries
                    refused += done.refused
                elif entry.state == "fenced":
                    refused.append(self._intake.keep(entry, entry.cause or "cut_off"))
                elif entry.step in ("restoring", "restored"):
                    finished += self._outlet.resume(entry)
                elif entry.step == "released":
                    self.vault.discard(entry.id)
                elif entry.step == "purging":
                    cut_off.append(entry)
            try:
                purged = self._shredder.finish(cut_off)
                finished += purged.entries
                refused += purged.refused
            except OSError:
                pass  # `purging` stands in the journal: the next start, or the next purge, goes on with it
        return Contained(entries=tuple(finished), refused=tuple(refused))

    def _check(self, entry: Entry, unlocker: Unlocker | None) -> Check:
        proof: Proof = "decrypted" if unlocker else "digest"
        if entry.state != "vaulted":
            return Check(id=entry.id, path=entry.path, result="fenced", proof="digest")
        result: Result = "damaged"
        try:
            if self.vault.digest(entry.id) == entry.digest:
                result = "intact"
            if unlocker:
                copy = self.vault.open(entry.id)
                try:
                    metadata = unseal(copy, None, unlocker, self.keys.find(entry.incident))
                    result = "intact" if metadata.sha256.hex() == entry.sha256 else "damaged"
                finally:
                    os.close(copy)
        except FileNotFoundError:
            result = "missing"
        except RefusedError:
            result = "no_key"
        except (OSError, ClocheError):
            result = "damaged"
        if not self.vault.path(entry.id).exists():
            result = "missing"
        return Check(id=entry.id, path=entry.path, result=result, proof=proof)


def manual_id() -> str:
    """An id for a quarantine by hand."""
    return f"{MANUAL}{time.strftime('%Y%m%d', time.gmtime())}-{fresh_letters(6)}"
