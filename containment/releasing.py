"""One file's way out of the vault: restore under a hidden name, check, and only then give it its names back.

The journal has `restoring` before anything of the plaintext is written and `restored` once it is whole, synced and
compared; a cut before throws the hidden file away, a cut after goes on with it. The vault's copy is removed last.
Nothing is replaced: where something lies at one of the names, the file stays in the vault.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from containment.atomic import open_folder, rename_exclusive
from containment.entries import Entry
from containment.fence import readable, restore_flags
from containment.keys import OuterKey, Unlocker
from containment.metadata import apply
from containment.sealed import read_core, unseal
from containment.vault import Vault, file_sha256
from containment.vaulting import KeptError

FOLDER_MODE = 0o700
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder_made(path: bytes) -> Iterator[tuple[int, bool]]:
    """A folder by descriptor, with what is missing of it made (0700, ours); and whether anything was missing.

    Raises:
        OSError: a link or a file is in the way, or it cannot be made.
    """
    descriptor, made = _open_or_make(path)
    try:
        yield descriptor, made
    finally:
        os.close(descriptor)


def _open_or_make(path: bytes) -> tuple[int, bool]:
    try:
        return open_folder(path), False
    except FileNotFoundError:
        above, name = os.path.split(path)
        if not name:
            raise
    with folder_made(above) as (parent, _made):
        with suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=parent)
        os.fsync(parent)
        return os.open(name, _FOLDER, dir_fd=parent), True


def restore(
    entry: Entry, parent: int, vault: Vault, unlocker: Unlocker, outer: OuterKey | None, public_key: bytes
) -> int:
    """Write an entry's file back, complete and synced, under a hidden name in its folder; the caller syncs that.

    Args:
        parent: the folder, held open until the file has its names, so that a swapped folder changes nothing.
        public_key: of this store; a copy that another signed is `damaged`.

    Returns:
        The inode of the restored file.

    Raises:
        KeptError: something is at its place, or the copy is not what was put in.
        OSError: a disk failed or is full, or the kernel refused an attribute; nothing is left.
        ClocheError: no key fits, or the copy is damaged; nothing is left.
    """
    for name in entry.names:
        if os.path.lexists(name):
            raise KeptError("exists")
    throw_away(entry, parent)
    target = os.open(_hidden(entry), _NEW, 0o600, dir_fd=parent)
    try:
        try:
            copy = vault.open(entry.id)
        except FileNotFoundError as error:
            raise KeptError("damaged") from error
        try:
            if read_core(copy).signer != public_key:
                raise KeptError("damaged")
            metadata = unseal(copy, target, unlocker, outer)
        finally:
            os.close(copy)
        if file_sha256(target) != entry.sha256:
            raise KeptError("damaged")
        apply(target, metadata)
        os.fsync(target)
        return os.fstat(target).st_ino
    except BaseException:
        throw_away(entry, parent)
        raise
    finally:
        os.close(target)


def give_names(entry: Entry, parent: int) -> list[bytes]:
    """Give the restored file all its names; the caller syncs `parent`.

    Doing it again after a cut goes on where it stopped.

    Returns:
        Further names (hard links) that cannot be given: something else took them, or their folder leads elsewhere.

    Raises:
        KeptError: the restored file is gone (`vanished`), or its first name was taken meanwhile (`exists`).
        OSError: the kernel refused.
    """
    tail = os.path.basename(entry.path)
    if not _has(parent, tail, entry.inode):
        if not _has(parent, _hidden(entry), entry.inode):
            raise KeptError("vanished")
        try:
            rename_exclusive(parent, _hidden(entry), parent, tail)
        except FileExistsError as error:
            raise KeptError("exists") from error
    taken = []
    for other in entry.names[1:]:
        other_head, other_tail = os.path.split(other)
        try:
            with folder_made(other_head) as (other_parent, _made):
                if not _has(other_parent, other_tail, entry.inode):
                    os.link(tail, other_tail, src_dir_fd=parent, dst_dir_fd=other_parent, follow_symlinks=False)
                    os.fsync(other_parent)
        except OSError:
            taken.append(other)
    _finish(parent, tail, entry)
    return taken


def matches(entry: Entry, parent: int) -> bool:
    """Whether the restored file, under its hidden or its own name, holds what was put into the vault.

    Raises:
        OSError: it cannot be read.
    """
    for name in (os.path.basename(entry.path), _hidden(entry)):
        if _has(parent, name, entry.inode):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOATIME, dir_fd=parent)
            try:
                return file_sha256(descriptor) == entry.sha256
            finally:
                os.close(descriptor)
    return False


def throw_away(entry: Entry, parent: int) -> None:
    """Remove what a cut or failed release left under the hidden name.

    Raises:
        OSError: it is there and cannot be removed.
    """
    with suppress(FileNotFoundError):
        os.unlink(_hidden(entry), dir_fd=parent)


def _finish(parent: int, tail: bytes, entry: Entry) -> None:
    """The flags that forbid a change come last: an immutable file takes no name (`link(2)`, EPERM)."""
    descriptor = os.open(tail, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(descriptor).st_ino == entry.inode:
            source = readable(descriptor)
            try:
                restore_flags(source, entry.original.flags)
            finally:
                os.close(source)
    finally:
        os.close(descriptor)


def _has(parent: int, name: bytes, inode: int) -> bool:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_ino == inode
    except FileNotFoundError:
        return False


def _hidden(entry: Entry) -> bytes:
    return f".cloche-{entry.id}-back".encode()
