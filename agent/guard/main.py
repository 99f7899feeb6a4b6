"""`cloche-guard`: the watcher. It starts the responder, asks it for a canary file every 50 ms, and kills it after
150 ms without an answer.

A stopped responder would block every open of an inventoried file for ever; a killed one lets all of them through at
once (measured: 2.2 ms). So the worst wait is 50 + 150 ms and the kill. The responder is a program of its own, started
by `posix_spawn`: the fanotify descriptor is never in this process. This watcher itself holds nothing up; if it dies
the responder dies with it (PR_SET_PDEATHSIG), and systemd's watchdog (sd_notify(3)) restarts both.

It writes its own JSON lines to stderr: the logging library would cost 13 MB in a process that is there to be small.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from agent.guard.kernel import keep_guard_capabilities, lock_memory, run_first
from agent.guard.protocol import listen
from agent.guard.responder import NO_FANOTIFY
from config.errors import ClocheError, ExitCode, RefusedError
from config.home import Home, find_home
from config.privileges import forbid_dumps

CANARY_EVERY: Final = 0.050
PATIENCE: Final = 0.150
DESCRIPTORS: Final = 65_536
_PAUSE: Final = 0.5


class Prober:
    """Opens the canary in a thread of its own: that open may hang, and only a kill of the responder frees it."""

    def __init__(self, canary: Path) -> None:
        """Start the thread."""
        self._canary = os.fspath(canary)
        self._go, self._ask = os.pipe2(os.O_CLOEXEC)
        self.done, self._say = os.pipe2(os.O_CLOEXEC)
        threading.Thread(target=self._run, name="canary", daemon=True).start()

    def ask(self) -> None:
        """Open the canary now; a byte comes on `done`."""
        os.write(self._ask, b"?")

    def _run(self) -> None:
        while os.read(self._go, 1):
            with contextlib.suppress(OSError):  # refused is an answer too
                os.close(os.open(self._canary, os.O_RDONLY | os.O_CLOEXEC))
            os.write(self._say, b"!")


class Watcher:
    """Keeps one responder alive and honest until a signal comes."""

    def __init__(self, home: Home) -> None:
        """Make the socket, the canary and the wake-up pipe.

        Raises:
            RefusedError: not root, or the run folder is not root's.
            ClocheError: the socket or the canary cannot be made.
        """
        if os.geteuid() != 0:
            raise RefusedError("cloche-guard needs root: permission events want CAP_SYS_ADMIN")
        self.home = home
        self.canary = home.run / "guard.canary"
        try:
            if not home.run.exists():
                home.run.mkdir(mode=0o755, parents=True, exist_ok=True)
                home.run.chmod(0o755)
            facts = home.run.lstat()
            if facts.st_uid != 0 or facts.st_mode & 0o022:
                raise RefusedError(
                    f"{home.run}: belongs to uid {facts.st_uid} with mode {facts.st_mode & 0o7777:04o}; the guard's "
                    "socket goes into a folder that only root may write"
                )
            self.listener = listen(os.fsencode(home.guard_socket))
            os.close(os.open(self.canary, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise ClocheError(f"{home.run}: the guard cannot begin: {error.strerror}") from error
        self.pid = 0
        self.pidfd = -1
        self._ready = -1
        self._started = 0.0
        self._leaving = False
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)

    def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit code."""
        _raise_descriptor_limit()
        run_first(10)
        self._start()
        keep_guard_capabilities()
        lock_memory()
        forbid_dumps()
        prober = Prober(self.canary)
        prober.ask()
        asked: float | None = time.monotonic()
        notify = Notify()
        while not self._leaving:
            now = time.monotonic()
            wait = CANARY_EVERY if asked is None else max(0.0, PATIENCE - (now - asked))
            ready = _poll((self._wake, self.pidfd, prober.done, self._ready), wait)
            now = time.monotonic()
            if self._ready in ready:
                self._became_ready(notify)
            if prober.done in ready:
                os.read(prober.done, 1)
                asked = None
                notify.alive(now)
                continue
            if self.pidfd in ready:
                code = self._reap()
                if code == NO_FANOTIFY:
                    raise ClocheError("this kernel gives no permission events (fanotify)")
                if not self._leaving:
                    say("guard ended", code=code)
                    self._start()
                continue
            if asked is not None and now - asked >= PATIENCE:
                say("guard stalled, killed", after_ms=round((now - asked) * 1000))
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
                self._reap()
                self._start()
                asked = now  # the hung open is free now; its answer comes at once
            elif asked is None and not ready:
                prober.ask()
                asked = now
        return self._end(notify)

    def _start(self) -> None:
        if self._ready >= 0:
            os.close(self._ready)
            time.sleep(_PAUSE)  # it died before it was ready: nothing is marked meanwhile, so nobody waits
        self._started = time.monotonic()
        self._ready, ready = os.pipe2(os.O_CLOEXEC)
        listener = self.listener.fileno()
        os.set_inheritable(listener, True)
        os.set_inheritable(ready, True)
        command = [
            sys.executable, "-P", "-m", "agent.guard.responder", str(listener), str(ready),
            os.fspath(self.canary), os.fspath(self.home.guard_state), str(os.getpid()),
        ]  # fmt: skip
        try:
            self.pid = os.posix_spawn(sys.executable, command, os.environ)
        finally:
            os.set_inheritable(listener, False)
            os.close(ready)
        self.pidfd = os.pidfd_open(self.pid)

    def _reap(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.pidfd = -1
        return os.waitstatus_to_exitcode(status)

    def _became_ready(self, notify: Notify) -> None:
        if os.read(self._ready, 1):
            notify.say("READY=1")
            say("guard ready", pid=self.pid, after_ms=round((time.monotonic() - self._started) * 1000))
        os.close(self._ready)
        self._ready = -1

    def _leave(self, *_: object) -> None:
        self._leaving = True

    def _end(self, notify: Notify) -> int:
        notify.say("STOPPING=1")
        if self.pidfd >= 0:
            signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)
            if self.pidfd not in _poll((self.pidfd,), 1.0):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            self._reap()
        self.home.guard_socket.unlink(missing_ok=True)
        return int(ExitCode.DONE)


class Notify:
    """sd_notify(3) without libsystemd: datagrams to NOTIFY_SOCKET, nothing where there is none."""

    def __init__(self) -> None:
        """Find the socket in the environment."""
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0") or 0)
        self._every = microseconds / 3e6
        self._last = 0.0

    def say(self, line: str) -> None:
        """Send one assignment."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end:
            try:
                end.sendto(line.encode(), address)
            except OSError:
                say("systemd not told", what=line)

    def alive(self, now: float) -> None:
        """A canary was answered: feed systemd's watchdog three times a period."""
        if self._every and now - self._last >= self._every:
            self._last = now
            self.say("WATCHDOG=1")


def say(event: str, **facts: Any) -> None:
    """One JSON line on stderr, in the form of `config.log`."""
    line = json.dumps({"room": "guard", "event": event, "level": "info", **facts})
    os.write(2, line.encode() + b"\n")


def _poll(descriptors: tuple[int, ...], seconds: float) -> set[int]:
    poll = select.poll()
    for descriptor in descriptors:
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}


def _raise_descriptor_limit() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, max(hard, DESCRIPTORS)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        say("few descriptors", limit=hard)


def main() -> None:
    """Entry point of `cloche-guard`."""
    parser = argparse.ArgumentParser(prog="cloche-guard", description="Answers opens of inventoried files.")
    parser.add_argument("--home", help="keep everything under this folder")
    arguments = parser.parse_args()
    try:
        code = Watcher(find_home(arguments.home)).run()
    except ClocheError as error:
        sys.stderr.write(f"cloche-guard: {error}\n")
        code = int(error.exit_code)
    sys.exit(code)


if __name__ == "__main__":
    main()
