"""What is watched meanwhile: the server's memory, and how long pages take for somebody who is logged in."""

from __future__ import annotations

import html
import itertools
import threading
import time
from pathlib import Path
from typing import Self

from central.testing import OfficeProcess


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def memory_of(pid: int) -> int:
    """Resident bytes of a process and its children; what they share since they were forked counts once."""
    own = shared = 0
    for one in family(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        kilobytes = {
            name: int(words.split()[0]) for name, words in (line.split(":", 1) for line in text.splitlines()[1:])
        }
        own += kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        shared = max(shared, kilobytes["Shared_Clean"] + kilobytes["Shared_Dirty"])
    return (own + shared) * 1024


class Memory:
    """The most that a process and its children had at once, looked at four times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.most = self.at_start = memory_of(pid)

    @property
    def now(self) -> int:
        """At this moment."""
        return memory_of(self._pid)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            self.most = max(self.most, memory_of(self._pid))


class Reader:
    """Somebody at a desk who goes from page to page; seconds by page, as their browser would see them."""

    def __init__(self, office: OfficeProcess, paths: list[str], pause: float = 0.3) -> None:
        self._office = office
        self._paths = paths
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.times: list[tuple[float, str]] = []
        """Seconds and the page."""
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._client = self._office.client()
        page = self._client.get("/login").text
        token = html.unescape(page.split('name="form_token" value="')[1].split('"')[0])
        self._client.post(
            "/login",
            data={"officer": self._office.officer, "passphrase": self._office.passphrase, "form_token": token},
        )
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        for path in itertools.cycle(self._paths):
            begun = time.perf_counter()
            answer = self._client.get(path)
            self.times.append((time.perf_counter() - begun, path))
            if answer.status_code != 200:
                self.failures.append(f"{path}: {answer.status_code}")
            if self._stop.wait(self._pause):
                return
