"""The marked inodes. Found by device and inode, so a rename, a hard link or a bind mount changes nothing.

A mark keeps its inode in memory until the file is unlinked and closed; then the kernel drops the mark and the number
may come again, unmarked (fanotify_mark(2)). A mark whose file was renamed cannot be taken away by path: it stays
until the guard ends, and its events are allowed at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass

from agent.guard.decide import Target
from agent.guard.kernel import FAN_OPEN_PERM, Group
from agent.guard.protocol import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """One marked file. `device` and `inode` are of this boot."""

    target: Target
    path: bytes
    device: int
    inode: int

    def message(self) -> Message:
        """As in a `mark` request and in `guard.state`."""
        return {
            "key": self.target.key,
            "path": os.fsdecode(self.path),
            "persons": self.target.persons,
            "live": self.target.live,
            "decoy": self.target.decoy,
            "device": self.device,
            "inode": self.inode,
        }

    @classmethod
    def from_message(cls, entry: Message) -> Marked:
        """The same, read.

        Raises:
            KeyError, TypeError, ValueError: not what `message` makes.
        """
        return cls(
            target=Target(
                key=str(entry["key"]),
                persons=int(entry["persons"]),
                live=bool(entry["live"]),
                decoy=bool(entry["decoy"]),
            ),
            path=os.fsencode(entry["path"]),
            device=int(entry["device"]),
            inode=int(entry["inode"]),
        )


class Marks:
    """What is marked, by inode and by key."""

    def __init__(self, group: Group) -> None:
        """Nothing yet."""
        self.group = group
        self.by_inode: dict[tuple[int, int], Marked] = {}
        self.by_key: dict[str, Marked] = {}

    def add(self, wanted: Marked, *, denied: bool) -> str:
        """Mark one; '' or the cause why not (`changed`, `special`, or an errno's name).

        The path is opened with O_PATH (no event, no lease broken) and must show the inode that the daemon saw.
        """
        if self.by_key.get(wanted.target.key) == wanted and not denied:
            return ""
        try:
            descriptor = os.open(wanted.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "EIO")
        try:
            facts = os.fstat(descriptor)
            if (facts.st_dev, facts.st_ino) != (wanted.device, wanted.inode):
                return "changed"
            if not stat.S_ISREG(facts.st_mode):
                return "special"
            self.group.mark(b"/proc/self/fd/%d" % descriptor, self._mask(wanted.target, denied=denied))
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "EIO")
        finally:
            os.close(descriptor)
        old = self.by_key.get(wanted.target.key)
        if old is not None and (old.device, old.inode) != (wanted.device, wanted.inode):
            self.remove(old.target.key)
        other = self.by_inode.get((wanted.device, wanted.inode))
        if other is not None and other.target.key != wanted.target.key:
            del self.by_key[other.target.key]
        self.by_inode[wanted.device, wanted.inode] = wanted
        self.by_key[wanted.target.key] = wanted
        return ""

    def remove(self, key: str) -> bool:
        """Forget one; False if it was not known."""
        marked = self.by_key.pop(key, None)
        if marked is None:
            return False
        self.by_inode.pop((marked.device, marked.inode), None)
        self._change(marked, FAN_OPEN_PERM | self.group.reads, add=False)
        return True

    def refuse_reads(self, key: str, *, refuse: bool) -> bool:
        """Have reads of a live database asked about too, only while it is denied; False for an unknown key.

        That reaches its open descriptors on Linux 6.1, not from 6.14 on (see kernel.py): there only new opens fail.
        """
        marked = self.by_key.get(key)
        if marked is None:
            return False
        if marked.target.live:
            self._change(marked, self.group.reads, add=refuse)
        return True

    def _mask(self, target: Target, *, denied: bool) -> int:
        return FAN_OPEN_PERM if target.live and not denied else FAN_OPEN_PERM | self.group.reads

    def _change(self, marked: Marked, mask: int, *, add: bool) -> None:
        with contextlib.suppress(OSError):  # renamed or gone: see the module
            descriptor = os.open(marked.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                facts = os.fstat(descriptor)
                if (facts.st_dev, facts.st_ino) == (marked.device, marked.inode):
                    name = b"/proc/self/fd/%d" % descriptor
                    if add:
                        self.group.mark(name, mask)
                    else:
                        self.group.unmark(name, mask)
            finally:
                os.close(descriptor)
