"""What a watch is: who touched which inventoried file, and what a denial does.

Three implementations speak this protocol: the guard (fanotify permission events: who, and blocking), watchdog
(inotify: neither who nor blocking) and none at all. What none of them sees: files on NFS changed by another
machine, `io_uring` reads of a descriptor opened before the mark, and a mapping that existed before the mark
(fanotify(7), BUGS; `tests/agent/test_guard.py` shows which).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

Tier = Literal["pre_access", "permission", "inotify", "none"]
Access = Literal["open", "read", "modify", "delete", "move"]
Decision = Literal["allow", "deny", "unknown"]
Rule = Literal["bound", "decoy"]
Outcome = Literal["alerted", "stopped", "denied"]
GapCause = Literal["kernel_queue", "guard_queue", "guard_lost", "guard_restart"]

BLOCKING: Final[frozenset[Tier]] = frozenset({"pre_access", "permission"})


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A file to watch. `live` databases have their opens watched, never their reads; a `decoy` is nobody's to open.

    `persons` is the inventory's estimate; `key` is `FileIdentity.key`, or any name that the caller can find again.
    """

    key: str
    path: bytes
    persons: int
    live: bool = False
    decoy: bool = False


@dataclass(frozen=True, kw_only=True)
class AccessEvent:
    """One process met one watched file. Raw path and command line: for root-only stores; mask them elsewhere.

    `at` is Unix time in seconds; `monotonic_ns` is CLOCK_MONOTONIC; `started` is the process's start time in clock
    ticks since boot (proc_pid_stat(5), field 22); `latency_us` is from reading the event to having answered it.
    Under `inotify` nobody is named: pid 0, uid -1, decision `unknown`.
    """

    at: float
    monotonic_ns: int
    key: str
    path: bytes = field(repr=False)
    operation: Access
    pid: int = 0
    started: int = 0
    program: bytes = b""
    command: bytes = field(default=b"", repr=False)
    uid: int = -1
    user: str = ""
    session: str = ""
    cgroup: str = ""
    decision: Decision = "unknown"
    latency_us: float = 0.0
    client_address: str = ""
    client_user: str = ""


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """A rule was broken, and what the guard did about it at once.

    `keys` are the distinct files that the session (or the uid) got within the window, without the one that was
    refused; `persons` is the sum of their estimates. `stopped_ms` is from reading the crossing event to the process
    seen stopped (state T), None where it was not stopped. `subject` says whether the session's or the uid's count
    crossed.
    """

    event: AccessEvent
    rule: Rule
    subject: Literal["session", "user"]
    keys: tuple[str, ...]
    persons: int
    response: Literal["alert", "stop", "declare"]
    outcome: Outcome
    stopped_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Something may have happened unseen; a rescan follows. `lost` is how many events, None if nobody knows."""

    at: float
    cause: GapCause
    lost: int | None = None


@dataclass(frozen=True, kw_only=True)
class MarkResult:
    """How many files are watched now, and which are not, with the cause (an errno name, `changed` or `full`)."""

    marked: int
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class OwnProgram:
    """A program (path) under an account that the live database `key` belongs to (`agent.watch.own`)."""

    key: str
    program: bytes
    uid: int


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What was learned of live databases: their own programs, and the databases that are still being learned."""

    own: tuple[OwnProgram, ...] = ()
    learning: frozenset[str] = frozenset()


Happening = AccessEvent | Crossing | Gap


class Watch(Protocol):
    """See the module. Not thread-safe: the daemon's loop owns it."""

    @property
    def tier(self) -> Tier:
        """What is really reached here."""
        ...

    def mark(self, items: Iterable[Watched]) -> MarkResult:
        """Watch these files too (again: with the new facts)."""
        ...

    def unmark(self, keys: Sequence[str]) -> None:
        """Forget these; unknown keys are nothing."""
        ...

    def deny(self, keys: Sequence[str]) -> frozenset[str]:
        """Refuse every open and read of these to all but exempt processes; returns the keys really denied.

        The answer is empty below the tiers in `BLOCKING`.
        """
        ...

    def allow(self, keys: Sequence[str]) -> None:
        """Undo `deny`."""
        ...

    def exempt(self, pid: int) -> bool:
        """Never count or refuse this process as long as it lives; False if it is gone or nothing blocks here."""
        ...

    def teach(self, taught: Taught) -> None:
        """Never refuse a live database to its own programs for a bound, nor stop them. Replaces what was taught."""
        ...

    def pardon(self, session: str) -> None:
        """Undo the refusals that a crossing brought upon `session` (a false alarm); its count starts anew."""
        ...

    def pump(self, timeout: float) -> list[AccessEvent | Crossing | Gap]:
        """What happened, waiting up to `timeout` seconds for the first; in order."""
        ...

    def fileno(self) -> int:
        """A descriptor that is readable when `pump` has something, or -1."""
        ...

    def close(self) -> None:
        """Let go. Marks and denials of a guard stay in force."""
        ...


class NoWatch:
    """Nothing is watched: the tier for a machine without fanotify and inotify, and for one-shot commands."""

    @property
    def tier(self) -> Tier:
        """Always `none`."""
        return "none"

    def mark(self, items: Iterable[Watched]) -> MarkResult:
        """Every item fails, by name: nothing is hidden."""
        return MarkResult(marked=0, failed=tuple((item.key, "not_watched") for item in items))

    def unmark(self, keys: Sequence[str]) -> None:
        """Nothing to forget."""

    def deny(self, keys: Sequence[str]) -> frozenset[str]:  # noqa: ARG002  the protocol's parameter
        """Nothing is refused."""
        return frozenset()

    def allow(self, keys: Sequence[str]) -> None:
        """Nothing was refused."""

    def exempt(self, pid: int) -> bool:  # noqa: ARG002  the protocol's parameter
        """Nobody is refused."""
        return False

    def teach(self, taught: Taught) -> None:
        """Nobody is refused."""

    def pardon(self, session: str) -> None:
        """Nobody was refused."""

    def pump(self, timeout: float) -> list[Happening]:  # noqa: ARG002  the protocol's parameter
        """Nothing, at once: a caller with other descriptors polls those."""
        return []

    def fileno(self) -> int:
        """None."""
        return -1

    def close(self) -> None:
        """Nothing to let go."""
