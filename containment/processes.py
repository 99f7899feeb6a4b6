"""Which processes hold a file, and how one is stopped and let go again.

By procfs (proc_pid_fd(5), proc_pid_maps(5)) and pidfd (pidfd_open(2)): a signal sent through a pidfd cannot reach
another process that got the same number. What this does not see: descriptors in flight over a Unix socket,
descriptors held by `io_uring` or by the kernel (loop devices, NFS server), and processes of an outer PID
namespace. A stopped process keeps its descriptors and mappings: it reads no further, but nothing is taken back.
SIGSTOP cannot be caught; SIGCONT by anyone with the same uid undoes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Action = Literal["stopped", "resumed", "disconnected", "denied_only", "gone", "refused"]
_NEVER: Final = frozenset({0, 1, 2})  # init and kthreadd
_COMMAND_LIMIT: Final = 512


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process that had some of the files open or mapped. `started`: clock ticks since boot (stat, field 22)."""

    pid: int
    started: int
    program: bytes
    command: bytes = field(repr=False)
    uid: int
    session: int
    paths: tuple[bytes, ...] = field(repr=False)
    mapped: bool = False


@dataclass(frozen=True, kw_only=True)
class Spared:
    """Programs that are never stopped: `names` are base names (shared servers), `paths` whole paths (the till's).

    `pids` are processes of our own.
    """

    names: frozenset[str] = frozenset()
    paths: frozenset[bytes] = frozenset()
    pids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, shared: Sequence[str], protected: Sequence[str], pids: Sequence[int] = ()) -> Spared:
        """From settings: an entry with a slash is a path, else a base name. This process is always spared."""
        entries = (*shared, *protected)
        return cls(
            names=frozenset(entry for entry in entries if "/" not in entry),
            paths=frozenset(os.fsencode(entry) for entry in entries if "/" in entry),
            pids=frozenset({os.getpid(), os.getppid(), *pids}),
        )

    def spares(self, pid: int, program: bytes) -> bool:
        """Whether this process must go on."""
        clean = program.removesuffix(b" (deleted)")
        return (
            pid in _NEVER
            or pid in self.pids
            or clean in self.paths
            or os.fsdecode(os.path.basename(clean)) in self.names
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was done to one process: `denied_only` names a spared one, `gone` one that had ended."""

    pid: int
    action: Action
    program: bytes = b""
    reason: str = ""


def holders(paths: Sequence[bytes]) -> list[Holder]:
    """Processes that hold one of `paths` open or mapped, found by device and inode, so renames don't hide them.

    Paths that do not exist are held by nobody. Without root only the caller's own processes are seen.
    """
    wanted: dict[tuple[int, int], bytes] = {}
    for path in paths:
        with contextlib.suppress(OSError):
            facts = os.lstat(path)
            wanted[facts.st_dev, facts.st_ino] = path
    found = []
    if wanted:
        for pid in process_ids():
            if pid != os.getpid():
                with contextlib.suppress(OSError, ValueError):  # it ended, or is not ours to see
                    holder = _holder(pid, wanted)
                    if holder:
                        found.append(holder)
    return found


def stop(holder: Holder, spared: Spared, *, children: bool = True) -> list[Outcome]:
    """SIGSTOP the holder, and with `children` its descendants in the same session, unless they are spared.

    The program is looked up anew: it may have called `execve` since. Order: parent first, so it starts no more.
    """
    outcomes = [_stop_one(holder.pid, holder.started, spared)]
    if children and outcomes[0].action == "stopped":
        for pid, started in _descendants(holder.pid, holder.session):
            outcomes.append(_stop_one(pid, started, spared))
    return outcomes


def resume(pid: int, started: int) -> Outcome:
    """SIGCONT a process that `stop` stopped; `started` guards against a reused number."""
    return _signal(pid, started, signal.SIGCONT, "resumed")


def process_ids() -> Iterator[int]:
    """All process numbers that procfs shows now."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def start_time(pid: int) -> int:
    """Start of a process in clock ticks since boot.

    Raises:
        OSError: it is gone.
    """
    return int(_stat_fields(pid)[19])


def state(pid: int) -> str:
    """One letter (`R`, `S`, `T`, …, proc_pid_stat(5)), or '' for a process that is gone."""
    try:
        return _stat_fields(pid)[0].decode("ascii")
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """The parent's number.

    Raises:
        OSError: the process is gone.
    """
    return int(_stat_fields(pid)[1])


def program_of(pid: int) -> bytes:
    """Path of the executable; a kernel thread has none.

    Raises:
        OSError: gone, a kernel thread, or not ours to see.
    """
    return os.readlink(b"/proc/%d/exe" % pid)


def command_of(pid: int) -> bytes:
    """Command line, NULs as blanks, cut at 512 bytes. It may carry a customer's value: mask before showing."""
    with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
        return (file.read(_COMMAND_LIMIT) or b"").rstrip(b"\0").replace(b"\0", b" ")


def _stat_fields(pid: int) -> list[bytes]:
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        text = file.read(2048) or b""
    return text[text.rindex(b")") + 2 :].split()  # the name in brackets may itself hold brackets and blanks


def _holder(pid: int, wanted: dict[tuple[int, int], bytes]) -> Holder | None:
    held: set[bytes] = set()
    mapped = False
    folder = b"/proc/%d/fd" % pid
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            facts = os.stat(folder + b"/" + name)
            path = wanted.get((facts.st_dev, facts.st_ino))
            if path is not None:
                held.add(path)
    for identity in _mappings(pid):
        path = wanted.get(identity)
        if path is not None:
            held.add(path)
            mapped = True
    if not held:
        return None
    fields = _stat_fields(pid)
    return Holder(
        pid=pid,
        started=int(fields[19]),
        program=program_of(pid),
        command=command_of(pid),
        uid=os.stat(f"/proc/{pid}").st_uid,
        session=int(fields[3]),
        paths=tuple(sorted(held)),
        mapped=mapped,
    )


def _mappings(pid: int) -> Iterator[tuple[int, int]]:
    """Device and inode of every mapped file. btrfs shows another device here than in stat: nobody is found there."""
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file:
            parts = line.split(None, 5)
            if parts[4] != b"0":
                major, minor = parts[3].split(b":")
                yield os.makedev(int(major, 16), int(minor, 16)), int(parts[4])


def _descendants(pid: int, session: int) -> list[tuple[int, int]]:
    children: dict[int, list[tuple[int, int]]] = {}
    for other in process_ids():
        with contextlib.suppress(OSError):
            fields = _stat_fields(other)
            if int(fields[3]) == session:
                children.setdefault(int(fields[1]), []).append((other, int(fields[19])))
    found: list[tuple[int, int]] = []
    queue = [pid]
    while queue:
        for child in children.get(queue.pop(), ()):
            found.append(child)
            queue.append(child[0])
    return found


def _stop_one(pid: int, started: int, spared: Spared) -> Outcome:
    try:
        program = program_of(pid)
    except OSError:
        return Outcome(pid=pid, action="gone")
    if spared.spares(pid, program):
        return Outcome(pid=pid, action="denied_only", program=program, reason="spared")
    outcome = _signal(pid, started, signal.SIGSTOP, "stopped")
    return Outcome(pid=pid, action=outcome.action, program=program, reason=outcome.reason)


def _signal(pid: int, started: int, number: signal.Signals, action: Action) -> Outcome:
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return Outcome(pid=pid, action="gone")
    try:
        if start_time(pid) != started:  # checked with the pidfd open: the number cannot change hands any more
            return Outcome(pid=pid, action="gone", reason="another process has this number now")
        signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, FileNotFoundError):
        return Outcome(pid=pid, action="gone")
    except PermissionError:
        return Outcome(pid=pid, action="refused", reason="not permitted")
    finally:
        os.close(descriptor)
    return Outcome(pid=pid, action=action)
