"""Seal a file in place, so that any cut leaves the original or its verified sealed form.

The order is that of security.md: journal, temporary in the same folder, fsync, verify by decrypting, publish without
replacing, lease on the original, identity again, rename to a hidden name, lease still held, journal, unlink. An
exchange of names would be shorter and lose what a late writer writes.

What the kernel does not say: whether somebody looked the name up before the rename and has not reached the lease
yet; a millisecond's pause between the two covers the microseconds of that window. Times have the grain of a tick
before Linux 6.13, so a file that changed this instant is given two ticks before it is read. Folders' own times
change: names come and go in them.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from config.errors import CorruptError
from containment import metadata as meta
from containment.atomic import rename_exclusive
from containment.journal import DONE, Journal, Running, path_text
from containment.keyring import Keyring
from containment.lease import (
    SambaOpens,
    drop_lease,
    has_lease,
    has_office_lock,
    let_clock_pass,
    samba_opens,
    take_lease,
)
from containment.places import OWN_PREFIX, Cause, NotDoneError, Place, Places, cause_of, opened, sealed_names
from containment.recovery import SEAL, Recovered, recover, undo_or_finish
from containment.sealed import ChangedError, Receipt, is_sealed, seal, unseal

_SETTLE_SECONDS: Final = 0.001

__all__ = ["Recovered", "Refused", "Sealed", "Sealer", "group_links", "recover"]


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A file that is now sealed. `paths` are its former names, `sealed_paths` their counterparts, in order."""

    paths: tuple[bytes, ...]
    sealed_paths: tuple[bytes, ...]
    size: int
    file_id: bytes


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A file that was left as it was."""

    path: bytes
    cause: Cause


def group_links(paths: Iterable[bytes]) -> list[tuple[bytes, ...]]:
    """The same paths, those of one file together, in order of first appearance."""
    groups: dict[object, list[bytes]] = {}
    for path in paths:
        try:
            facts = os.lstat(path)
            key: object = (facts.st_dev, facts.st_ino) if stat.S_ISREG(facts.st_mode) else path
        except OSError:
            key = path
        groups.setdefault(key, []).append(path)
    return [tuple(group) for group in groups.values()]


class Sealer:
    """Seals in place. Promise: after any cut and `recovery.recover`, the file is whole in exactly one form."""

    def __init__(self, journal: Journal, keyring: Keyring, samba: SambaOpens = samba_opens) -> None:
        """Work with this store's journal and keys; `samba` lists what Samba clients have open, asked once."""
        self._journal = journal
        self._keyring = keyring
        self._samba: Callable[[], frozenset[bytes]] = samba
        self._samba_open: frozenset[bytes] | None = None

    def seal(self, names: Sequence[bytes]) -> Sealed:
        """Seal one file under all its names (absolute paths, see `group_links`).

        Raises:
            NotDoneError: it was left as it was, with the cause.
            RefusedError: there is no recovery key.
        """
        self._keyring.epoch()
        try:
            with Places() as places:
                found = [places.at(name) for name in names]
                with opened(found[0], os.O_RDONLY | _no_atime(found[0])) as source:
                    self._check(source, found)
                    return self._seal(source, found, places)
        except ChangedError as error:
            raise NotDoneError("changed") from error
        except CorruptError as error:  # what was written reads back wrong
            raise NotDoneError("io_error") from error
        except OSError as error:
            raise NotDoneError(cause_of(error)) from error

    def check(self, names: Sequence[bytes]) -> None:
        """Whether the file could be sealed right now; nothing is touched.

        Raises:
            NotDoneError: it could not, with the cause.
        """
        try:
            with Places() as places:
                found = [places.at(name) for name in names]
                with opened(found[0], os.O_RDONLY | _no_atime(found[0])) as source:
                    self._check(source, found)
        except OSError as error:
            raise NotDoneError(cause_of(error)) from error

    def _check(self, source: int, found: Sequence[Place]) -> None:
        facts = os.fstat(source)
        if not stat.S_ISREG(facts.st_mode):
            raise NotDoneError("special")
        if is_sealed(source):
            raise NotDoneError("already_sealed")
        if facts.st_nlink != len(found):
            raise NotDoneError("hard_links")
        if self._samba_open is None:
            self._samba_open = self._samba()
        for place in found:
            if not place.is_inode(facts.st_ino):
                raise NotDoneError("changed")
            if has_office_lock(place.folder, place.name):
                raise NotDoneError("office_lock")
            if place.path in self._samba_open:
                raise NotDoneError("samba_open")
        if not take_lease(source):
            raise NotDoneError("in_use")
        drop_lease(source)

    def _seal(self, source: int, found: Sequence[Place], places: Places) -> Sealed:
        let_clock_pass(os.fstat(source).st_ctime_ns)
        before = os.fstat(source)
        first = found[0]
        metadata = meta.capture(source, first.path, tuple(place.path for place in found[1:]))
        running = Running(
            self._journal,
            SEAL,
            names=[path_text(place.path) for place in found],
            source=before.st_ino,
            size=before.st_size,
            mtime_ns=before.st_mtime_ns,
        )
        try:
            temporary = first.beside(OWN_PREFIX + running.id.encode() + b".tmp")
            receipt = self._write_verified(source, temporary, metadata, running)
            sealed = _publish(temporary, found, receipt, running)
            places.sync()
            running.step("published")
            hidden = [
                place.beside(OWN_PREFIX + running.id.encode() + b".%d.old" % number)
                for number, place in enumerate(found)
            ]
            _hide(source, before, list(zip(found, hidden, strict=True)), running)
            places.sync()
            time.sleep(_SETTLE_SECONDS)
            if not has_lease(source):
                raise NotDoneError("in_use")
            running.step("committed")
            for place in hidden:
                place.unlink()
            places.sync()
            running.step(DONE)
        except BaseException:
            undo_or_finish(self._journal, running.act)
            raise
        return Sealed(
            paths=tuple(place.path for place in found),
            sealed_paths=tuple(place.path for place in sealed),
            size=metadata.size,
            file_id=receipt.file_id,
        )

    def _write_verified(self, source: int, temporary: Place, metadata: meta.Metadata, running: Running) -> Receipt:
        with opened(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL) as target:
            os.fchmod(target, 0o600)
            os.fchown(target, metadata.uid, metadata.gid)
            receipt = seal(source, target, metadata, self._keyring)
            os.fsync(target)
            os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)  # read back what the disk has, not the cache
            unseal(target, None, receipt.unlocker)
            running.step(
                "verified",
                target=os.fstat(target).st_ino,
                file_id=receipt.file_id.hex(),
                ciphertext_sha256=receipt.ciphertext_sha256.hex(),
            )
        return receipt


def _publish(temporary: Place, found: Sequence[Place], receipt: Receipt, running: Running) -> list[Place]:
    """Give the sealed file a name beside each name of the original; the name is journalled before it is taken."""
    sealed: list[Place] = []
    for place in found:
        for name in sealed_names(place.name, receipt.file_id):
            target = place.beside(name)
            if target.facts() is not None:
                continue
            running.step("publishing", sealed=[path_text(other.path) for other in [*sealed, target]])
            try:
                if sealed:
                    os.link(sealed[0].name, name, src_dir_fd=sealed[0].folder, dst_dir_fd=place.folder)
                else:
                    rename_exclusive(temporary.folder, temporary.name, place.folder, name)
            except FileExistsError:
                continue
            sealed.append(target)
            break
    return sealed


def _hide(source: int, before: os.stat_result, pairs: Sequence[tuple[Place, Place]], running: Running) -> None:
    """With the lease, make sure that it is still the same file, and take its names away."""
    if not take_lease(source):
        raise NotDoneError("in_use")
    now = os.fstat(source)
    same = ("st_ino", "st_dev", "st_size", "st_mtime_ns", "st_ctime_ns", "st_nlink")
    if any(getattr(now, name) != getattr(before, name) for name in same) or not all(
        place.is_inode(before.st_ino) for place, _hidden in pairs
    ):
        raise NotDoneError("changed")
    running.step("hiding", hidden=[path_text(hidden.path) for _place, hidden in pairs])
    for place, hidden in pairs:
        rename_exclusive(place.folder, place.name, hidden.folder, hidden.name)


def _no_atime(place: Place) -> int:
    facts = place.facts()
    return os.O_NOATIME if facts is not None and os.geteuid() in (0, facts.st_uid) else 0
