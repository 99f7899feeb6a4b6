"""Find the files under some roots, each once, opened for reading.

Folders are walked by directory descriptors and files opened with O_NOFOLLOW, so that a rename in between cannot lead
elsewhere (`openat(2)`). Symbolic links are not followed and are no items: they hold nothing; a root that is one is
resolved once. Folders are remembered by device and inode, so bind mounts that loop, and roots within roots, end.

Not guaranteed: a listing is no snapshot. What appears behind the walk is missed, what goes ahead of it is `vanished`.
A file system is told by its UUID where `/dev/disk/by-uuid` knows it; network and memory file systems have none.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.errors import UsageError
from config.schema import ItemKind
from scanners.identity import Identities
from scanners.records import FileIdentity, Reason, Status

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, kw_only=True)
class Found:
    """One path that was listed.

    With status `read` it is a regular file and `descriptor` is open: it belongs to the receiver, who closes it.
    `folder` is the descriptor of its folder, lent until the next one is asked for. Otherwise both are -1 and
    `reason` says why.
    """

    path: bytes
    status: Status
    kind: ItemKind = "other"
    reason: Reason = ""
    descriptor: int = -1
    folder: int = -1
    identity: FileIdentity | None = None


class Discovery:
    """Walks roots.

    Args:
        exclude: glob patterns (`fnmatch`) of whole paths or of names; what matches is `skipped`, folders with all in
            them as one item.
        reserved: folders of Cloche itself, skipped wherever they are mounted.
    """

    def __init__(self, exclude: Sequence[str] = (), reserved: Sequence[bytes] = ()) -> None:
        self._exclude = [re.compile(fnmatch.translate(pattern)) for pattern in exclude]
        self._identities = Identities()
        self._seen: set[tuple[int, int]] = set()
        self._reserved: set[tuple[int, int]] = set()
        for path in reserved:
            try:
                facts = os.stat(path)
            except OSError:
                continue  # not there yet: nothing of ours to skip
            self._reserved.add((facts.st_dev, facts.st_ino))

    def walk(self, roots: Sequence[bytes]) -> Iterator[Found]:
        """List everything under `roots`, in order of the bytes of the names; a root that is missing is unread.

        Raises:
            UsageError: none of the roots exists; before anything is listed.
        """
        resolved = [os.path.realpath(root) for root in roots]
        if not any(map(os.path.lexists, resolved)):
            raise UsageError(f"{', '.join(map(os.fsdecode, roots))}: no such file or folder")
        outer = [path for path in dict.fromkeys(resolved) if not _lies_under(path, resolved)]
        return self._walk_roots(outer)

    def _walk_roots(self, roots: Sequence[bytes]) -> Iterator[Found]:
        for root in roots:
            parent, name = os.path.split(root)
            try:
                folder = os.open(parent or b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                yield _unread(root, error)
                continue
            try:
                yield from self._entry(folder, name or b".", root)
            finally:
                os.close(folder)

    def _entry(self, folder: int, name: bytes, path: bytes) -> Iterator[Found]:
        """One name in an open folder."""
        try:
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            yield _unread(path, error)
            return
        if stat.S_ISLNK(facts.st_mode):
            return
        if (facts.st_dev, facts.st_ino) in self._reserved:
            yield Found(path=path, status="skipped", reason="reserved")
        elif self._excluded(path, name):
            yield Found(path=path, status="skipped", reason="excluded")
        elif stat.S_ISDIR(facts.st_mode):
            yield from self._folder(folder, name, path)
        elif stat.S_ISREG(facts.st_mode):
            yield self._file(folder, name, path)
        else:
            yield Found(path=path, status="unread", reason="special")

    def _folder(self, parent: int, name: bytes, path: bytes) -> Iterator[Found]:
        """All of a folder, depth first."""
        try:
            folder = os.open(name, _FOLDER, dir_fd=parent)
        except OSError as error:
            yield _unread(path, error)
            return
        try:
            facts = os.fstat(folder)
            if (facts.st_dev, facts.st_ino) in self._seen:
                return
            self._seen.add((facts.st_dev, facts.st_ino))
            if self._identities.is_kernel_view(facts.st_dev):
                yield Found(path=path, status="unread", reason="special")
                return
            try:
                with os.scandir(folder) as entries:
                    names = sorted(os.fsencode(entry.name) for entry in entries)
            except OSError as error:
                yield _unread(path, error)
                return
            prefix = path if path.endswith(b"/") else path + b"/"
            for child in names:
                yield from self._entry(folder, child, prefix + child)
        finally:
            os.close(folder)

    def _file(self, folder: int, name: bytes, path: bytes) -> Found:
        try:
            descriptor = _open_quietly(name, folder)
        except OSError as error:
            return _unread(path, error)
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            return Found(path=path, status="unread", reason="special")
        identity = self._identities.of(descriptor, facts)
        return Found(path=path, status="read", descriptor=descriptor, folder=folder, identity=identity)

    def _excluded(self, path: bytes, name: bytes) -> bool:
        texts = (os.fsdecode(path), os.fsdecode(name))
        return any(pattern.match(text) for pattern in self._exclude for text in texts)


def _lies_under(path: bytes, others: Sequence[bytes]) -> bool:
    return any(path != other and path.startswith(other.rstrip(b"/") + b"/") for other in others)


def _open_quietly(name: bytes, folder: int) -> int:
    """Open without touching the access time, where the kernel allows it (owner or CAP_FOWNER only, `open(2)`)."""
    try:
        return os.open(name, _FILE | os.O_NOATIME, dir_fd=folder)
    except PermissionError:
        return os.open(name, _FILE, dir_fd=folder)


def _unread(path: bytes, error: OSError) -> Found:
    return Found(path=path, status="unread", reason=reason_of(error))


def reason_of(error: OSError) -> Reason:
    """The closed-list reason for what the kernel said."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission"
    if error.errno in (errno.ENOENT, errno.ESTALE, errno.ENOTDIR):
        return "vanished"
    if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
        return "special"
    return "io_error"
