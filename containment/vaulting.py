"""One file's way into the vault: copy, verify, and only then take the original away.

Every step may be cut: before `verified` stands in the journal the original is whole and the copy is thrown away,
after it the copy is whole and the original goes. A name is moved to a hidden one first and looked at there, because
between a look and an unlink another file may take its place (`unlink(2)` knows names only).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from config.errors import ClocheError, CorruptError
from containment.atomic import rename_exclusive
from containment.entries import Cause, Entry
from containment.fence import folder, handle, lower, no_writer, raise_fence, readable, thaw
from containment.keyring import Keyring
from containment.keys import OuterKey
from containment.lease import let_clock_pass
from containment.metadata import capture
from containment.sealed import ChangedError, seal, unseal
from containment.vault import Vault

CAUSES: Final[dict[int, Cause]] = {
    errno.ENOENT: "vanished", errno.ESTALE: "vanished", errno.EACCES: "permission", errno.EPERM: "permission",
    errno.EROFS: "permission", errno.ENOSPC: "no_space", errno.EDQUOT: "no_space", errno.ELOOP: "place",
    errno.ENOTDIR: "place", errno.EEXIST: "exists", errno.EINVAL: "special", errno.ENXIO: "special",
}  # fmt: skip


class KeptError(Exception):
    """This file stays where it is; `cause` says why. Never leaves the room."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


def cause_of(error: OSError | ClocheError | KeptError) -> Cause:
    """The word for what went wrong."""
    if isinstance(error, KeptError):
        return error.cause
    if isinstance(error, ChangedError):
        return "changed"
    if isinstance(error, OSError):
        return CAUSES.get(error.errno or 0, "io_error")
    return "damaged" if isinstance(error, CorruptError) else "no_key"


def copy_in(entry: Entry, vault: Vault, keyring: Keyring, outer: OuterKey) -> dict[str, Any]:
    """Seal a fenced file into the vault and decrypt it again; the original is only read.

    Returns:
        What `verified` records. The copy has its name; `Vault.sync` makes that durable.

    Raises:
        KeptError: vanished, changed, or has names that nobody knows.
        OSError: a disk failed or is full.
        ClocheError: there is no key, or what was written does not open again.
    """
    with handle(entry.path) as found:
        if not entry.original.is_(os.fstat(found)):
            raise KeptError("vanished")
        source = readable(found)
    try:
        facts = os.fstat(source)
        if facts.st_nlink > len(entry.names):
            raise KeptError("hard_links")
        if not entry.immutable:
            let_clock_pass(facts.st_mtime_ns)  # a write that is still possible must show in the time of change
        # Captured behind the fence: the mode is 000 and an ACL's mask with it; chmod(2) puts both back at the end.
        metadata = replace(capture(source, entry.path, entry.names[1:]), mode=entry.original.mode)
        with vault.copying(entry.id) as copy:
            receipt = seal(source, copy, metadata, keyring, outer)
            os.fsync(copy)
            unseal(copy, None, receipt.unlocker, outer)
        vault.publish(entry.id)
    finally:
        os.close(source)
    return {
        "sha256": receipt.plaintext_sha256.hex(), "digest": receipt.ciphertext_sha256.hex(),
        "size": metadata.size, "mtime_ns": metadata.mtime_ns, "cause": "",
    }  # fmt: skip


def take_away(entry: Entry) -> bool:
    """Remove every known name of an original whose verified copy is in the vault. Doing it again is nothing.

    Returns:
        Whether any name of it was there. The caller fsyncs the folders.

    Raises:
        KeptError: somebody writes to it (`in_use`), it changed since the copy, or a name nobody knows is left.
        OSError: the kernel refused.
    """
    source = -1
    for name in entry.names:
        source = _our_file(entry, name)
        if source >= 0:
            break
    if source < 0:
        return False
    try:
        with no_writer(source) as alone:
            if not alone and not entry.forced:
                raise KeptError("in_use")
            facts = os.fstat(source)
            if (facts.st_size, facts.st_mtime_ns) != (entry.size, entry.mtime_ns):
                raise KeptError("changed")
            thaw(source, entry.original)
            for number, name in enumerate(entry.names):
                _unlink(entry, name, number)
            if os.fstat(source).st_nlink:
                raise_fence(source, entry.original)
                raise KeptError("hard_links")
    finally:
        os.close(source)
    return True


def is_whole(entry: Entry) -> bool:
    """Whether every known name of the original is still there, and can be reached."""
    for name in entry.names:
        try:
            descriptor = _our_file(entry, name)
        except OSError:
            return False
        if descriptor < 0:
            return False
        os.close(descriptor)
    return True


def close_again(entry: Entry) -> bool:
    """Put the fence up (again) around a file that is still there; False if it is not, or may not be changed."""
    return _with_original(entry, lower_it=False)


def open_again(entry: Entry) -> bool:
    """Take the fence down; False if the file is gone, or may not be changed."""
    return _with_original(entry, lower_it=True)


def _with_original(entry: Entry, *, lower_it: bool) -> bool:
    for number, name in enumerate(entry.names):
        with suppress(OSError):
            _unhide(entry, name, number)
    for name in entry.names:
        with suppress(OSError), handle(name) as found:
            facts = os.fstat(found)
            # st_dev is another after a reboot. Mode 000 is the fence's own mark; a cut before it left the old mode.
            if facts.st_ino != entry.original.inode or facts.st_mode & 0o7777 not in (0, entry.original.mode):
                continue
            descriptor = readable(found)
            try:
                if lower_it:
                    thaw(descriptor, entry.original)
                    _link_again(entry, name)
                    lower(descriptor, entry.original)
                else:
                    raise_fence(descriptor, entry.original)
            finally:
                os.close(descriptor)
            return True
    return False


def _unhide(entry: Entry, name: bytes, number: int) -> None:
    head, tail = os.path.split(name)
    with folder(head) as parent:
        facts = os.stat(_hidden(entry, number), dir_fd=parent, follow_symlinks=False)
        if facts.st_ino == entry.original.inode:
            rename_exclusive(parent, _hidden(entry, number), parent, tail)


def _link_again(entry: Entry, present: bytes) -> None:
    """Names that were taken away before the others could not be (a cut between two hard links) come back."""
    head, tail = os.path.split(present)
    with folder(head) as parent:
        for name in entry.names:
            other_head, other_tail = os.path.split(name)
            with suppress(OSError), folder(other_head) as other:
                os.link(tail, other_tail, src_dir_fd=parent, dst_dir_fd=other, follow_symlinks=False)


def _hidden(entry: Entry, number: int) -> bytes:
    return f".cloche-{entry.id}-{number}".encode()


def _is_ours(entry: Entry, facts: os.stat_result) -> bool:
    """The fenced original and no newcomer that got its inode number: closed, as long and as old as it was copied."""
    return (facts.st_ino, facts.st_mode & 0o7777, facts.st_size, facts.st_mtime_ns) == (
        entry.original.inode, 0, entry.size, entry.mtime_ns,
    )  # fmt: skip


def _our_file(entry: Entry, name: bytes) -> int:
    """A reading descriptor on the original under this name or its hidden one, -1 if it is neither."""
    head, tail = os.path.split(name)
    number = entry.names.index(name)
    for candidate in (tail, _hidden(entry, number)):
        with suppress(FileNotFoundError), handle(os.path.join(head, candidate)) as found:
            facts = os.fstat(found)
            if facts.st_ino == entry.original.inode and facts.st_mode & 0o7777 == 0:
                return readable(found)
    return -1


def _unlink(entry: Entry, name: bytes, number: int) -> bool:
    """Remove one name if it is (still) the original's; False where something else lies there now."""
    head, tail = os.path.split(name)
    hidden = _hidden(entry, number)
    try:
        with folder(head) as parent:
            with suppress(FileNotFoundError):
                if _is_ours(entry, os.stat(tail, dir_fd=parent, follow_symlinks=False)):
                    rename_exclusive(parent, tail, parent, hidden)
            try:
                facts = os.stat(hidden, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                return False
            if not _is_ours(entry, facts):
                rename_exclusive(parent, hidden, parent, tail)
                return False
            os.unlink(hidden, dir_fd=parent)
            return True
    except FileNotFoundError:
        return False
