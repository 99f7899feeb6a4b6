"""The fence: what nobody may open in the minutes before the vault has it.

Mode 000 and the immutable flag (`FS_IMMUTABLE_FL`, `ioctl_iflags(2)`), set through a descriptor whose identity was
checked, so that a rename of a parent folder leads nowhere else. The caller journals `Original` before.

What the kernel does not give: a process with CAP_DAC_OVERRIDE (root) reads a fenced file all the same, and so does
every descriptor and mapping that exists already: the guard denies those and processes are stopped. The flag needs
CAP_LINUX_IMMUTABLE and a filesystem that has it (ext4, xfs, btrfs; tmpfs since 6.6 keeps flags; FAT, NFS and FUSE
have none); where it is missing `Fence.immutable` is False and only the mode protects. With it, writes through
descriptors opened earlier fail too (ext4 and xfs since 5.3), which is why it is set before the copy is made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from containment.atomic import open_folder

_LONG: Final = struct.calcsize("l")
FS_IOC_GETFLAGS: Final = 2 << 30 | _LONG << 16 | ord("f") << 8 | 1
FS_IOC_SETFLAGS: Final = 1 << 30 | _LONG << 16 | ord("f") << 8 | 2
FS_SYNC: Final = 0x08
FS_IMMUTABLE: Final = 0x10
FS_APPEND: Final = 0x20
FS_NODUMP: Final = 0x40
FS_NOATIME: Final = 0x80
KEPT_FLAGS: Final = FS_SYNC | FS_IMMUTABLE | FS_APPEND | FS_NODUMP | FS_NOATIME
"""Flags a person sets with chattr(1) on a plain file and that come back with it."""
_LOCKING: Final = FS_IMMUTABLE | FS_APPEND
_NO_FLAGS: Final = frozenset({errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EACCES})
_O_PATH: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Original:
    """Identity of a file and what the fence takes from it: permission bits and inode flags (None: no flags here)."""

    device: int
    inode: int
    mode: int
    flags: int | None

    def is_(self, facts: os.stat_result) -> bool:
        """Is this the same file? Only for as long as somebody holds it or a name of it is there."""
        return (facts.st_dev, facts.st_ino) == (self.device, self.inode)


@contextmanager
def folder(path: bytes) -> Iterator[int]:
    """A folder by descriptor, closed at the end.

    Raises:
        OSError: ELOOP where a symbolic link is on the way (now); otherwise as openat2(2).
    """
    descriptor = open_folder(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def settle(path: bytes) -> bytes:
    """The path with its folder's symbolic links resolved once; its last component is left as it is."""
    head, tail = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(head), tail)


@contextmanager
def handle(path: bytes) -> Iterator[int]:
    """An O_PATH descriptor on a file, through its settled folder.

    Raises:
        OSError: as openat(2).
    """
    head, tail = os.path.split(path)
    with folder(head) as parent:
        descriptor = os.open(tail, _O_PATH, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def readable(descriptor: int) -> int:
    """A reading descriptor on the regular file behind an O_PATH one, whatever its mode.

    An owner without CAP_DAC_OVERRIDE lends himself the right to read for the length of one open.

    Raises:
        OSError: no regular file (EINVAL), or it may not be opened.
    """
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    link = f"/proc/self/fd/{descriptor}"
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    with suppress(PermissionError):
        return os.open(link, flags | os.O_NOATIME)  # the time of the last access is the customer's, too
    with suppress(PermissionError):
        return os.open(link, flags)
    mode = stat.S_IMODE(facts.st_mode)
    os.chmod(link, mode | stat.S_IRUSR)
    try:
        return os.open(link, flags)
    finally:
        os.chmod(link, mode)


def read_flags(descriptor: int) -> int | None:
    """Inode flags, None where the filesystem has none. `descriptor` must be open for reading (not O_PATH)."""
    try:
        raw = fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, bytes(_LONG))
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return None
        raise
    return int.from_bytes(raw[:4], "little" if struct.pack("=H", 1)[0] else "big")


def write_flags(descriptor: int, flags: int) -> bool:
    """Set inode flags; False where rights or the filesystem do not allow it."""
    try:
        fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, struct.pack("=I", flags).ljust(_LONG, b"\0"))
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return False
        raise
    return True


def look(descriptor: int) -> Original:
    """What a fence would take away. `descriptor` is open for reading."""
    facts = os.fstat(descriptor)
    return Original(
        device=facts.st_dev, inode=facts.st_ino, mode=stat.S_IMODE(facts.st_mode), flags=read_flags(descriptor)
    )


def raise_fence(descriptor: int, original: Original) -> bool:
    """Mode 000, then immutable. Doing it twice is the same as once.

    Returns:
        Whether the file is immutable now.

    Raises:
        OSError: the mode may not be changed.
    """
    thaw(descriptor, original)
    os.fchmod(descriptor, 0)
    return original.flags is not None and write_flags(descriptor, original.flags | FS_IMMUTABLE)


def thaw(descriptor: int, original: Original) -> None:
    """Take the flags away that forbid a change (ours or the file's own), leaving the mode as it is."""
    if original.flags is not None:
        now = read_flags(descriptor)
        if now is not None and now & _LOCKING:
            write_flags(descriptor, now & ~_LOCKING)


def lower(descriptor: int, original: Original) -> None:
    """Put mode and flags back as they were.

    chmod(2) writes the mask of a POSIX ACL as the group bits, so that the ACL is as before too (acl(5)).

    Raises:
        OSError: the mode may not be changed.
    """
    thaw(descriptor, original)
    os.fchmod(descriptor, original.mode)
    restore_flags(descriptor, original.flags)


def restore_flags(descriptor: int, flags: int | None) -> None:
    """Give a file the flags of `KEPT_FLAGS` that it had."""
    now = read_flags(descriptor)
    if flags is None or now is None:
        return
    wanted = now & ~KEPT_FLAGS | flags & KEPT_FLAGS
    if wanted != now:
        write_flags(descriptor, wanted)


@contextmanager
def no_writer(descriptor: int) -> Iterator[bool]:
    """Hold a read lease (`fcntl(2)`, F_SETLEASE): it is granted only if nobody has the file open for writing.

    Readers do not matter here: they lose nothing when the name goes. A writer's later bytes would be lost. Yields
    True as well where the filesystem has no leases; the caller compares size and times besides. Until it is given
    back a new writer waits (`/proc/sys/fs/lease-break-time`), and the kernel's signal about him is turned off.
    """
    # The news that somebody wants to write is SIGIO, which ends a process; SIGURG is ignored by default (signal(7)).
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        yield error.errno != errno.EAGAIN
        return
    try:
        yield True
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
