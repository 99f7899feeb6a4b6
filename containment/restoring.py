"""Bring a file back from a copy: written beside its place under a hidden name, proved, and moved in by one rename.

The proof is SHA-256: of what was written, read again from the disk, against what was recorded when the file was taken,
or against what the sealed copy itself says. Where they differ nothing is moved in unless a person has said why. Nothing
is replaced. A cut leaves a hidden file with customers' data at most: the journal names it, and `sweep` removes it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from config.errors import ClocheError, RefusedError
from containment.atomic import rename_exclusive, write_all
from containment.fence import folder
from containment.journal import DONE, Journal, Running, path_bytes, path_text
from containment.vault import file_sha256

KIND: Final = "restore"
LARGEST: Final = 1 << 40
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Manner:
    """What the file gets: `mode` bits and `uid`; a sealed copy's own metadata go before both."""

    mode: int
    uid: int


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back: its SHA-256 (hex), its size in bytes, and whether that is what was recorded (None: unknown)."""

    sha256: str
    size: int
    equal: bool | None


class DiffersError(RefusedError):
    """The copy is not what was recorded; nothing was moved in."""


def restore(
    journal: Journal, path: bytes, write: Callable[[int], str | None], *, expected: str | None, differs: bool
) -> Restored:
    """Restore one file.

    Args:
        journal: the home's.
        path: where it goes; its folder must be there, without a symbolic link on the way.
        write: fills an empty file by descriptor, with its attributes; what the copy itself says its SHA-256 is (hex),
            None where it says nothing.
        expected: SHA-256 (hex) recorded when the file was taken; None where none was.
        differs: a person said why another content is right: then it is moved in all the same.

    Raises:
        DiffersError: it differs, or nothing is known to compare with, and nobody has said why that is right.
        FileExistsError: something lies at its place.
        OSError: a disk failed or is full, or a link is on the way.
        ClocheError: the copy is damaged or no key opens it.
    """
    head, tail = os.path.split(path)
    hidden = b".cloche-" + secrets.token_hex(6).encode() + b"-restore"
    with folder(head) as parent:
        if os.path.lexists(path):
            raise FileExistsError(17, "something lies at its place")
        running = Running(journal, KIND, folder=path_text(head), hidden=path_text(hidden))
        try:
            target = os.open(hidden, _NEW, 0o600, dir_fd=parent)
            try:
                own = write(target)
                os.fsync(target)
                content, size = file_sha256(target), os.fstat(target).st_size
            finally:
                os.close(target)
            if own is not None and own != content:
                raise ClocheError("what was written is not what the copy holds: the disk fails")
            known = expected or own
            equal = None if known is None else content == known
            if not equal and not differs:
                raise DiffersError("differs" if equal is False else "unknown")
            rename_exclusive(parent, hidden, parent, tail)
            os.fsync(parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(hidden, dir_fd=parent)
            with suppress(OSError):
                running.step(DONE)
            raise
        running.step(DONE)
    return Restored(sha256=content, size=size, equal=equal)


def copied(source: int, manner: Manner) -> Callable[[int], str | None]:
    """A `write` for `restore`: the plain content of a regular file by descriptor, from its start.

    Raises:
        RefusedError: it is no regular file.
    """
    facts = os.fstat(source)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
        raise RefusedError("the copy is no regular file")

    def write(target: int) -> str | None:
        position = 0
        while piece := os.pread(source, _PIECE, position):
            write_all(target, piece)
            position += len(piece)
        with suppress(PermissionError):  # without root a file belongs to whoever restores it
            os.fchown(target, manner.uid, -1)
        os.fchmod(target, stat.S_IMODE(manner.mode) & 0o777)
        os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return None

    return write


def sweep(journal: Journal) -> int:
    """Remove what a cut restore left hidden; how many acts were ended. Not while a restore runs.

    Raises:
        OSError: the journal cannot be written.
    """
    ended = 0
    for act in journal.pending(KIND):
        with suppress(OSError), folder(path_bytes(act.get("folder"))) as parent, suppress(FileNotFoundError):
            os.unlink(path_bytes(act.get("hidden")), dir_fd=parent)
        journal.step(act.id, DONE)
        ended += 1
    return ended
