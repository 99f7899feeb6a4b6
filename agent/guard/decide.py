"""May this process have this file now? Pure arithmetic on facts handed in: no clock, no file, no kernel.

Promise: within the window a session (and a uid) gets at most `max_files` distinct files and files of at most
`max_persons` estimated persons in sum, where the policy says `stop` or `declare`: the open that would cross is
refused before a byte flows. Limits of it: `alert` refuses nothing; estimates are the inventory's; a uid's bound is
not counted for Samba's children (all clients may share one account there, each is a session of its own).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Role = Literal["protected", "exempt", "shared", "samba"]
Response = Literal["alert", "stop", "declare"]
Reason = Literal["", "exempt", "protected", "own", "learning", "denied", "blocked", "bound", "decoy"]
FIRST_PERSON_UID: Final = 1000  # login.defs(5): accounts of people start here

BLOCK_NS: Final = 24 * 3600 * 1_000_000_000
MOST_SPARED: Final = 1000
MOST_BLOCKED: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A process as its first event showed it. `program_id` is device and inode of the executable.

    `root_owned`: the executable belongs to root and only root may write it, so its name means something.
    """

    pid: int
    started: int
    program: bytes
    program_id: tuple[int, int]
    root_owned: bool
    uid: int
    session: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A marked file."""

    key: str
    persons: int = 0
    live: bool = False
    decoy: bool = False


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The bounds, and which programs have a role: by device and inode (a bind mount can fake a path)."""

    max_files: int = 5
    max_persons: int = 500
    window_ns: int = 600_000_000_000
    response: Response = "alert"
    decoy_response: Response = "alert"
    programs: Mapping[tuple[int, int], Role] = field(default_factory=dict)
    shared_names: frozenset[bytes] = frozenset()

    def role(self, subject: Subject) -> Role | None:
        """The role of a subject's program. `exempt` never for people's accounts: anyone can run a backup tool."""
        if not subject.root_owned:
            return None
        role = self.programs.get(subject.program_id)
        if role == "exempt" and subject.uid >= FIRST_PERSON_UID:
            return None
        if role is None and subject.program.rpartition(b"/")[2] in self.shared_names:
            return "shared"
        return role


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """Which rule broke, for whom, after what."""

    rule: Literal["bound", "decoy"]
    subject: Literal["session", "user"]
    keys: tuple[str, ...]
    persons: int
    response: Response


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The answer. `stop`: SIGSTOP the process at once. `broken` only when a crossing is to be told."""

    allow: bool
    reason: Reason = ""
    stop: bool = False
    broken: Broken | None = None


ALLOW: Final = Verdict(allow=True)
_EXEMPT: Final = Verdict(allow=True, reason="exempt")
_PROTECTED: Final = Verdict(allow=True, reason="protected")
_OWN: Final = Verdict(allow=True, reason="own")
_DENIED: Final = Verdict(allow=False, reason="denied")
Owner = tuple[int, int, int]  # device and inode of the program, uid


@dataclass(frozen=True, kw_only=True)
class Own:
    """Live databases: whose each is (by key), which are still being learned, and what carries files and sells nothing.

    A live database is not refused to its own programs for a bound, and a program that has a live database of its own
    is never stopped: a till must not freeze at noon. While a database is being learned that holds for every program
    but the carriers.
    """

    programs: Mapping[str, frozenset[Owner]] = field(default_factory=dict)
    learning: frozenset[str] = frozenset()
    carriers: frozenset[bytes] = frozenset()

    def carries(self, subject: Subject) -> bool:
        """Whether this is one of the system's programs that carry files about."""
        return subject.root_owned and subject.program.rpartition(b"/")[2] in self.carriers


class Window:
    """Distinct files of one session or uid, by time of the last open; sums are kept, not recomputed."""

    __slots__ = ("files", "persons", "told")

    def __init__(self) -> None:
        """Empty."""
        self.files: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self.persons = 0
        self.told = False

    def forget(self, before: int) -> None:
        """Drop what was last opened before `before`."""
        while self.files:
            key, (at, persons) = next(iter(self.files.items()))
            if at >= before:
                return
            del self.files[key]
            self.persons -= persons
            self.told = False  # something left: a next crossing is news again

    def crosses(self, target: Target, policy: Policy) -> bool:
        """Whether `target` on top of these would break a bound. A file counted already breaks none."""
        if target.key in self.files:
            return False
        return len(self.files) >= policy.max_files or self.persons + max(target.persons, 0) > policy.max_persons

    def count(self, target: Target, now: int) -> None:
        """The file was had."""
        known = self.files.pop(target.key, None)
        if known is not None:
            self.persons -= known[1]
        persons = max(target.persons, 0)
        self.files[target.key] = (now, persons)
        self.persons += persons


class Decider:
    """Holds counts, denials and blocked sessions; `decide` is called once an event."""

    def __init__(self, policy: Policy) -> None:
        """Nothing counted yet."""
        self.policy = policy
        self.denied: set[str] = set()
        self.spared: OrderedDict[Owner, None] = OrderedDict()  # met on a live database that is theirs or may be
        self.own = Own()
        self.blocked: dict[str, tuple[int, int]] = {}  # session → since when (monotonic ns), whose uid
        self.sessions: dict[str, Window] = {}
        self.users: dict[int, Window] = {}

    def decide(self, subject: Subject, target: Target, now: int, *, exempt: bool) -> Verdict:
        """The verdict on one open or read at `now` (monotonic ns), counted if allowed."""
        if exempt:
            return _EXEMPT
        if target.key in self.denied:
            return _DENIED
        if self.policy.role(subject) in ("protected", "exempt"):
            return _PROTECTED
        if target.live and not target.decoy and (verdict := self._live(subject, target, now)) is not None:
            self._spare((*subject.program_id, subject.uid))
            return verdict
        if subject.session in self.blocked:
            return Verdict(allow=False, reason="blocked", stop=self.is_stoppable(subject))
        if target.decoy:
            return self._decoy(subject, target, now, stoppable=self.is_stoppable(subject))
        return self._bound(subject, target, now)

    def _bound(self, subject: Subject, target: Target, now: int) -> Verdict:
        """Counted for the session and the uid if allowed."""
        before = now - self.policy.window_ns
        windows: list[tuple[Literal["session", "user"], Window]] = [
            ("session", self.sessions.setdefault(subject.session, Window()))
        ]
        if self.policy.role(subject) != "samba":
            windows.append(("user", self.users.setdefault(subject.uid, Window())))
        broken = None
        refused = False
        for name, window in windows:
            window.forget(before)
            if window.crosses(target, self.policy):
                refused = self.policy.response != "alert"
                if broken is None and (refused or not window.told):
                    broken = Broken(
                        rule="bound",
                        subject=name,
                        keys=tuple(window.files),
                        persons=window.persons,
                        response=self.policy.response,
                    )
                window.told = True
        if refused:
            self._block(subject, now)
            return Verdict(allow=False, reason="bound", stop=self.is_stoppable(subject), broken=broken)
        for _name, window in windows:
            window.count(target, now)
        return ALLOW if broken is None else Verdict(allow=True, reason="bound", broken=broken)

    def is_stoppable(self, subject: Subject) -> bool:
        """Whether this process may be frozen: no shared server, no program with a live database of its own.

        Nor a till's program of the settings that others than root may write: it is bounded, for it may not be what it
        was, but a till does not freeze.
        """
        return (
            self.policy.role(subject) is None
            and self.policy.programs.get(subject.program_id) != "protected"
            and (*subject.program_id, subject.uid) not in self.spared
        )

    def pardon(self, session: str) -> None:
        """Forget a session's refusals and count; its uid's count too, or the next file would cross again."""
        _since, uid = self.blocked.pop(session, (0, -1))
        self.sessions.pop(session, None)
        self.users.pop(uid, None)

    def tidy(self, now: int) -> None:
        """Drop empty windows and day-old blocks, so that ended sessions cost nothing and numbers may come again."""
        before = now - self.policy.window_ns
        for window in (*self.sessions.values(), *self.users.values()):
            window.forget(before)
        self.sessions = {name: window for name, window in self.sessions.items() if window.files}
        self.users = {uid: window for uid, window in self.users.items() if window.files}
        self.blocked = {name: entry for name, entry in self.blocked.items() if entry[0] > now - BLOCK_NS}

    def _block(self, subject: Subject, now: int) -> None:
        """Refuse this session for a day; of too many the oldest is forgotten (its uid's count still refuses)."""
        self.blocked[subject.session] = (now, subject.uid)
        if len(self.blocked) > MOST_BLOCKED:
            del self.blocked[next(iter(self.blocked))]

    def _spare(self, who: Owner) -> None:
        self.spared[who] = None
        self.spared.move_to_end(who)
        if len(self.spared) > MOST_SPARED:
            self.spared.popitem(last=False)

    def _live(self, subject: Subject, target: Target, now: int) -> Verdict | None:
        """A live database to its own programs, or to one that may be such; None where the bounds judge.

        Allowed and not counted; what would have crossed while it is being learned is told, once a window.
        """
        if (*subject.program_id, subject.uid) in self.own.programs.get(target.key, frozenset()):
            return _OWN
        if target.key not in self.own.learning or self.own.carries(subject):
            return None
        window = self.sessions.setdefault(subject.session, Window())
        window.forget(now - self.policy.window_ns)
        if window.told or not window.crosses(target, self.policy):
            return Verdict(allow=True, reason="learning")
        window.told = True
        broken = Broken(
            rule="bound",
            subject="session",
            keys=tuple(window.files),
            persons=window.persons,
            response="alert",
        )
        return Verdict(allow=True, reason="learning", broken=broken)

    def _decoy(self, subject: Subject, target: Target, now: int, *, stoppable: bool) -> Verdict:
        window = self.sessions.setdefault(subject.session, Window())
        window.forget(now - self.policy.window_ns)
        response = self.policy.decoy_response
        broken = Broken(
            rule="decoy",
            subject="session",
            keys=tuple(window.files),
            persons=window.persons,
            response=response,
        )
        if response == "alert":
            first = target.key not in window.files
            window.count(Target(key=target.key), now)
            return Verdict(allow=True, reason="decoy", broken=broken if first else None)
        self._block(subject, now)
        return Verdict(allow=False, reason="decoy", stop=stoppable, broken=broken)
