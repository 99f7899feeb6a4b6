"""Names beside each other: where a file lies, what its sealed form is called, and how a name is put or taken away.

Everything goes by directory descriptor, so a folder that is swapped for a link while we work changes nothing. A
name is only ever removed when the file behind it is the one that was recorded (inode number and, for a sealed file,
its id), because between a crash and the recovery somebody may have put another file there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self

from config.errors import ClocheError, CorruptError
from containment.atomic import open_folder
from containment.core import read_core

Cause = Literal[
    "in_use",          # somebody has it open or mapped
    "hard_links",      # it has names outside the given paths
    "changed",         # it changed, or went, while it was worked on
    "no_space",        # disk or quota full
    "permission",      # the kernel refuses
    "special",         # no regular file, or a symbolic link is in the way
    "already_sealed",  # it is a sealed file
    "samba_open",      # a Samba client has it open
    "office_lock",     # an office program's lock file lies beside it
    "io_error",        # the disk or the file system failed
    "protected",       # of a protected program, a decoy, or Cloche's own
    "exists",          # the name it would come back to is taken
    "corrupt",         # the sealed file fails its own check
    "key",             # the key given doesn't open it, or there is none
]  # fmt: skip

SUFFIX: Final = b".cloche"
OWN_PREFIX: Final = b".cloche-"
LONGEST_NAME: Final = 255
_ERRNO_CAUSES: Final[dict[int, Cause]] = {
    errno.ENOSPC: "no_space", errno.EDQUOT: "no_space", errno.EFBIG: "no_space",
    errno.EACCES: "permission", errno.EPERM: "permission", errno.EROFS: "permission",
    errno.ELOOP: "special", errno.ENXIO: "special", errno.EISDIR: "special",
    errno.ENOENT: "changed", errno.ENOTDIR: "changed", errno.ESTALE: "changed",
    errno.EAGAIN: "in_use", errno.ETXTBSY: "in_use", errno.EBUSY: "in_use",
    errno.EEXIST: "exists",
}  # fmt: skip


class NotDoneError(ClocheError):
    """A file was left as it was; `cause` says why. The message holds the cause only, never the path."""

    def __init__(self, cause: Cause) -> None:
        """Remember the cause."""
        super().__init__(cause)
        self.cause: Cause = cause


def cause_of(error: OSError) -> Cause:
    """The cause behind an error of the system."""
    return _ERRNO_CAUSES.get(error.errno or 0, "io_error")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A name in an open folder."""

    folder: int
    name: bytes
    path: bytes

    def beside(self, name: bytes) -> Place:
        """Another name in the same folder."""
        return Place(folder=self.folder, name=name, path=os.path.join(os.path.dirname(self.path), name))

    def facts(self) -> os.stat_result | None:
        """`lstat`; None where the name is free.

        Raises:
            OSError: for any other reason.
        """
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_inode(self, inode: int) -> bool:
        """Whether a regular file of this inode number has the name."""
        facts = self.facts()
        return facts is not None and stat.S_ISREG(facts.st_mode) and facts.st_ino == inode

    def unlink(self) -> None:
        """Take the name away."""
        os.unlink(self.name, dir_fd=self.folder)

    def open(self, flags: int) -> int:
        """A descriptor of the file, never through a link and never waiting on a pipe."""
        return os.open(self.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=self.folder)

    def is_sealed_file(self, inode: int, file_id: str) -> bool:
        """Whether the sealed file `file_id` (hex) of this inode has the name."""
        if not self.is_inode(inode):
            return False
        with opened(self, os.O_RDONLY) as descriptor:
            try:
                return read_core(descriptor).file_id.hex() == file_id
            except CorruptError:
                return False


@contextmanager
def opened(place: Place, flags: int) -> Iterator[int]:
    """A descriptor for the length of a block."""
    descriptor = place.open(flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Places:
    """Opens each folder once and closes all of them at the end of its block."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self._stack = ExitStack()
        self._folders: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the folders."""
        self._stack.close()

    def at(self, path: bytes) -> Place:
        """The place of an absolute path.

        Raises:
            OSError: its folder can't be opened, or there is a link on the way.
        """
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = open_folder(folder)
            self._stack.callback(os.close, self._folders[folder])
        return Place(folder=self._folders[folder], name=name, path=path)

    def sync(self) -> None:
        """Make every folder's names durable."""
        for folder in self._folders.values():
            os.fsync(folder)


def sealed_names(name: bytes, file_id: bytes) -> Iterator[bytes]:
    """`NAME.cloche`, `NAME.1.cloche`, …; a name that gets too long is shortened and carries the file's id."""
    number = 0
    while True:
        suffix = (b".%d" % number if number else b"") + SUFFIX
        if len(name) + len(suffix) > LONGEST_NAME:
            suffix = b"~" + file_id[:4].hex().encode() + suffix
            yield _shorten(name, LONGEST_NAME - len(suffix)) + suffix
        else:
            yield name + suffix
        number += 1


def _shorten(name: bytes, length: int) -> bytes:
    try:
        name.decode()
    except UnicodeDecodeError:
        return name[:length]
    return name[:length].decode("utf-8", "ignore").encode()
