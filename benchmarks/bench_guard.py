"""What the guard costs and how fast it is: run as root, `python benchmarks/bench_guard.py [--json]`.

Real processes on a real file system in a temporary folder; medians of many rounds. A noisy machine: trust ratios.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.watch.api import Crossing, Watched
from agent.watch.fanotify import GuardWatch
from agent.watch.testing import start_guard
from config.home import find_home
from config.schema import WatchSettings

OPENER = """
import os, sys, time
path, rounds, reads = os.fsencode(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "read"
times = []
for _ in range(rounds):
    began = time.perf_counter_ns()
    descriptor = os.open(path, os.O_RDONLY)
    if reads: os.read(descriptor, 4096)
    os.close(descriptor)
    times.append(time.perf_counter_ns() - began)
times.sort()
print(times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000)
"""
COMMITTER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL"); database.execute("PRAGMA synchronous=NORMAL")
database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, note TEXT)")
times = []
for number in range(int(sys.argv[2])):
    began = time.perf_counter_ns()
    database.execute("INSERT INTO orders (note) VALUES ('noodles')")
    database.execute("SELECT count(*) FROM orders WHERE id > ?", (number,)).fetchone()
    times.append(time.perf_counter_ns() - began)
times.sort()
print(times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000)
"""
STALLED = """
import os, sys, time
worst, end = 0.0, time.monotonic() + 1.0
print("go", flush=True)
while time.monotonic() < end:
    began = time.monotonic(); os.close(os.open(sys.argv[1], os.O_RDONLY)); worst = max(worst, time.monotonic() - began)
print(worst * 1000)
"""


def program(code: str, *arguments: object) -> list[float]:
    """Median and 99th percentile in µs, as printed by a process of its own."""
    command = [sys.executable, "-c", code, *(str(argument) for argument in arguments)]
    return [float(part) for part in subprocess.run(command, capture_output=True, check=True).stdout.split()]


def responder_of(guard: subprocess.Popen[bytes]) -> int:
    """The guard's child that answers."""
    return int(Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()[0])


def resident(pid: int) -> float:
    """RSS in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status[status.index("VmRSS:") + 6 :].split()[0]) / 1024


def stop_times(watch: GuardWatch, folder: Path, rounds: int) -> list[float]:
    """ms from the crossing read to stopped, of `rounds` thieves."""
    times = []
    for _ in range(rounds):
        thief = subprocess.Popen(
            ["tar", "cf", "/dev/zero", str(folder)], stderr=subprocess.DEVNULL, start_new_session=True
        )
        crossing = None
        while crossing is None:
            crossing = next((entry for entry in watch.pump(1) if isinstance(entry, Crossing)), None)
        times.append(crossing.stopped_ms or float("nan"))
        thief.kill()
        thief.wait()
        watch.pardon(crossing.event.session)
    return times


def stalled(guard: subprocess.Popen[bytes], path: Path, rounds: int) -> list[float]:
    """Longest open in ms while the guard is stopped."""
    times = []
    for _ in range(rounds):
        with subprocess.Popen([sys.executable, "-c", STALLED, str(path)], stdout=subprocess.PIPE) as reader:
            if reader.stdout is None:
                raise RuntimeError("no pipe")
            reader.stdout.readline()
            time.sleep(0.1)
            os.kill(responder_of(guard), signal.SIGSTOP)
            times.append(float(reader.communicate()[0]))
    return times


def main() -> None:
    """Measure all and print."""
    figures: dict[str, object] = {}

    def note(name: str, values: list[float]) -> None:
        figures[name] = {"median": round(values[0], 1), "p99": round(values[1], 1)}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = find_home(folder / "home")
        home.create()
        share = folder / "share"
        share.mkdir()
        paths = [share / f"m{number}.csv" for number in range(20)]
        for path in paths:
            path.write_text("测试甲,13800001111\n" * 300)
        plain, database, live = folder / "plain.csv", folder / "before.db", folder / "live.db"
        plain.write_text("nothing")
        sqlite3.connect(live).close()
        note("open without guard, µs", program(OPENER, paths[0], 20_000, "open"))
        note("open and read without guard, µs", program(OPENER, paths[0], 20_000, "read"))
        note("SQLite transaction without guard, µs", program(COMMITTER, database, 5_000))
        guard = start_guard(home)
        watch = GuardWatch(
            home.guard_socket,
            WatchSettings(response="alert"),
            lambda _pid: None,
        )
        try:
            figures["tier"] = watch.tier
            watch.mark(Watched(key=path.name, path=os.fsencode(path), persons=3) for path in paths)
            watch.mark([Watched(key="live", path=os.fsencode(live), persons=1, live=True)])
            note("open of a marked file, µs", program(OPENER, paths[0], 20_000, "open"))
            note("open and read of a marked file, µs", program(OPENER, paths[0], 20_000, "read"))
            note("open of an unmarked file, µs", program(OPENER, plain, 20_000, "open"))
            note("SQLite transaction, live mark, µs", program(COMMITTER, live, 5_000))
            watch.close()
            watch = GuardWatch(home.guard_socket, WatchSettings(response="stop"), lambda _pid: None)
            watch.pump(0.2)
            times = stop_times(watch, share, 30)
            figures["crossing to stopped, ms"] = {"median": statistics.median(times), "worst": max(times)}
            blocked = stalled(guard, plain_marked(watch, folder), 5)
            figures["longest open while the guard is stopped, ms"] = {
                "median": round(statistics.median(blocked)), "worst": round(max(blocked)),
            }  # fmt: skip
            time.sleep(1)
            figures["resident, MB"] = {
                "guard": round(resident(responder_of(guard)), 1), "watcher": round(resident(guard.pid), 1),
            }  # fmt: skip
            watch.close()
            figures |= many_marks(GuardWatch(home.guard_socket, WatchSettings(), lambda _pid: None), folder, guard)
        finally:
            guard.terminate()
            guard.wait()
    show: Callable[[object], None] = print
    if "--json" in sys.argv:
        show(json.dumps(figures, ensure_ascii=False))
        return
    for key, value in figures.items():
        show(f"{key:48} {value}")


def plain_marked(watch: GuardWatch, folder: Path) -> Path:
    """A marked file that breaks no bound."""
    path = folder / "one.csv"
    path.write_text("x")
    watch.mark([Watched(key="one", path=os.fsencode(path), persons=1)])
    return path


def many_marks(watch: GuardWatch, folder: Path, guard: subprocess.Popen[bytes]) -> dict[str, object]:
    """Time and memory of 10,000 marks, and how long a restarted guard needs for them."""
    many = folder / "many"
    many.mkdir()
    items = []
    for number in range(10_000):
        path = many / f"{number}.csv"
        path.touch()
        items.append(Watched(key=f"many-{number}", path=os.fsencode(path), persons=1))
    began = time.monotonic()
    watch.mark(items)
    marked = time.monotonic() - began
    old = responder_of(guard)
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    while watch.tier == "none" or time.monotonic() - began < 0.05:
        watch.pump(0.01)
    while watch.stats()["marks"] < len(items):
        time.sleep(0.01)
    restored = time.monotonic() - began
    grown = resident(responder_of(guard))
    watch.close()
    return {
        "10,000 marks, s": round(marked, 2),
        "10,000 marks restored after a kill, s": round(restored, 2),
        "guard with 10,000 marks, MB": round(grown, 1),
    }


if __name__ == "__main__":
    main()
