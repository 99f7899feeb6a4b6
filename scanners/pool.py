"""The scan's side of a worker: start it, hand it a file, hear what it says, end it."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from config.errors import ClocheError
from config.schema import DetectSettings, ScanSettings
from scanners.wire import Frames, Hello, Job, Message, ProtocolError

START_SECONDS: Final = 60.0
_READ: Final = 1 << 20


class WorkerLost(Exception):  # noqa: N818  an event of the scan: the file is counted, a new worker started
    """The worker ended, or says what no worker of ours says."""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What every worker of a run is given."""

    scan: ScanSettings
    detect: DetectSettings
    names: bool
    run_key: bytes
    on_worker: Callable[[int], None]
    persons: bool = False

    def open(self) -> Worker:
        """Start a worker and wait until it is ready.

        Raises:
            ClocheError: it does not come up.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "scanners.worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # parsers print what they choke on
                cwd="/",
                env={"LANG": "C.UTF-8", "PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1"},
            )
        worker = Worker(process, ours)
        hello = Hello(
            scan=self.scan.model_copy(update={"roots": (), "exclude": ()}),
            detect=self.detect,
            names=self.names,
            run_key=self.run_key.hex(),
            persons=self.persons,
        )
        try:
            self.on_worker(process.pid)
            worker.begin(hello.model_dump_json().encode())
        except BaseException:
            worker.kill()
            raise
        return worker


class Worker:
    """One process. Not safe for threads."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._frames = Frames()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def fileno(self) -> int:
        """For selectors."""
        return self._channel.fileno()

    def begin(self, hello: bytes) -> None:
        """Greet it and wait until it has given up its rights.

        Raises:
            ClocheError: it ends or stays silent.
        """
        deadline = time.monotonic() + START_SECONDS
        try:
            self._channel.sendall(hello)
            while (left := deadline - time.monotonic()) > 0:
                if not select.select([self._channel], [], [], left)[0]:
                    break
                for message, _keys in self.receive():
                    if message.type == "ready":
                        return
        except (WorkerLost, OSError) as error:
            raise ClocheError("a scan worker ended while it started; is the installation complete?") from error
        raise ClocheError(f"a scan worker was not ready after {START_SECONDS:.0f} s")

    def give(self, job: Job, descriptors: Sequence[int]) -> None:
        """Hand it one file.

        Raises:
            WorkerLost: it is gone.
        """
        try:
            socket.send_fds(self._channel, [json.dumps(job.model_dump()).encode("ascii")], list(descriptors))
        except OSError as error:
            raise WorkerLost from error

    def receive(self) -> list[tuple[Message, frozenset[int]]]:
        """What it says, without waiting.

        Raises:
            WorkerLost: it ended, or talks nonsense.
        """
        try:
            data = self._channel.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError as error:
            raise WorkerLost from error
        if not data:
            raise WorkerLost
        try:
            return self._frames.feed(data)
        except ProtocolError as error:
            raise WorkerLost from error

    def kill(self) -> None:
        """End it and collect it."""
        self._channel.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def new_run_key() -> bytes:
    """Tells values and persons apart in one run; never stored."""
    return secrets.token_bytes(32)
