"""What stays the same about a file through renames and reboots: filesystem UUID, inode, birth time.

`statx(2)` by ctypes, because Python 3.11 has no call for it; the UUID from `/proc/self/mountinfo` (proc(5)) and the
links in `/dev/disk/by-uuid`. Not guaranteed: an inode number is given again after a deletion (the birth time tells the
two apart where the file system has one), btrfs subvolumes have devices of their own that mountinfo does not list.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

from scanners.records import FileIdentity

_AT_EMPTY_PATH: Final = 0x1000
_STATX_BTIME: Final = 0x800
_STATX_SIZE: Final = 256  # sizeof(struct statx), linux/stat.h
_BTIME_OFFSET: Final = 80
_KERNEL_VIEWS: Final = frozenset({
    "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf", "pstore",
    "configfs", "fusectl", "mqueue", "binfmt_misc", "efivarfs", "nsfs", "rpc_pipefs",
})  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


def birth_ns(descriptor: int) -> int:
    """Birth time in nanoseconds since the epoch, or 0 where the file system has none."""
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    if _libc.statx(descriptor, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        return 0
    (mask,) = struct.unpack_from("=I", buffer, 0)
    if not mask & _STATX_BTIME:
        return 0
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, _BTIME_OFFSET)
    return int(seconds * 1_000_000_000 + nanoseconds)


class Identities:
    """Makes identities; what a device is, is looked up once."""

    def __init__(self) -> None:
        self._mounts = _read_mounts()
        self._uuids = _read_uuids()
        self._names: dict[int, str] = {}

    def of(self, descriptor: int, facts: os.stat_result) -> FileIdentity:
        """The identity of an open file."""
        return FileIdentity(
            filesystem=self._uuid(facts.st_dev),
            inode=facts.st_ino,
            birth_ns=birth_ns(descriptor),
            device=facts.st_dev,
            mtime_ns=facts.st_mtime_ns,
            size=facts.st_size,
            links=facts.st_nlink,
            uid=facts.st_uid,
            mode=facts.st_mode,
        )

    def is_kernel_view(self, device: int) -> bool:
        """Is this procfs, sysfs and the like: made up by the kernel at each read, no storage?"""
        return self._mounts.get(device, ("", ""))[0] in _KERNEL_VIEWS

    def _uuid(self, device: int) -> str:
        if device not in self._names:
            source = self._mounts.get(device, ("", ""))[1]
            self._names[device] = self._uuids.get(os.path.realpath(source), "") if source else ""
        return self._names[device]


def _read_mounts() -> dict[int, tuple[str, str]]:
    """Device number → (type, source) of each mount."""
    mounts = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                left, _, right = line.partition(" - ")
                major, minor = left.split()[2].split(":")
                kind, source = right.split()[:2]
                mounts[os.makedev(int(major), int(minor))] = (kind, source)
    except OSError:
        return {}
    return mounts


def _read_uuids() -> dict[str, str]:
    """Device node → filesystem UUID."""
    folder = "/dev/disk/by-uuid"
    try:
        return {os.path.realpath(os.path.join(folder, name)): name for name in os.listdir(folder)}
    except OSError:
        return {}
