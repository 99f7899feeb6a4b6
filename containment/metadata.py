"""What a file is besides its bytes: read before sealing, put back after.

Kept: the full path, permission bits, owner, access and change time in nanoseconds, extended attributes with POSIX
ACLs (they are `system.posix_acl_*` attributes: `acl(5)`), the inode flags that survive a copy, which parts are data
and which are holes, the other names (hard links), size and SHA-256. Not kept, because no call can set them: inode
number, birth time, `ctime`. Holes are kept as `SEEK_DATA` reports them, which may be coarser than the extents
(`lseek(2)`); a file system without holes reports one stretch of data.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import json
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from config.errors import CorruptError

SCHEMA: Final = "cloche.metadata/1"
READ_BYTES: Final = 1 << 20
_GETFLAGS: Final = 0x80086601  # FS_IOC_GETFLAGS, linux/fs.h (64-bit long)
_SETFLAGS: Final = 0x40086602
_KEPT_FLAGS: Final = 0x08 | 0x40 | 0x80  # FS_SYNC_FL, FS_NODUMP_FL, FS_NOATIME_FL
_ZEROS: Final = bytes(READ_BYTES)
_LARGEST: Final = (1 << 63) - 1


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Everything needed to make the file again. Its `repr` shows the size only: a path may carry a value."""

    path: bytes
    mode: int
    uid: int
    gid: int
    atime_ns: int
    mtime_ns: int
    size: int
    sha256: bytes
    extents: tuple[tuple[int, int], ...]
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    links: tuple[bytes, ...] = ()
    flags: int = 0

    def __repr__(self) -> str:
        """Nothing of a customer's."""
        return f"Metadata(size={self.size})"

    @property
    def data_size(self) -> int:
        """Bytes of data without the holes: the length of the sealed body's plaintext."""
        return sum(length for _offset, length in self.extents)

    def encode(self) -> bytes:
        """JSON with bytes in base64; field names are the format (docs/format-sealed-v1.md)."""
        document: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        document |= {
            "schema": SCHEMA,
            "path": _text(self.path),
            "sha256": _text(self.sha256),
            "xattrs": [[_text(name), _text(value)] for name, value in self.xattrs],
            "links": [_text(link) for link in self.links],
        }
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode("ascii")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _number(value: Any, low: int = 0, high: int = _LARGEST) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError("number out of range")
    return value


def decode(data: bytes) -> Metadata:
    """The metadata that `Metadata.encode` wrote.

    Raises:
        CorruptError: it is none, or its figures contradict each other.
    """
    try:
        document = json.loads(data)
        if document["schema"] != SCHEMA:
            raise ValueError("unknown schema")
        metadata = Metadata(
            path=base64.b64decode(document["path"], validate=True),
            mode=_number(document["mode"], high=0o7777),
            uid=_number(document["uid"], high=0xFFFFFFFE),
            gid=_number(document["gid"], high=0xFFFFFFFE),
            atime_ns=_number(document["atime_ns"], low=-_LARGEST),
            mtime_ns=_number(document["mtime_ns"], low=-_LARGEST),
            size=_number(document["size"]),
            sha256=base64.b64decode(document["sha256"], validate=True),
            extents=tuple((_number(offset), _number(length, low=1)) for offset, length in document["extents"]),
            xattrs=tuple((base64.b64decode(name), base64.b64decode(value)) for name, value in document["xattrs"]),
            links=tuple(base64.b64decode(link) for link in document["links"]),
            flags=_number(document["flags"], high=0xFFFFFFFF),
        )
        end = 0
        for offset, length in metadata.extents:
            if offset < end or offset + length > metadata.size:
                raise ValueError("extents overlap or leave the file")
            end = offset + length
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptError("the metadata of the sealed file is malformed") from error
    return metadata


def find_extents(descriptor: int, size: int) -> tuple[tuple[int, int], ...]:
    """Offset and length of every stretch of data (`lseek(2)`, SEEK_DATA)."""
    extents = []
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            if error.errno == errno.EINVAL:
                return ((0, size),)
            raise
        if start < end:
            extents.append((start, end - start))
        position = max(end, start + 1)
    return tuple(extents)


def read_data(descriptor: int, extents: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of the data, in order, at most 1 MiB at a time; stops early where the file is shorter."""
    for start, length in extents:
        position, end = start, start + length
        while position < end:
            piece = os.pread(descriptor, min(READ_BYTES, end - position), position)
            if not piece:
                return
            yield position, piece
            position += len(piece)


class ContentHash:
    """SHA-256 of a file as `sha256sum` gives it, fed with its data only: holes are hashed as zeros."""

    def __init__(self) -> None:
        """Start at offset 0."""
        self._hash = hashlib.sha256()
        self._position = 0

    def feed(self, offset: int, data: bytes) -> None:
        """Add the data at `offset`; what lies between the last piece and this one is zeros."""
        self._zeros_to(offset)
        self._hash.update(data)
        self._position = offset + len(data)

    def finish(self, size: int) -> bytes:
        """The digest of a file of `size` bytes."""
        self._zeros_to(size)
        return self._hash.digest()

    def _zeros_to(self, offset: int) -> None:
        while self._position < offset:
            count = min(offset - self._position, len(_ZEROS))
            self._hash.update(_ZEROS[:count])
            self._position += count


def capture(descriptor: int, path: bytes, links: tuple[bytes, ...] = ()) -> Metadata:
    """Read everything about the open regular file, its content once for the SHA-256.

    Args:
        descriptor: open for reading; its position changes.
        path: the absolute path under which it is known.
        links: its other names, absolute.

    Raises:
        OSError: something of it can't be read (nothing is left out silently).
    """
    facts = os.fstat(descriptor)
    extents = find_extents(descriptor, facts.st_size)
    content = ContentHash()
    for offset, piece in read_data(descriptor, extents):
        content.feed(offset, piece)
    return Metadata(
        path=path,
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
        atime_ns=facts.st_atime_ns,
        mtime_ns=facts.st_mtime_ns,
        size=facts.st_size,
        sha256=content.finish(facts.st_size),
        extents=extents,
        xattrs=_read_xattrs(descriptor),
        links=links,
        flags=read_flags(descriptor) & _KEPT_FLAGS,
    )


def _read_xattrs(descriptor: int) -> tuple[tuple[bytes, bytes], ...]:
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    return tuple((os.fsencode(name), os.getxattr(descriptor, name)) for name in sorted(names))


def read_flags(descriptor: int) -> int:
    """The inode flags (`ioctl_iflags(2)`), 0 where the file system has none."""
    try:
        return int(struct.unpack("l", fcntl.ioctl(descriptor, _GETFLAGS, struct.pack("l", 0)))[0])
    except OSError:
        return 0


def apply(descriptor: int, metadata: Metadata) -> None:
    """Put owner, attributes, mode, flags and times on the open file, in the order in which none undoes another.

    A change of owner clears setuid and capabilities (`chown(2)`), so mode and `security.capability` follow it.

    Raises:
        OSError: one of them can't be set (EPERM for a foreign owner without root): the file is not identical.
    """
    facts = os.fstat(descriptor)
    if (facts.st_uid, facts.st_gid) != (metadata.uid, metadata.gid):
        os.fchown(descriptor, metadata.uid, metadata.gid)
    wanted = {os.fsdecode(name): value for name, value in metadata.xattrs}
    for name in os.listxattr(descriptor):
        if name not in wanted and not name.startswith("security."):
            os.removexattr(descriptor, name)  # a default ACL of the folder was inherited at creation
    late = wanted.pop("security.capability", None)
    for name, value in wanted.items():
        os.setxattr(descriptor, name, value)
    os.fchmod(descriptor, metadata.mode)
    if late is not None:
        os.setxattr(descriptor, "security.capability", late)
    flags = read_flags(descriptor)
    if metadata.flags & ~flags:
        fcntl.ioctl(descriptor, _SETFLAGS, struct.pack("l", flags | metadata.flags))
    os.utime(descriptor, ns=(metadata.atime_ns, metadata.mtime_ns))


def apply_untrusted(descriptor: int, metadata: Metadata, *, uid: int, gid: int) -> None:
    """Put on the file what a stranger may decide: times and `user.*` attributes; owner `uid`, mode 0600.

    Raises:
        OSError: an attribute doesn't fit.
    """
    facts = os.fstat(descriptor)
    if (facts.st_uid, facts.st_gid) != (uid, gid):
        os.fchown(descriptor, uid, gid)
    os.fchmod(descriptor, 0o600)
    for name, value in metadata.xattrs:
        if name.startswith(b"user."):
            os.setxattr(descriptor, name, value)
    os.utime(descriptor, ns=(metadata.atime_ns, metadata.mtime_ns))
