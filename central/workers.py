"""Several processes that serve the same head office on one machine, and the one that looks after them.

Each has a listening socket of its own, which this process keeps open as well: while a worker that died is started
anew, connections wait in its socket instead of being refused. A worker that hangs (no beat for half a minute) is
killed. If this process dies, the kernel ends the workers (`PR_SET_PDEATHSIG`, prctl(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Final

from central.figures import forget_figures
from config.errors import ClocheError, ExitCode
from config.log import describe, get_logger
from config.notify import notify

STALLED_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.25
GRACE_SECONDS: Final = 15.0
LONGEST_PAUSE: Final = 30.0
STEADY_SECONDS: Final = 60.0
_PDEATHSIG: Final = 1
_READY: Final = b"R"
_BEAT: Final = b"B"

Beat = Callable[[], None]
Work = Callable[[Callable[[], None], Beat], int]
"""Serve until SIGTERM; told how to say that it is ready and that it is alive; gives an exit code."""

log = get_logger("hq.workers")


@dataclass(kw_only=True)
class _Worker:
    """A process at work, or one to be started at `start_at` (monotonic seconds)."""

    work: Work
    pid: int = 0
    pipe: int = -1
    begun_at: float = 0.0
    beaten_at: float = 0.0
    start_at: float = 0.0
    pause: float = 0.5
    is_ready: bool = False


class Workers:
    """Starts the workers and keeps them going.

    Promise: a worker that ends is started anew (at once the first time, then after pauses up to half a minute), until
    SIGTERM or SIGINT. Before all were ready for the first time, one that ends takes the others with it: the folder or
    the database is not in order, and it has said why.
    """

    def __init__(self, works: list[Work], *, ready: Callable[[], None]) -> None:
        self._workers = [_Worker(work=work) for work in works]
        self._ready = ready
        self._is_ready = False
        self._stopping = False
        self._code = int(ExitCode.DONE)

    def run(self) -> int:
        """Until told to stop; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                self._start_due()
                self._listen()
                self._bury()
                self._look_for_stalled()
        finally:
            self._end()
        return self._code

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _start_due(self) -> None:
        """Those whose time has come; at the start one after another, so that a database is upgraded once, and what is
        wrong with it or the folder is said once."""
        for worker in self._workers:
            if not worker.pid and time.monotonic() >= worker.start_at and not self._stopping:
                _start(worker, self._workers)
            if not self._is_ready and not worker.is_ready:
                return

    def _listen(self) -> None:
        """Hear from the workers for a moment."""
        pipes = {worker.pipe: worker for worker in self._workers if worker.pipe >= 0}
        for pipe in select.select(list(pipes), [], [], LOOK_SECONDS)[0]:
            worker, said = pipes[pipe], os.read(pipe, 4096)
            if not said:
                os.close(pipe)
                worker.pipe = -1
                continue
            worker.beaten_at = time.monotonic()
            worker.is_ready = worker.is_ready or _READY in said
        if not self._is_ready and all(worker.is_ready for worker in self._workers):
            self._is_ready = True
            self._ready()
        if self._is_ready:
            notify("WATCHDOG=1")

    def _bury(self) -> None:
        """Notice who ended."""
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            if worker.pipe >= 0:
                os.close(worker.pipe)
            forget_figures(pid)
            lived = time.monotonic() - worker.begun_at
            worker.pid, worker.pipe, worker.is_ready = 0, -1, False
            if not self._is_ready:
                self._code, self._stopping = max(os.waitstatus_to_exitcode(status), 1), True
                return
            worker.pause = 0.5 if lived > STEADY_SECONDS else min(worker.pause * 2, LONGEST_PAUSE)
            worker.start_at = time.monotonic() + worker.pause
            log.error("a worker ended and is started anew", status=os.waitstatus_to_exitcode(status))

    def _look_for_stalled(self) -> None:
        for worker in self._workers:
            if worker.pid and worker.is_ready and time.monotonic() - worker.beaten_at > STALLED_SECONDS:
                log.error("a worker hangs and is ended", pid=worker.pid)
                worker.beaten_at = time.monotonic()
                os.kill(worker.pid, signal.SIGKILL)

    def _end(self) -> None:
        """Let the workers finish; kill whoever does not."""
        notify("STOPPING=1")
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)
        for worker in self._workers:
            while worker.pid and not os.waitpid(worker.pid, os.WNOHANG)[0]:
                if time.monotonic() > deadline:
                    os.kill(worker.pid, signal.SIGKILL)
                    os.waitpid(worker.pid, 0)
                    break
                time.sleep(0.02)
            if worker.pipe >= 0:
                os.close(worker.pipe)
            worker.pid, worker.pipe = 0, -1


def _start(worker: _Worker, all_workers: list[_Worker]) -> None:
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        for other in all_workers:
            if other.pipe >= 0:
                os.close(other.pipe)
        _live(worker.work, writing, parent)
    os.close(writing)
    worker.pid, worker.pipe = pid, reading
    worker.begun_at = worker.beaten_at = time.monotonic()


def _live(work: Work, pipe: int, parent: int) -> None:
    """The child's whole life; it never returns."""
    code = int(ExitCode.FAILED)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.environ.pop("NOTIFY_SOCKET", None)  # systemd hears from the parent alone
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            return
        code = work(lambda: _say(pipe, _READY), lambda: _say(pipe, _BEAT))
    except ClocheError as error:
        sys.stderr.write(f"cloche-hq: {error}\n")
        code = int(error.exit_code)
    except Exception as error:  # noqa: BLE001  the boundary of a process: type and place only
        log.error("a worker broke", error=describe(error))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(pipe: int, word: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(pipe, word)
