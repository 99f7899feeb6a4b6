"""Bring a sealed file back in place, so that any cut leaves the sealed file or the whole original.

journal → temporary → decrypt, every segment verified → owner, attributes, times → fsync → publish without replacing
→ journal → remove the sealed names. A file that this store did not sign is a stranger's, however well it decrypts:
its bytes come back beside it, under the sealed file's own name without `.cloche`, for the caller alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from config.errors import CorruptError, RefusedError
from containment import metadata as meta
from containment.atomic import rename_exclusive
from containment.journal import DONE, Journal, Running, path_text
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.places import (
    LONGEST_NAME,
    OWN_PREFIX,
    SUFFIX,
    NotDoneError,
    Place,
    Places,
    cause_of,
    opened,
)
from containment.recovery import UNSEAL, undo_or_finish
from containment.sealed import read_metadata, unseal


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose a stranger's file becomes."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A file that came back. `trusted`: this store sealed it, and everything about it is as it was."""

    paths: tuple[bytes, ...]
    sealed_paths: tuple[bytes, ...]
    size: int
    trusted: bool


class Unsealer:
    """Brings sealed files back. Promise: as `containment.sealing.Sealer`, the other way round."""

    def __init__(self, journal: Journal, keyring: Keyring, unlocker: Unlocker, owner: Owner) -> None:
        """Open with `unlocker`; files that `keyring`'s store did not sign go to `owner`."""
        self._journal = journal
        self._signer = keyring.public_key
        self._unlocker = unlocker
        self._owner = owner

    def unseal(self, path: bytes) -> Restored:
        """Bring the sealed file at the absolute `path` back beside it, under all its names.

        Raises:
            NotDoneError: it stays sealed, with the cause.
        """
        try:
            with Places() as places:
                at = places.at(path)
                with opened(at, os.O_RDONLY) as sealed:
                    if not stat.S_ISREG(os.fstat(sealed).st_mode):
                        raise NotDoneError("special")
                    return self._unseal(at, sealed, places)
        except CorruptError as error:
            raise NotDoneError("corrupt") from error
        except RefusedError as error:
            raise NotDoneError("key") from error
        except OSError as error:
            raise NotDoneError(cause_of(error)) from error

    def _unseal(self, at: Place, sealed: int, places: Places) -> Restored:
        core, _keys, metadata = read_metadata(sealed, self._unlocker)
        trusted = core.signer == self._signer
        names = _original_places(at, metadata, places) if trusted else [at.beside(_own_name(at.name))]
        if any(place.facts() is not None for place in names):
            raise NotDoneError("exists")
        facts = os.fstat(sealed)
        seals = _sealed_places(at, facts, names)
        running = Running(
            self._journal,
            UNSEAL,
            names=[path_text(place.path) for place in names],
            sealed=[path_text(place.path) for place in seals],
            source=facts.st_ino,
            file_id=core.file_id.hex(),
        )
        try:
            temporary = names[0].beside(OWN_PREFIX + running.id.encode() + b".tmp")
            with opened(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL) as target:
                unseal(sealed, target, self._unlocker)
                if trusted:
                    meta.apply(target, metadata)
                else:
                    meta.apply_untrusted(target, metadata, uid=self._owner.uid, gid=self._owner.gid)
                os.fsync(target)
                facts = os.fstat(target)
                running.step("verified", target=facts.st_ino, size=facts.st_size, mtime_ns=facts.st_mtime_ns)
            rename_exclusive(temporary.folder, temporary.name, names[0].folder, names[0].name)
            for place in names[1:]:
                os.link(names[0].name, place.name, src_dir_fd=names[0].folder, dst_dir_fd=place.folder)
            places.sync()
            running.step("committed")
            for place in seals:
                place.unlink()
            places.sync()
            running.step(DONE)
        except BaseException:
            undo_or_finish(self._journal, running.act)
            raise
        return Restored(
            paths=tuple(place.path for place in names),
            sealed_paths=tuple(place.path for place in seals),
            size=metadata.size,
            trusted=trusted,
        )


def _own_name(name: bytes) -> bytes:
    """The sealed file's name without `.cloche`."""
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) and name != SUFFIX else name[:240] + b".opened"


def _original_places(at: Place, metadata: meta.Metadata, places: Places) -> list[Place]:
    """The names it had; where the sealed form was moved, at the same places relative to its new folder.

    Raises:
        CorruptError: the signed path is no path of a file.
        OSError: a folder of another name is gone.
    """
    home, folder = os.path.dirname(metadata.path), os.path.dirname(at.path)
    originals = (metadata.path, *metadata.links)
    moved = folder not in {os.path.dirname(path) for path in originals}
    found = []
    for path in originals:
        name = os.path.basename(path)
        if name in (b"", b".", b"..") or len(name) > LONGEST_NAME or not path.startswith(b"/"):
            raise CorruptError("the sealed file names an impossible place")
        found.append(places.at(os.path.normpath(os.path.join(folder, os.path.relpath(path, home))) if moved else path))
    return found


def _sealed_places(at: Place, facts: os.stat_result, names: Sequence[Place]) -> list[Place]:
    """All names of the sealed file, found by its inode in the folders of its originals."""
    found = [at]
    seen = {(at.folder, at.name)}
    if facts.st_nlink > 1:
        for folder in {place.folder: place for place in [at, *names]}.values():
            for name in os.listdir(folder.folder):
                place = folder.beside(os.fsencode(name))
                if (place.folder, place.name) not in seen and place.is_inode(facts.st_ino):
                    seen.add((place.folder, place.name))
                    found.append(place)
    return found
