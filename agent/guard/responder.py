"""The process that answers: one thread, kernel first, everything else in small bites between.

While it answers it opens no file but a new process's procfs entries, logs nothing and waits for nobody; what is to
be told is told after. Whatever goes wrong, the answer is `allow` and the fault is counted: a till never hangs. If
this process itself stands still, the watcher (`agent.guard.main`) kills it and the kernel lets everything through.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections import OrderedDict, deque
from typing import Any, Final, NoReturn

from agent.guard.decide import Decider, Own, Owner, Policy, Subject, Verdict
from agent.guard.kernel import (
    FAN_OPEN_PERM,
    FAN_Q_OVERFLOW,
    Group,
    KernelEvent,
    keep_guard_capabilities,
    lock_memory,
    run_first,
)
from agent.guard.marks import Marked, Marks
from agent.guard.protocol import VERSION, Message, ProtocolError
from agent.guard.state import StateLog
from agent.guard.station import Station, listener_from
from agent.guard.stops import Stops
from agent.guard.subjects import Known, Subjects
from config.privileges import die_with_parent, forbid_dumps, leave_network

NO_FANOTIFY: Final = 3  # exit code: trying again is no use
_BITE: Final = 25  # marks set between two looks at the kernel's queue: under 1 ms
_TIDY_NS: Final = 60_000_000_000
_AGAIN_NS: Final = 1_000_000_000
_AGAIN_TRUSTED_NS: Final = 60_000_000_000
_NEVER_STOPPED: Final = frozenset({0, 1, 2})


class Responder:
    """Answers permission events by `decide`, obeys the daemon, keeps `guard.state`."""

    def __init__(self, group: Group, station: Station, state: StateLog, canary: tuple[int, int]) -> None:
        """`canary` is device and inode of the watcher's file."""
        self.group = group
        self.marks = Marks(group)
        self.subjects = Subjects()
        self.decider = Decider(Policy())
        self.station = station
        self.state = state
        self.canary = canary
        self.figures = {"events": 0, "denied": 0, "faults": 0, "slowest_us": 0.0, "state_faults": 0}
        self._policy: Message = {}
        self._own_message: Message = {}
        self._restoring: deque[Marked] = deque()
        self._stops = Stops()
        self._own = _NEVER_STOPPED | {os.getpid(), os.getppid()}

    # --- answering -----------------------------------------------------------------------------------------------

    def answer(self, event: KernelEvent) -> None:
        """Answer one event. Never raises but for a broken group."""
        began = time.monotonic_ns()
        if event.mask & FAN_Q_OVERFLOW:
            self.station.tell({"event": "gap", "at": time.time(), "cause": "kernel_queue", "lost": None})
            return
        verdict: Verdict | None = None
        marked: Marked | None = None
        known: Known | None = None
        path = b""
        try:
            facts = os.fstat(event.descriptor)
            place = (facts.st_dev, facts.st_ino)
            if place != self.canary:
                marked = self.marks.by_inode.get(place)
            if marked is not None and event.pid not in self._own:
                opening = bool(event.mask & FAN_OPEN_PERM)
                exempt = self.subjects.is_exempt(event.pid, event.pidfd)
                known = self.subjects.find(
                    event.pid, event.pidfd, self.decider.policy, opening=opening, live=marked.target.live
                )
                verdict = self.decider.decide(known.subject, marked.target, began, exempt=exempt)
                if verdict.stop and event.pidfd >= 0:
                    signal.pidfd_send_signal(event.pidfd, signal.SIGSTOP)
                if self._worth_telling(known, marked, verdict, began, opening=opening):
                    path = os.readlink(b"/proc/self/fd/%d" % event.descriptor)
        except Exception:  # noqa: BLE001  fail open: whatever it was, somebody waits for an answer
            self.figures["faults"] += 1
        finally:
            # closed before the answer: see kernel.py on leases
            os.close(event.descriptor)
            self.group.answer(event.descriptor, allow=verdict is None or verdict.allow)
        answered = time.monotonic_ns()
        if marked is not None and known is not None and verdict is not None and path:
            self._tell(event, known, marked, verdict, (path, began, answered))
        if event.pidfd >= 0:
            os.close(event.pidfd)
        self.figures["events"] += 1
        self.figures["denied"] += verdict is not None and not verdict.allow
        self.figures["slowest_us"] = max(self.figures["slowest_us"], (answered - began) / 1000)

    def _worth_telling(self, known: Known, marked: Marked, verdict: Verdict, now: int, *, opening: bool) -> bool:
        """Own processes never; a repeat of the same by the same process once a second (a trusted one: a minute).

        A read is told only where no open of that process was: a descriptor from before the mark, or a passed one.
        """
        if verdict.reason == "exempt":
            return False
        key = (marked.target.key, "" if verdict.allow else "deny")
        last = known.seen.get(key)
        if verdict.broken is None and last is not None:
            if verdict.allow and not opening:
                return False
            pause = _AGAIN_TRUSTED_NS if verdict.reason in ("protected", "own") else _AGAIN_NS
            if now - last < pause:
                return False
        known.seen[key] = now
        return True

    def _tell(
        self,
        event: KernelEvent,
        known: Known,
        marked: Marked,
        verdict: Verdict,
        moment: tuple[bytes, int, int],
    ) -> None:
        path, began, answered = moment
        subject = known.subject
        message: Message = {
            "event": "access",
            "at": time.time(),
            "monotonic_ns": began,
            "key": marked.target.key,
            "path": os.fsdecode(path),
            "operation": "open" if event.mask & FAN_OPEN_PERM else "read",
            "pid": subject.pid,
            "started": subject.started,
            "program": os.fsdecode(subject.program),
            "command": os.fsdecode(known.command),
            "uid": subject.uid,
            "session": subject.session,
            "cgroup": known.cgroup,
            "peer": list(known.peer),
            "decision": "allow" if verdict.allow else "deny",
            "latency_us": round((answered - began) / 1000, 1),
        }
        if verdict.broken is None:
            self.station.tell(message)
            return
        broken = verdict.broken
        crossing: Message = {
            "event": "crossing",
            "access": message,
            "rule": broken.rule,
            "subject": broken.subject,
            "keys": list(broken.keys[:200]),
            "persons": broken.persons,
            "response": broken.response,
            "outcome": "alerted" if verdict.allow else "denied",
            "stopped_ms": None,
        }
        if not verdict.allow:
            self._note({"type": "block", "session": subject.session, "at": began, "uid": subject.uid})
        if verdict.stop:
            self._stops.expect(crossing, subject.pid, began)
            self._stop_others(subject)
        else:
            self.station.tell(crossing, urgent=True)

    # --- stopping ------------------------------------------------------------------------------------------------

    def _stop_others(self, crossed: Subject) -> None:
        """Stop what else of the session has had files; those that come later are refused and stopped one by one."""
        for known in self.subjects.of_session(crossed.session):
            subject = known.subject
            if subject.pid == crossed.pid or subject.pid in self._own:
                continue
            if self.decider.is_stoppable(subject) and known.seen:
                self.subjects.stop(subject)

    # --- obeying -------------------------------------------------------------------------------------------------

    def obey(self, request: Message) -> None:
        """Do what the daemon asks, put it on record, reply."""
        kind = request["type"]
        reply: Message = {"type": "reply", "id": request.get("id")}
        try:
            reply |= self._do(kind, request)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reply["error"] = f"{kind}: {type(error).__name__}"
        self.station.reply(reply)

    def _do(self, kind: str, request: Message) -> Message:
        if kind == "hello":
            return self._hello(int(request["version"]))
        if kind == "policy":
            self._set_policy(request["policy"])
            self._note({"type": "policy", "policy": request["policy"]})
        elif kind == "own":
            self._set_own(request)
            self._note({name: request[name] for name in ("type", "own", "learning", "carriers")})
        elif kind == "mark":
            return {"failed": self._mark([Marked.from_message(entry) for entry in request["items"]])}
        elif kind in ("unmark", "deny", "allow"):
            done = [key for key in request["keys"] if self._apply(kind, str(key))]
            self._note({"type": kind, "keys": request["keys"]})
            return {"keys": done}
        elif kind == "exempt":
            started = self.subjects.exempt(int(request["pid"]))
            if started is not None:
                self._note({"type": "exempt", "pid": int(request["pid"]), "started": started})
            return {"done": started is not None}
        elif kind == "pardon":
            self.decider.pardon(str(request["session"]))
            self._note({"type": "pardon", "session": str(request["session"])})
        elif kind == "stats":
            return {"stats": self._stats()}
        else:
            raise ValueError(kind)
        return {}

    def _hello(self, version: int) -> Message:
        if version != VERSION:
            return {"error": f"version {VERSION} is spoken here"}
        started = self.subjects.exempt(self.station.peer_pid)
        if started is not None:
            self._note({"type": "exempt", "pid": self.station.peer_pid, "started": started})
        return {
            "version": VERSION,
            "tier": self.group.tier,
            "marks": len(self.marks.by_key) + len(self._restoring),
            "denied": len(self.decider.denied),
            "pid": os.getpid(),
        }

    def _mark(self, items: list[Marked]) -> list[tuple[str, str]]:
        failed = []
        changed = []
        for item in items:
            key = item.target.key
            before = self.marks.by_key.get(key)
            cause = self.marks.add(item, denied=key in self.decider.denied)
            if cause:
                failed.append((key, cause))
            elif before != item:
                changed.append(item.message())
        if changed:
            self._note({"type": "mark", "items": changed})
        return failed

    def _apply(self, kind: str, key: str) -> bool:
        if kind == "unmark":
            self.decider.denied.discard(key)
            return self.marks.remove(key)
        if kind == "deny":
            self.decider.denied.add(key)
        else:
            self.decider.denied.discard(key)
        return self.marks.refuse_reads(key, refuse=kind == "deny")

    def _set_policy(self, policy: Message) -> None:
        roles: dict[tuple[int, int], Any] = {
            (int(device), int(inode)): role for device, inode, role in policy["programs"]
        }
        self.decider.policy = Policy(
            max_files=int(policy["max_files"]),
            max_persons=int(policy["max_persons"]),
            window_ns=int(policy["window_seconds"] * 1e9),
            response=policy["response"],
            decoy_response=policy["decoy_response"],
            programs=roles,
            shared_names=frozenset(os.fsencode(name) for name in policy["shared_names"]),
        )
        self._policy = policy

    def _set_own(self, taught: Message) -> None:
        programs: dict[str, set[Owner]] = {}
        for key, device, inode, uid in taught["own"]:
            programs.setdefault(str(key), set()).add((int(device), int(inode), int(uid)))
        self.decider.own = Own(
            programs={key: frozenset(owners) for key, owners in programs.items()},
            learning=frozenset(taught["learning"]),
            carriers=frozenset(os.fsencode(name) for name in taught["carriers"]),
        )
        self.decider.spared = OrderedDict.fromkeys(who for owners in programs.values() for who in owners)
        self._own_message = {name: taught[name] for name in ("own", "learning", "carriers")}

    def _stats(self) -> Message:
        return {
            **self.figures,
            "marks": len(self.marks.by_key),
            "queued": self.station.waiting,
            "lost": self.station.lost,
            "exempt": len(self.subjects.exempted),
            "blocked": sorted(self.decider.blocked),
            "tier": self.group.tier,
        }

    # --- remembering ---------------------------------------------------------------------------------------------

    def _note(self, entry: Message) -> None:
        try:
            self.state.append(entry)
        except OSError:  # a full disk: the guard goes on, the daemon sees the figure
            self.figures["state_faults"] += 1

    def restore(self) -> None:
        """Take up what the guard before this one was told; marks follow in bites from `run`."""
        items: dict[str, Marked] = {}
        exempt: dict[int, int] = {}
        for entry in self.state.entries():
            kind = entry["type"]
            if kind in ("policy", "own", "block", "pardon"):
                self._take_up(kind, entry)
            elif kind == "mark":
                items.update({item["key"]: Marked.from_message(item) for item in entry["items"]})
            elif kind in ("unmark", "deny", "allow"):
                for key in entry["keys"]:
                    (self.decider.denied.add if kind == "deny" else self.decider.denied.discard)(key)
                    if kind == "unmark":
                        items.pop(key, None)
            elif kind == "exempt":
                exempt[entry["pid"]] = entry["started"]
        for pid, started in exempt.items():
            self.subjects.exempt(pid, started)
        self._restoring.extend(items.values())
        self.state.rewrite(iter(self._summary(list(items.values()), exempt)))
        if items or self.decider.blocked:
            self.station.tell({"event": "gap", "at": time.time(), "cause": "guard_restart", "lost": None})

    def _take_up(self, kind: str, entry: Message) -> None:
        if kind == "policy":
            self._set_policy(entry["policy"])
        elif kind == "own":
            self._set_own(entry)
        elif kind == "block":
            self.decider.blocked[entry["session"]] = (entry["at"], entry["uid"])
        else:
            self.decider.blocked.pop(entry["session"], None)

    def _summary(self, items: list[Marked], exempt: dict[int, int]) -> list[Message]:
        entries: list[Message] = []
        if self._policy:
            entries.append({"type": "policy", "policy": self._policy})
        if self._own_message:
            entries.append({"type": "own", **self._own_message})
        entries.extend({"type": "mark", "items": [item.message()]} for item in items)
        entries.append({"type": "deny", "keys": sorted(self.decider.denied)})
        entries.extend({"type": "exempt", "pid": pid, "started": at} for pid, at in exempt.items())
        for session, (since, uid) in self.decider.blocked.items():
            entries.append({"type": "block", "session": session, "at": since, "uid": uid})
        return entries

    # --- the loop ------------------------------------------------------------------------------------------------

    def run(self, ready: int) -> NoReturn:
        """Answer until a signal comes; a byte on `ready` once all restored marks are set."""
        epoll = select.epoll()
        epoll.register(self.group.descriptor, select.EPOLLIN)
        epoll.register(self.station.listener, select.EPOLLIN)
        tidied = time.monotonic_ns()
        while True:
            busy = bool(self._restoring) or ready >= 0
            pending = bool(self._stops or self.station.waiting or self.station.lost or self.station.has_replies)
            epoll.poll(0 if busy else 0.001 if self._stops else 0.02 if pending else 5.0)
            for event in self.group.events():
                self.answer(event)
            now = time.monotonic_ns()
            for crossing in self._stops.confirmed(now):
                self.station.tell(crossing, urgent=True)
            self._serve(epoll)
            self.station.flush(now)
            for _ in range(min(_BITE, len(self._restoring))):
                item = self._restoring.popleft()
                self.marks.add(item, denied=item.target.key in self.decider.denied)
            if ready >= 0 and not self._restoring:
                os.write(ready, b"r")
                os.close(ready)
                ready = -1
            if now - tidied > _TIDY_NS:
                self.decider.tidy(now)
                self.subjects.drop_ended()
                tidied = now

    def _serve(self, epoll: select.epoll) -> None:
        """Obey one request of the daemon that is there, or take one that waits."""
        try:
            request = self.station.receive()
            if request is not None:
                self.obey(request)
        except ProtocolError:
            self.station.hang_up()
        if self.station.accept() and self.station.connection is not None:
            epoll.register(self.station.connection, select.EPOLLIN)


def main(arguments: list[str]) -> NoReturn:
    """`LISTENER READY CANARY STATE WATCHER`: two descriptors from the watcher, two paths, the watcher's pid."""
    listener, ready = int(arguments[0]), int(arguments[1])
    canary, state_path = os.fsencode(arguments[2]), os.fsencode(arguments[3])
    die_with_parent(signal.SIGKILL)
    if os.getppid() != int(arguments[4]):  # it died before the line above: nobody would kill a stalled guard
        sys.exit(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(ready, False)
    try:
        group = Group.open(canary)
        group.mark(canary, FAN_OPEN_PERM)
    except OSError:
        sys.exit(NO_FANOTIFY)
    facts = os.stat(canary)
    responder = Responder(group, Station(listener_from(listener)), StateLog(state_path), (facts.st_dev, facts.st_ino))
    responder.restore()
    leave_network()
    lock_memory()
    run_first(20)
    keep_guard_capabilities()
    forbid_dumps()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    responder.run(ready)


if __name__ == "__main__":
    main(sys.argv[1:])
