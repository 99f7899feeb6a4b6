"""One way to write a file so that a cut leaves the old one or the new one, and the system calls that this stands on.

`renameat2(2)` with RENAME_NOREPLACE and `openat2(2)` with RESOLVE_NO_SYMLINKS are called through ctypes, because
Python has no wrapper. What the kernel does *not* promise: a rename is durable only once the folder has been
fsynced (`fsync(2)`, NOTES), and after a failed fsync the page cache may claim what the disk doesn't hold, so a
failed fsync is never retried here: the caller drops the temporary.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_SYS_OPENAT2: Final = 437  # the same number on every architecture (asm-generic/unistd.h)
_RESOLVE_NO_SYMLINKS: Final = 0x04
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_folder(path: bytes) -> int:
    """A descriptor of the folder `path`, refusing a symbolic link in *any* part of it.

    Returns:
        A close-on-exec descriptor; the caller closes it.

    Raises:
        OSError: ELOOP where a link is in the way, or whatever opening it says.
    """
    how = _OpenHow(_FOLDER, 0, _RESOLVE_NO_SYMLINKS)
    descriptor = _libc.syscall(_SYS_OPENAT2, _AT_FDCWD, path, ctypes.byref(how), ctypes.sizeof(how))
    if descriptor >= 0:
        return int(descriptor)
    number = ctypes.get_errno()
    if number not in (errno.ENOSYS, errno.EPERM):  # seccomp filters of old containers answer EPERM
        raise OSError(number, os.strerror(number), path)
    return os.open(path, _FOLDER)


def rename_exclusive(source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
    """Rename without ever replacing, within directory descriptors.

    Raises:
        FileExistsError: `target` is there.
        OSError: the file system refuses (EINVAL where it has no RENAME_NOREPLACE).
    """
    if _libc.renameat2(source_folder, source, target_folder, target, _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def sync_folder(descriptor: int) -> None:
    """Make the names in a folder durable."""
    os.fsync(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte of `data` (a short write is not the end: `write(2)`)."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_file(path: Path | str | bytes, data: bytes, mode: int = 0o600) -> None:
    """Replace or create the file `path` with `data`, durably; a cut leaves the old file or the new one.

    Raises:
        OSError: nothing was changed, and no temporary is left.
    """
    name = os.fsencode(path)
    folder = os.open(os.path.dirname(name) or b".", _FOLDER & ~os.O_NOFOLLOW)
    temporary = b".cloche-" + secrets.token_hex(8).encode()
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder
        )
        try:
            try:
                os.fchmod(descriptor, mode)
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, os.path.basename(name), src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
        sync_folder(folder)
    finally:
        os.close(folder)


def create_file(path: Path | str | bytes, data: bytes, mode: int = 0o600) -> None:
    """Create the file `path`, durably, and never replace one; a cut leaves it whole or not there.

    Raises:
        FileExistsError: it is there.
        OSError: it could not be written; nothing is left.
    """
    name = os.fsencode(path)
    folder = os.open(os.path.dirname(name) or b".", _FOLDER & ~os.O_NOFOLLOW)
    temporary = b".cloche-" + secrets.token_hex(8).encode()
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder
        )
        try:
            try:
                os.fchmod(descriptor, mode)
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            rename_exclusive(folder, temporary, folder, os.path.basename(name))
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
        sync_folder(folder)
    finally:
        os.close(folder)
