"""fanotify(7) through ctypes, and the few other system calls that the guard needs.

What the kernel does not promise: a *permission* event is never merged, but one process's open and reads are
separate events; the event's own descriptor counts as an open one, so it is closed *before* the answer is written
(a write lease taken by the opener right after would fail otherwise); out of descriptors the kernel *denies*;
FAN_PRE_ACCESS (Linux 6.14, ext4, xfs, btrfs) also covers mappings made after the mark, FAN_ACCESS_PERM does not;
mappings made before the mark read on in either. Since Linux 6.14 a descriptor is governed only if a mark for reads was
there when it was opened (6.18: refused reads on one opened under FAN_OPEN_PERM alone went through; on 6.1 they fail).
Constants: include/uapi/linux/fanotify.h of Linux 6.18.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.watch.api import Tier
from config.privileges import no_new_privileges

FAN_CLOEXEC: Final = 0x1
FAN_NONBLOCK: Final = 0x2
FAN_CLASS_CONTENT: Final = 0x4
FAN_CLASS_PRE_CONTENT: Final = 0x8
FAN_UNLIMITED_QUEUE: Final = 0x10
FAN_UNLIMITED_MARKS: Final = 0x20
FAN_REPORT_PIDFD: Final = 0x80

FAN_Q_OVERFLOW: Final = 0x4000
FAN_OPEN_PERM: Final = 0x10000
FAN_ACCESS_PERM: Final = 0x20000
FAN_PRE_ACCESS: Final = 0x100000

FAN_ALLOW: Final = 1
FAN_DENY: Final = 2
_MARK_ADD: Final = 0x1
_MARK_REMOVE: Final = 0x2
_PIDFD_RECORD: Final = 4
_METADATA: Final = struct.Struct("=IBBHQii")
_RECORD: Final = struct.Struct("=BBH")
_PIDFD: Final = struct.Struct("=i")
RESPONSE: Final = struct.Struct("=iI")
_READ_SIZE: Final = 2048  # at most 64 events, so 128 descriptors, at once

_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_CAPABILITIES: Final = {
    "CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_IPC_LOCK": 14, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21,
    "CAP_SYS_NICE": 23,
}  # fmt: skip
_CAP_VERSION_3: Final = 0x20080522
_MCL_ALL_ON_FAULT: Final = 7  # MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: lock what is touched, not 20 MB of libraries

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fanotify_mark.argtypes = (
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_char_p,
)


class KernelEvent:
    """One event as read; `descriptor` -1 is the overflow record. `pidfd` below 0: the process had ended."""

    __slots__ = ("descriptor", "mask", "pid", "pidfd")

    def __init__(self, mask: int, descriptor: int, pid: int, pidfd: int) -> None:
        """Fields in the kernel's order."""
        self.mask = mask
        self.descriptor = descriptor
        self.pid = pid
        self.pidfd = pidfd


@dataclass(kw_only=True)
class Group:
    """A fanotify group of one tier. Its descriptor is close-on-exec and goes to nobody."""

    descriptor: int
    tier: Tier

    @classmethod
    def open(cls, probe: bytes) -> Group:
        """The best group this kernel has; `probe` is a file of ours to try FAN_PRE_ACCESS on.

        Raises:
            OSError: no permission events here (EPERM, EINVAL, ENOSYS).
        """
        common = FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_REPORT_PIDFD
        try:
            group = cls(descriptor=_init(FAN_CLASS_PRE_CONTENT | common), tier="pre_access")
        except OSError:
            return cls(descriptor=_init(FAN_CLASS_CONTENT | common), tier="permission")
        try:
            group.mark(probe, FAN_PRE_ACCESS)
            group.unmark(probe, FAN_PRE_ACCESS)
        except OSError:
            group.close()
            return cls(descriptor=_init(FAN_CLASS_CONTENT | common), tier="permission")
        return group

    def mark(self, path: bytes, mask: int) -> None:
        """Add `mask` to the inode behind `path` (links followed: give a `/proc/self/fd` name of an open one).

        A filesystem without FAN_PRE_ACCESS (tmpfs: EOPNOTSUPP) gets FAN_ACCESS_PERM in its place.

        Raises:
            OSError: the kernel says why not.
        """
        try:
            _check(_libc.fanotify_mark(self.descriptor, _MARK_ADD, mask, -100, path))
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP or not mask & FAN_PRE_ACCESS:
                raise
            _check(_libc.fanotify_mark(self.descriptor, _MARK_ADD, mask ^ FAN_PRE_ACCESS | FAN_ACCESS_PERM, -100, path))

    def unmark(self, path: bytes, mask: int) -> None:
        """Take `mask` away.

        Raises:
            OSError: it was not marked so, or the file is gone.
        """
        mask |= FAN_ACCESS_PERM if mask & FAN_PRE_ACCESS else 0
        _check(_libc.fanotify_mark(self.descriptor, _MARK_REMOVE, mask, -100, path))

    @property
    def reads(self) -> int:
        """The mask for reads: FAN_PRE_ACCESS alone where the kernel knows it (it comes before each FAN_ACCESS_PERM)."""
        return FAN_PRE_ACCESS if self.tier == "pre_access" else FAN_ACCESS_PERM

    def events(self) -> Iterator[KernelEvent]:
        """One read's worth of events; nothing if none wait. The caller closes both descriptors of each."""
        try:
            data = os.read(self.descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(data):
            length, _version, _, header, mask, descriptor, pid = _METADATA.unpack_from(data, offset)
            pidfd = -1
            place = offset + header
            while place < offset + length:
                kind, _, size = _RECORD.unpack_from(data, place)
                if kind == _PIDFD_RECORD:
                    (pidfd,) = _PIDFD.unpack_from(data, place + 4)
                place += size
            offset += length
            yield KernelEvent(mask, descriptor, pid, pidfd)

    def answer(self, descriptor: int, *, allow: bool) -> None:
        """Let the blocked call go on, or fail with EPERM. A process killed meanwhile needs no answer (ENOENT)."""
        try:
            os.write(self.descriptor, RESPONSE.pack(descriptor, FAN_ALLOW if allow else FAN_DENY))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def close(self) -> None:
        """End the group: everything blocked goes on, every mark is gone."""
        os.close(self.descriptor)


def keep_guard_capabilities() -> None:
    """Drop all but the capabilities of the guard, for good, also from the bounding set (capabilities(7)).

    Raises:
        OSError: the kernel refuses.
    """
    kept = 0
    for number in _CAPABILITIES.values():
        kept |= 1 << number
    for number in range(64):
        present = _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0)
        if present < 0:
            break  # past the last capability of this kernel
        # a second guard finds them dropped, and CAP_SETPCAP to drop them with gone too
        if present and not kept >> number & 1:
            _check(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0))
    header = struct.pack("=Ii", _CAP_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    held = _held()
    data = struct.pack("=6I", low & held, low & held, 0, high, high, 0)
    _check(_libc.capset(header, data))
    no_new_privileges()


def _held() -> int:
    """Low word of the permitted set: asking for more than that is EPERM."""
    data = ctypes.create_string_buffer(24)
    _check(_libc.capget(struct.pack("=Ii", _CAP_VERSION_3, 0), data))
    return int(struct.unpack("=6I", data.raw)[1])


def lock_memory() -> bool:
    """Keep what is touched in memory (mlockall(2)): an answer must not wait for the swap. Best effort."""
    return bool(_libc.mlockall(_MCL_ALL_ON_FAULT) == 0)


def run_first(priority: int) -> bool:
    """SCHED_FIFO, so that a busy machine keeps nobody waiting (an open 57 → 32 µs, measured). Best effort."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return False
    return True


def _init(flags: int) -> int:
    descriptor = int(_libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC | 0o100000))
    _check(0 if descriptor >= 0 else -1)
    return descriptor


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
