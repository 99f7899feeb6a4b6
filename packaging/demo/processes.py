"""Real processes of the demo: started, waited for, called, and ended in reverse order, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

BIN = Path(sys.executable).parent


class StepError(Exception):
    """A step of the demo did not do what it should."""


class Processes:
    """Background processes with their logs in one folder."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self.logs = logs
        self.environment = {**os.environ, **environment}
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            _name, process = self._running.pop()
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(
        self, name: str, *command: str | Path, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own; its output goes to `logs/NAME.log`."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**self.environment, **(environment or {})}, start_new_session=True,
            )  # fmt: skip
        self._running.append((name, process))
        return process

    def stop(self, wanted: subprocess.Popen[bytes] | None) -> None:
        """End one of them."""
        if wanted is None:
            return
        self._running = [entry for entry in self._running if entry[1] is not wanted]
        wanted.terminate()
        wanted.wait(15)

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float = 30.0) -> float:
        """Wait until `ready`; how long it took is returned.

        Raises:
            StepError: not within `seconds`, or a process ended before.
        """
        began = time.monotonic()
        while not ready():
            for name, process in self._running:
                if process.poll() is not None:
                    raise StepError(f"{name} ended with {process.returncode}: {self.tail(name)}")
            if time.monotonic() - began > seconds:
                raise StepError(f"{what}: nothing within {seconds:.0f} s")
            time.sleep(0.05)
        return time.monotonic() - began

    def tail(self, name: str) -> str:
        """The last lines of a process's log."""
        return " / ".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-4:])

    def call(self, *command: str | Path, codes: tuple[int, ...] = (0,), stdin: str | None = None) -> str:
        """Run a command to its end; its stdout.

        Raises:
            StepError: an exit code that was not expected, with the end of its messages.
        """
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            input=stdin,
            env=self.environment,
            check=False,
        )
        with (self.logs / "commands.log").open("a") as log:
            log.write(f"$ {' '.join(str(part) for part in command)}\n{done.stderr}[{done.returncode}]\n")
        if done.returncode not in codes:
            raise StepError(
                f"{Path(str(command[0])).name} {command[1]}: exit {done.returncode}: {done.stderr.strip()[-600:]}"
            )
        return done.stdout

    def cloche(self, *arguments: str | Path, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """`cloche … --json`, its document."""
        document: dict[str, Any] = json.loads(self.call(BIN / "cloche", *arguments, "--json", codes=codes))
        return document


def free_port() -> int:
    """A port on loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
