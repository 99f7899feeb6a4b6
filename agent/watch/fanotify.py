"""The daemon's side of the guard: marks go out, events come in.

The guard (`agent.guard`) alone has the fanotify descriptor. If it dies, its watcher starts another, which takes up
marks and denials from `guard.state`; what happened in between is told as a gap. While no guard answers, marks and
denials are refused with `NoGuardError` rather than believed.
"""

from __future__ import annotations

import contextlib
import math
import os
import pwd
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from agent.guard.protocol import PACKET, VERSION, Message, ProtocolError, batches, decode, encode
from agent.watch.api import AccessEvent, Crossing, Gap, Happening, MarkResult, Taught, Tier, Watched
from agent.watch.policy import OwnMessages, policy_message
from config.errors import ClocheError
from config.schema import WatchSettings
from containment.samba import SambaClient

_ANSWER_SECONDS: Final = 10.0
_RECONNECT_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 2.0
_ASK_AGAIN_SECONDS: Final = 1.0
_MOST_CLIENTS: Final = 1000
ClientLookup = Callable[[int], SambaClient | None]


class NoGuardError(ClocheError):
    """The guard does not answer: nothing is marked, denied or allowed by this call."""


class GuardWatch:
    """A connected guard. Made by `connect`; reconnects by itself in `pump`."""

    def __init__(self, path: Path, settings: WatchSettings, client_of: ClientLookup) -> None:
        """Connect and set the policy.

        Raises:
            NoGuardError: no guard answers there, or one of another version.
        """
        self._path = path
        self._settings = settings
        self._client_of = client_of
        self._clients: dict[str, SambaClient | None] = {}
        self._asked: dict[str, float] = {}  # when smbstatus, which takes its time, was last asked about a session
        self._connection: socket.socket | None = None
        self._waiting: deque[Happening] = deque()
        self._number = 0
        self._tier: Tier = "none"
        self._exempt: set[int] = set()
        self._tried = 0.0
        self._policy: Message = {}
        self._looked = 0.0
        self._own = OwnMessages()
        self._has_marked = False
        self._owed: dict[str, str] = {}  # key → `deny` or `allow` that no guard has heard
        self._connect()

    @property
    def tier(self) -> Tier:
        """`pre_access` or `permission`; `none` while no guard answers."""
        return self._tier if self._connection is not None else "none"

    def mark(self, items: Iterable[Watched]) -> MarkResult:
        """Watch these; the guard checks that each path still is the inode seen here.

        Raises:
            NoGuardError: the guard went away.
        """
        failed: list[tuple[str, str]] = []
        marked = 0

        def messages() -> Iterable[Message]:
            for item in items:
                try:
                    facts = os.lstat(item.path)
                except OSError as error:
                    failed.append((item.key, type(error).__name__))
                    continue
                yield {
                    "key": item.key,
                    "path": os.fsdecode(item.path),
                    "persons": item.persons,
                    "live": item.live,
                    "decoy": item.decoy,
                    "device": facts.st_dev,
                    "inode": facts.st_ino,
                }

        for batch in batches(messages()):
            missed = self._ask("mark", items=batch)["failed"]
            failed.extend((key, cause) for key, cause in missed)
            marked += len(batch) - len(missed)
        self._has_marked = self._has_marked or marked > 0
        return MarkResult(marked=marked, failed=tuple(failed))

    def unmark(self, keys: Sequence[str]) -> None:
        """Forget these.

        Raises:
            NoGuardError: the guard went away.
        """
        self._keys("unmark", keys)

    def deny(self, keys: Sequence[str]) -> frozenset[str]:
        """Refuse these to all but exempt processes; returns those that are marked and so really denied.

        Raises:
            NoGuardError: the guard went away: nothing more is denied before the next one answers, which is told.
        """
        return self._owe("deny", keys)

    def allow(self, keys: Sequence[str]) -> None:
        """Undo `deny`; while no guard answers the next one is told."""
        with contextlib.suppress(NoGuardError):
            self._owe("allow", keys)

    def exempt(self, pid: int) -> bool:
        """Never count or refuse this process; while no guard answers the next one is told, and the answer is False."""
        self._exempt.add(pid)
        try:
            done = bool(self._ask("exempt", pid=pid)["done"])
        except NoGuardError:
            return False
        if not done:
            self._exempt.discard(pid)
        return done

    def teach(self, taught: Taught) -> None:
        """See `Watch`.

        Raises:
            NoGuardError: the guard went away; the next one is told when it answers.
        """
        self._own.teach(taught)
        if (message := self._own.news()) is not None:
            self._ask("own", **message)

    def pardon(self, session: str) -> None:
        """Let a session have files again.

        Raises:
            NoGuardError: the guard went away.
        """
        self._ask("pardon", session=session)

    def stats(self) -> dict[str, Any]:
        """The guard's own figures: events, denied, faults, slowest answer in µs, marks, queue, blocked sessions.

        Raises:
            NoGuardError: the guard went away.
        """
        return dict(self._ask("stats")["stats"])

    def pump(self, timeout: float) -> list[Happening]:
        """What happened, waiting up to `timeout` seconds for the first; a lost guard is a gap, once."""
        end = time.monotonic() + timeout
        self._renew_policy()
        while not self._waiting:
            left = end - time.monotonic()
            if self._connection is None and not self._reconnect():
                if left <= 0:
                    break
                time.sleep(min(left, _RECONNECT_SECONDS / 4))
                continue
            connection = self._connection
            if connection is None or not _readable(connection, max(0.0, left)):
                break
            self._receive(connection)
        connection = self._connection
        while connection is not None and connection is self._connection and _readable(connection, 0):
            self._receive(connection)
        happened = list(self._waiting)
        self._waiting.clear()
        return happened

    def fileno(self) -> int:
        """The socket's descriptor; -1 while no guard answers."""
        return self._connection.fileno() if self._connection is not None else -1

    def close(self) -> None:
        """Hang up. Marks, denials and bounds stay in force."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    # --- the line ------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(os.fsencode(self._path))
            self._connection = connection
            reply = self._ask("hello", version=VERSION)
            self._tier = cast("Tier", reply["tier"])
            if self._has_marked and not reply["marks"]:  # guard.state was lost with the guard
                self._waiting.append(Gap(at=time.time(), cause="guard_restart"))
            self._policy = policy_message(self._settings)
            self._ask("policy", policy=self._policy)
            for kind in ("deny", "allow"):
                self._owe(kind, [key for key, owed in self._owed.items() if owed == kind])
            if self._own.taught:
                self._ask("own", **self._own.message())
            self._looked = time.monotonic()
            for pid in sorted(self._exempt):
                if not self._ask("exempt", pid=pid)["done"]:
                    self._exempt.discard(pid)
        except (OSError, ProtocolError) as error:
            self._connection = None
            connection.close()
            raise NoGuardError(f"{self._path}: no guard answers") from error
        except NoGuardError:
            connection.close()
            raise

    def _renew_policy(self) -> None:
        """An upgraded till or smbd is another inode: tell the guard before it takes it for a stranger."""
        if self._connection is None or time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        policy = policy_message(self._settings)
        with contextlib.suppress(NoGuardError):  # the gap is told, and the next connection sends both
            if policy != self._policy:
                self._ask("policy", policy=policy)
                self._policy = policy
            if (message := self._own.news()) is not None:
                self._ask("own", **message)

    def _reconnect(self) -> bool:
        now = time.monotonic()
        if now - self._tried < _RECONNECT_SECONDS / 2:
            return False
        self._tried = now
        try:
            self._connect()
        except NoGuardError:
            return False
        return True

    def _owe(self, kind: str, keys: Sequence[str]) -> frozenset[str]:
        """Deny or allow; what was not heard stays owed to the next guard."""
        self._owed.update(dict.fromkeys(keys, kind))
        done = self._keys(kind, keys)
        for key in keys:
            del self._owed[key]
        return done

    def _keys(self, kind: str, keys: Sequence[str]) -> frozenset[str]:
        done: set[str] = set()
        for start in range(0, len(keys), 500):
            done.update(self._ask(kind, keys=list(keys[start : start + 500]))["keys"])
        return frozenset(done)

    def _ask(self, kind: str, **details: Any) -> Message:
        connection = self._connection
        if connection is None:
            raise NoGuardError(f"{self._path}: no guard answers ({kind} not done)")
        self._number += 1
        number = self._number
        try:
            connection.send(encode({"type": kind, "id": number, **details}))
            while True:
                message = self._packet(connection)
                if message["type"] == "reply" and message.get("id") == number:
                    break
                self._take(message)
        except (OSError, ProtocolError) as error:
            self._lost()
            raise NoGuardError(f"{self._path}: the guard went away ({kind} not done)") from error
        if message.get("error"):
            raise NoGuardError(f"{self._path}: the guard refuses: {message['error']}")
        return message

    def _packet(self, connection: socket.socket) -> Message:
        data = connection.recv(PACKET)
        if not data:
            raise ProtocolError("hung up")
        return decode(data)

    def _receive(self, connection: socket.socket) -> None:
        try:
            self._take(self._packet(connection))
        except (OSError, ProtocolError):
            self._lost()

    def _lost(self) -> None:
        self.close()
        self._waiting.append(Gap(at=time.time(), cause="guard_lost"))

    def _take(self, message: Message) -> None:
        if message["type"] == "events":
            for entry in message["events"]:
                self._waiting.append(self._happening(entry))

    # --- reading what the guard says -----------------------------------------------------------------------------

    def _happening(self, entry: Message) -> Happening:
        if entry["event"] == "gap":
            return Gap(at=entry["at"], cause=entry["cause"], lost=entry["lost"])
        if entry["event"] == "access":
            return self._access(entry)
        return Crossing(
            event=self._access(entry["access"]),
            rule=entry["rule"],
            subject=entry["subject"],
            keys=tuple(entry["keys"]),
            persons=entry["persons"],
            response=entry["response"],
            outcome=entry["outcome"],
            stopped_ms=entry["stopped_ms"],
        )

    def _access(self, entry: Message) -> AccessEvent:
        client = self._samba(entry["session"], entry["pid"])
        peer, peer_uid = entry["peer"]
        return AccessEvent(
            at=entry["at"],
            monotonic_ns=entry["monotonic_ns"],
            key=entry["key"],
            path=os.fsencode(entry["path"]),
            operation=entry["operation"],
            pid=entry["pid"],
            started=entry["started"],
            program=os.fsencode(entry["program"]),
            command=os.fsencode(entry["command"]),
            uid=entry["uid"],
            user=user_name(entry["uid"]),
            session=entry["session"],
            cgroup=entry["cgroup"],
            decision=entry["decision"],
            latency_us=entry["latency_us"],
            client_address=client.address if client else peer,
            client_user=client.user if client else user_name(peer_uid) if peer_uid >= 0 else "",
        )

    def _samba(self, session: str, pid: int) -> SambaClient | None:
        if not session.startswith("smbd:"):
            return None
        known = self._clients.get(session)
        now = time.monotonic()
        if known is None and now - self._asked.get(session, -math.inf) >= _ASK_AGAIN_SECONDS:
            if len(self._asked) > _MOST_CLIENTS:
                self._clients.clear()
                self._asked.clear()
            self._asked[session] = now
            try:
                self._clients[session] = self._client_of(pid)
            except ClocheError:
                self._clients[session] = None
        return self._clients.get(session)


def user_name(uid: int) -> str:
    """The account's name, or `uid 1234`; '' for nobody known."""
    if uid < 0:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _readable(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
