"""Who asks: procfs is read at a process's first event, later events are answered from memory.

A number may come to another process, so an entry is found by the pidfd's inode, which is unique for a boot since
Linux 6.9 (pidfs); before that by number and start time, read each time. A program may be replaced by `execve`: an
entry whose program has a role is looked up again at each open. uid and session stay those of the first event, so
that `setsid` or `setuid` between two opens starts no new count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections import OrderedDict
from typing import Final

from agent.guard.decide import Policy, Subject
from agent.watch.session import read_command, read_peer, read_program, read_subject, unknown_subject

_LIMIT: Final = 4096


class Known:
    """A process met before. `seen`: when (monotonic ns) each key was last put on record for it.

    `peer`: for a child of smbd, its client's address and uid; a client is often gone before smbstatus could be asked.
    """

    __slots__ = ("cgroup", "command", "peer", "seen", "subject")

    def __init__(self, subject: Subject, cgroup: str, command: bytes, peer: tuple[str, int] = ("", -1)) -> None:
        """As its first event showed it."""
        self.subject = subject
        self.cgroup = cgroup
        self.command = command
        self.peer = peer
        self.seen: dict[tuple[str, str], int] = {}


class Subjects:
    """The memory of processes, the least recently met forgotten first, and the list of the exempt."""

    def __init__(self) -> None:
        """Nobody known, nobody exempt."""
        self._known: OrderedDict[tuple[int, int], Known] = OrderedDict()
        self._exempt: dict[int, tuple[int, tuple[int, int]]] = {}  # pid → its pidfd and token
        self.has_pidfs = _has_pidfs()

    def find(self, pid: int, pidfd: int, policy: Policy, *, opening: bool, live: bool = False) -> Known:
        """The process behind an event; who opens a live database is looked at each time."""
        token = self.token(pid, pidfd)
        known = self._known.get(token)
        if known is None:
            known = self._first(pid, policy)
            self._known[token] = known
            if len(self._known) > _LIMIT:
                self._known.popitem(last=False)
            return known
        self._known.move_to_end(token)
        if opening and (live or policy.role(known.subject) is not None):
            self._look_again(known)
        return known

    def token(self, pid: int, pidfd: int) -> tuple[int, int]:
        """What tells this process from all others of this boot."""
        if self.has_pidfs and pidfd >= 0:
            return -1, os.fstat(pidfd).st_ino
        try:
            return pid, _started(pid)
        except OSError:
            return pid, 0

    def is_exempt(self, pid: int, pidfd: int) -> bool:
        """Whether this very process (not only its number) was exempted."""
        entry = self._exempt.get(pid)
        return entry is not None and entry[1] == self.token(pid, pidfd)

    def exempt(self, pid: int, started: int | None = None) -> int | None:
        """Exempt a process while it lives; returns its start time, None if it is gone or began at another time."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        try:
            found = _started(pid)
        except OSError:
            os.close(pidfd)
            return None
        if started is not None and found != started:
            os.close(pidfd)
            return None
        old = self._exempt.pop(pid, None)
        if old is not None:
            os.close(old[0])
        self._exempt[pid] = (pidfd, self.token(pid, pidfd))
        return found

    def of_session(self, session: str) -> list[Known]:
        """All known processes of a session."""
        return [known for known in self._known.values() if known.subject.session == session]

    def stop(self, subject: Subject) -> bool:
        """SIGSTOP this process, unless its number has gone to another."""
        try:
            pidfd = os.pidfd_open(subject.pid)
        except OSError:
            return False
        try:
            if _started(subject.pid) != subject.started:
                return False
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        except OSError:
            return False
        finally:
            os.close(pidfd)
        return True

    def drop_ended(self) -> None:
        """Let go of exempt processes that are gone."""
        for pid, (pidfd, _token) in list(self._exempt.items()):
            try:
                signal.pidfd_send_signal(pidfd, 0)
            except ProcessLookupError:
                os.close(pidfd)
                del self._exempt[pid]

    @property
    def exempted(self) -> frozenset[int]:
        """Numbers of the exempt processes."""
        return frozenset(self._exempt)

    def _first(self, pid: int, policy: Policy) -> Known:
        try:
            subject, cgroup = read_subject(pid)
        except (OSError, ValueError):
            return Known(unknown_subject(pid), "", b"")
        if policy.role(subject) != "samba":
            return Known(subject, cgroup, read_command(pid))
        return Known(_as_client(subject), cgroup, read_command(pid), read_peer(pid))

    def _look_again(self, known: Known) -> None:
        with contextlib.suppress(OSError):
            program, program_id, root_owned = read_program(known.subject.pid)
            if program_id != known.subject.program_id:
                known.subject = dataclasses.replace(
                    known.subject, program=program, program_id=program_id, root_owned=root_owned
                )
                known.command = read_command(known.subject.pid)


def _as_client(subject: Subject) -> Subject:
    """smbd serves each client by a child of its own: that child is the session."""
    return dataclasses.replace(subject, session=f"smbd:{subject.pid}:{subject.started}")


def _started(pid: int) -> int:
    descriptor = os.open(b"/proc/%d/stat" % pid, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(descriptor, 2048)
    finally:
        os.close(descriptor)
    return int(text[text.rindex(b")") + 2 :].split()[19])


def _has_pidfs() -> bool:
    """Whether two processes' pidfds have different inodes here."""
    inodes = set()
    for pid in (os.getpid(), os.getppid() or 1):
        descriptor = os.pidfd_open(pid)
        inodes.add(os.fstat(descriptor).st_ino)
        os.close(descriptor)
    return len(inodes) == 2
