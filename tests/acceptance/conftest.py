"""A store with real processes: guard, daemon, and a way to call the command line as a person would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent


@dataclass
class Done:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Shop:
    """One store in a temporary folder."""

    folder: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CLOCHE_HOME": str(self.home), **self.variables}

    def cloche(self, *arguments: str | Path, stdin: str | None = None) -> Done:
        """Run `cloche …` to its end."""
        done = subprocess.run(
            [str(BIN / "cloche"), *(str(part) for part in arguments)],
            capture_output=True, text=True, input=stdin, env=self.environment, check=False, timeout=100,
            errors="surrogateescape",
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, name: str, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a process; its output goes to `NAME.log` beside the home."""
        with (self.home.parent / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return process

    def start_guard(self) -> subprocess.Popen[bytes]:
        process = self.start("guard", BIN / "cloche-guard", "--home", self.home)
        self.wait((self.home / "run" / "guard.sock").exists)
        return process

    def start_daemon(self) -> subprocess.Popen[bytes]:
        process = self.start("daemon", BIN / "cloche", "--home", self.home, "daemon", "--debug")
        self.wait(lambda: self.cloche("status", "--json").code == 0)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        self.running.remove(process)

    def wait(self, ready: Callable[[], bool], seconds: float = 30) -> float:
        """Wait until `ready`; seconds it took."""
        began = time.monotonic()
        while not ready():
            for process in self.running:
                if process.poll() is not None:
                    logs = "".join(path.read_text(errors="replace")[-1500:] for path in self.home.parent.glob("*.log"))
                    pytest.fail(f"{process.args} ended with {process.returncode}: {logs}")
            if time.monotonic() - began > seconds:
                logs = "".join(path.read_text(errors="replace")[-1500:] for path in self.home.parent.glob("*.log"))
                pytest.fail(f"nothing within {seconds} s: {logs}")
            time.sleep(0.05)
        return time.monotonic() - began

    def close(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "店"
    folder.mkdir()
    tmp_path.chmod(0o755)
    shop = Shop(folder=folder, home=tmp_path / "home")
    yield shop
    shop.close()
