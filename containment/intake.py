"""The way in, for many files at once: gather, fence behind one fsync, and take into the vault batch by batch."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from config.errors import ClocheError
from config.numbering import fresh_letters
from containment import tombstone
from containment.entries import MANUAL, Cause, Entry, Refusal, Register, Step
from containment.fence import Original, folder, handle, look, no_writer, raise_fence, readable, settle
from containment.keyring import Keyring
from containment.untouchable import held_back, is_live_database
from containment.vault import IncidentKeys, Vault
from containment.vaulting import KeptError, cause_of, close_again, copy_in, is_whole, open_again, take_away

BATCH: Final = 64


def could_give_back(facts: os.stat_result) -> bool:
    """Whether a copy could get this owner and group again: without root a foreign group can't be given (`chown(2)`)."""
    if os.geteuid() == 0:
        return True
    return facts.st_uid == os.geteuid() and facts.st_gid in (os.getegid(), *os.getgroups())


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a file is taken in. `notice` is the tombstone's text, `{id}` in it becomes the entry's id; '' writes none.

    `protected` are the till's programs (paths of executables), `reserved` folders of our own. `forced` is a person's
    explicit word that a live or protected file goes all the same. `settled` says that paths were resolved and judged
    before: a symbolic link on the way now is a refusal (`place`); else links are followed once, at the start.
    """

    notice: str
    protected: frozenset[bytes] = frozenset()
    reserved: tuple[bytes, ...] = ()
    forced: bool = False
    settled: bool = False


@dataclass(frozen=True, kw_only=True)
class Contained:
    """Entries that were dealt with, and every file that was not, with its cause."""

    entries: tuple[Entry, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Intake:
    """See the module. Failures of one file never stop the others."""

    register: Register = field(repr=False)
    vault: Vault
    keyring: Keyring = field(repr=False)
    keys: IncidentKeys = field(repr=False)

    def fence(self, paths: Iterable[bytes], incident: str, terms: Terms) -> Contained:
        """Close these files. The entries, new ones and such as waited already, are fenced and ready for `take_in`.

        Raises:
            ClocheError: the journal cannot be written: nothing was done.
        """
        found, waiting, refused = self._gather(paths, incident, terms)
        try:
            new = self.register.begin(incident, terms.notice, found) if found else []
        except OSError as error:
            raise ClocheError(f"the journal cannot be written, nothing was fenced: {error.strerror}") from error
        closed: list[Entry] = []
        for entry in (*new, *waiting):
            try:
                closed.append(replace(entry, immutable=_close(entry)))
            except (OSError, KeptError) as error:
                refused.append(self.keep(entry, cause_of(error)))
        facts: dict[str, Mapping[str, Any]] = {
            entry.id: {"immutable": entry.immutable} for entry in closed if entry.step == "begin"
        }
        with suppress(OSError):  # `begin` stands in the journal: recovery knows them all the same
            self.register.record("fenced", facts)
        return Contained(entries=tuple(closed), refused=tuple(refused))

    def take_in(self, entries: Sequence[Entry], progress: Callable[[int, int], None]) -> Contained:
        """Take fenced entries into the vault; what cannot go in is refused, and in an incident stays fenced.

        An entry may have waited for its turn: what was vaulted meanwhile (two declarations over the same files) is
        done, and what was given back stays out.
        """
        waiting, taken, refused = self._as_they_stand(entries)
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            verified = [entry for entry in batch if entry.step == "verified"]
            verified += self._copy([entry for entry in batch if entry.step != "verified"], refused)
            done = self.finish(verified)
            taken += done.entries
            refused += done.refused
            progress(start + len(batch), len(waiting))
        return Contained(entries=tuple(taken), refused=tuple(refused))

    def _as_they_stand(self, entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry], list[Refusal]]:
        """Entries still fenced, entries in the vault already, and what went back while it waited."""
        now = {entry.id: entry for entry in self.register.entries()}
        fenced: list[Entry] = []
        vaulted: list[Entry] = []
        back: list[Refusal] = []
        for entry in entries:
            current = now.get(entry.id)
            if current is not None and current.state == "fenced":
                device = entry.original.device
                fenced.append(
                    replace(
                        current, original=replace(current.original, device=device),
                        forced=current.forced or entry.forced, immutable=entry.immutable,
                    )
                )  # fmt: skip
            elif current is not None and current.state == "vaulted":
                vaulted.append(current)
            else:
                back.append(Refusal(path=entry.path, cause="released"))
        return fenced, vaulted, back

    def finish(self, entries: Sequence[Entry], *, after_cut: bool = False) -> Contained:
        """Remove originals whose verified copies are in the vault, and leave tombstones."""
        gone: dict[str, dict[str, Any]] = {}
        refused: list[Refusal] = []
        for entry in entries:
            cause: Cause = ""
            try:
                if not take_away(entry) and not after_cut:
                    cause = "vanished"
            except (OSError, KeptError) as error:
                cause = cause_of(error)
                if cause != "hard_links":
                    refused.append(
                        self.keep(entry, cause)
                        if is_whole(entry)
                        else Refusal(path=entry.path, cause=cause, fenced=True, id=entry.id)
                    )
                    continue
            if cause:
                refused.append(Refusal(path=entry.path, cause=cause, fenced=cause == "hard_links", id=entry.id))
            gone[entry.id] = {"cause": cause}
        here = [entry for entry in entries if entry.id in gone]
        for entry in here:
            self._bury(entry, gone[entry.id])
        _sync_folders(here)
        try:
            return Contained(entries=tuple(self.register.record("vaulted", gone)), refused=tuple(refused))
        except OSError as error:
            late = [Refusal(path=e.path, cause=cause_of(error), fenced=True, id=e.id) for e in here]
            return Contained(refused=(*refused, *late))

    def keep(self, entry: Entry, cause: Cause) -> Refusal:
        """Give up on a file: in an incident it stays fenced, by hand it becomes again what it was."""
        self.vault.discard(entry.id)
        there = open_again(entry) if entry.is_manual else close_again(entry)
        # What was fenced and cannot be found stays on record until a person has looked: it lies closed somewhere.
        never_was = cause == "vanished" and entry.step == "begin"
        step: Step = "dropped" if (there and entry.is_manual) or (not there and never_was) else "fenced"
        with suppress(OSError):  # the journal's earlier step leads recovery to the same place
            self.register.record(step, {entry.id: {"cause": cause}})
        fenced = step == "fenced"
        return Refusal(path=entry.path, cause=cause, fenced=fenced, id=entry.id if fenced else "")

    def _copy(self, entries: Sequence[Entry], refused: list[Refusal]) -> list[Entry]:
        facts: dict[str, dict[str, Any]] = {}
        for entry in entries:
            try:
                self.keyring.hold(entry.incident)
                facts[entry.id] = copy_in(entry, self.vault, self.keyring, self.keys.make(entry.incident))
            except (OSError, ClocheError, KeptError) as error:
                refused.append(self.keep(entry, cause_of(error)))
        if not facts:
            return []
        try:
            self.vault.sync()
            return self.register.record("verified", facts)
        except OSError as error:
            refused += [self.keep(entry, cause_of(error)) for entry in entries if entry.id in facts]
            return []

    def _bury(self, entry: Entry, facts: dict[str, Any]) -> None:
        text = self.register.notice(entry)
        if not text:
            return
        data = tombstone.content(text)
        placed: list[bytes] = []
        try:
            placed.extend(tombstone.place(name, data) for name in entry.names)
        except OSError as error:
            facts["cause"] = facts["cause"] or cause_of(error)
        facts["tombstones"] = [os.fsdecode(name) for name in placed]
        facts["tombstone_sha256"] = tombstone.digest(data)

    def _gather(
        self, paths: Iterable[bytes], incident: str, terms: Terms
    ) -> tuple[list[Entry], list[Entry], list[Refusal]]:
        """New entries, entries that are fenced already, and what is neither."""
        refused: list[Refusal] = []
        files: dict[tuple[int, int], list[bytes]] = {}
        for path in dict.fromkeys(path if terms.settled else settle(path) for path in paths):
            try:
                facts = os.lstat(path)
            except OSError as error:
                refused.append(Refusal(path=path, cause=cause_of(error)))
                continue
            if any(path == own or path.startswith(own + b"/") for own in terms.reserved):
                refused.append(Refusal(path=path, cause="reserved"))
            elif not stat.S_ISREG(facts.st_mode):
                refused.append(Refusal(path=path, cause="special"))
            elif not could_give_back(facts):
                refused.append(Refusal(path=path, cause="permission"))
            else:
                files.setdefault((facts.st_dev, facts.st_ino), []).append(path)
        held = {} if terms.forced else held_back((p for names in files.values() for p in names), terms.protected)
        fenced = {
            (entry.original.inode, name): entry
            for entry in self.register.entries()
            if entry.state == "fenced"
            for name in entry.names
        }
        new: list[Entry] = []
        waiting: list[Entry] = []
        for (device, inode), names in files.items():
            known = fenced.get((inode, names[0]))
            if known is not None:
                original = replace(known.original, device=device)
                waiting.append(replace(known, original=original, forced=known.forced or terms.forced))
                continue
            try:
                for name in names:
                    if name in held:
                        raise KeptError(held[name])
                new.append(_look_at(names, incident, forced=terms.forced))
            except (OSError, KeptError) as error:
                refused.append(Refusal(path=names[0], cause=cause_of(error)))
        return new, waiting, refused


def _sync_folders(entries: Iterable[Entry]) -> None:
    """Make removals in the entries' folders durable.

    One that is lost all the same (the folder went elsewhere, the disk failed) brings back a fenced original whose copy
    is in the vault: never a loss.
    """
    for head in {os.path.dirname(name) for entry in entries for name in entry.names}:
        with suppress(OSError), folder(head) as parent:
            os.fsync(parent)


def _look_at(names: list[bytes], incident: str, *, forced: bool) -> Entry:
    """What a file is before anything happens to it.

    Raises:
        KeptError: it may not be fenced.
        OSError: it cannot be opened.
    """
    with handle(names[0]) as found:
        descriptor = readable(found)
    try:
        if not forced and is_live_database(descriptor, names[0]):
            raise KeptError("live")
        facts = os.fstat(descriptor)
        if facts.st_nlink > len(names):
            names = _all_names(names, facts)
        if incident.startswith(MANUAL):
            if facts.st_nlink > len(names):
                raise KeptError("hard_links")
            with no_writer(descriptor) as alone:
                if not alone and not forced:
                    raise KeptError("in_use")
        original: Original = look(descriptor)
    finally:
        os.close(descriptor)
    return Entry(
        id=fresh_letters(12), act="", incident=incident, names=tuple(names), original=original,
        size=facts.st_size, added_at=0.0, forced=forced,
    )  # fmt: skip


def _all_names(names: list[bytes], facts: os.stat_result) -> list[bytes]:
    """The names given and others of the same file in the same folders: where a second name usually lies."""
    found = dict.fromkeys(names)
    for head in {os.path.dirname(name) for name in names}:
        with folder(head) as parent:
            for name in os.listdir(parent):
                other = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if (other.st_dev, other.st_ino) == (facts.st_dev, facts.st_ino):
                    found[os.path.join(head, os.fsencode(name))] = None
    return list(found)


def _close(entry: Entry) -> bool:
    with handle(entry.path) as found:
        if not entry.original.is_(os.fstat(found)):
            raise KeptError("vanished")
        descriptor = readable(found)
    try:
        return raise_fence(descriptor, entry.original)
    finally:
        os.close(descriptor)
