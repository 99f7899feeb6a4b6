"""What every watch promises, asked of all three: the guard, inotify, none."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.watch.api import BLOCKING, AccessEvent, Crossing, Happening, NoWatch, Watch, Watched
from agent.watch.connect import connect_watch
from agent.watch.fanotify import GuardWatch
from agent.watch.inotify import InotifyWatch
from agent.watch.testing import start_guard
from config.home import Home, find_home
from config.schema import Settings, WatchSettings

GUARD = pytest.param("guard", marks=[pytest.mark.needs("root", "fanotify"), pytest.mark.kernel])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = find_home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture(params=[GUARD, "inotify", "none"])
def watch(request: pytest.FixtureRequest, home: Home) -> Iterator[Watch]:
    settings = WatchSettings(max_files=3)
    if request.param == "guard":
        guard = start_guard(home)
        made: Watch = GuardWatch(home.guard_socket, settings, lambda _pid: None)
        yield made
        made.close()
        guard.terminate()
        guard.wait()
        return
    made = InotifyWatch(settings) if request.param == "inotify" else NoWatch()
    yield made
    made.close()


def files(folder: Path, count: int = 5) -> list[Watched]:
    made = []
    for number in range(count):
        path = folder / f"m{number}.csv"
        path.write_text("测试甲\n")
        made.append(Watched(key=path.name, path=os.fsencode(path), persons=1))
    return made


def collect(watch: Watch, enough: Callable[[list[Happening]], bool]) -> list[Happening]:
    found: list[Happening] = []
    end = time.monotonic() + 3
    while not enough(found):
        assert time.monotonic() < end, found
        found.extend(watch.pump(0.1))
    return found


def test_every_item_is_marked_or_named_as_failed(watch: Watch, tmp_path: Path):
    items = [*files(tmp_path, 3), Watched(key="gone", path=os.fsencode(tmp_path / "gone"), persons=1)]
    result = watch.mark(items)
    assert result.marked + len(result.failed) == 4
    assert result.marked == (0 if watch.tier == "none" else 3)
    assert "gone" in dict(result.failed)


def test_a_denial_says_what_it_really_denied(watch: Watch, tmp_path: Path):
    items = files(tmp_path)
    watch.mark(items)
    denied = watch.deny(["m0.csv"])
    refused = subprocess.run(["cat", tmp_path / "m0.csv"], capture_output=True, check=False).returncode == 1
    assert refused == bool(denied) == (watch.tier in BLOCKING)
    watch.allow(["m0.csv"])
    assert subprocess.run(["cat", tmp_path / "m0.csv"], capture_output=True, check=False).returncode == 0


def test_an_open_is_told_with_its_key_and_a_crossing_after_the_bound(watch: Watch, tmp_path: Path):
    if watch.tier == "none":
        assert watch.pump(0) == []
        return
    items = files(tmp_path)
    watch.mark(items)
    time.sleep(0.2 if watch.tier == "inotify" else 0)  # inotify opened the files itself to be written: let that pass
    watch.pump(0)
    subprocess.run(["cat", *(item.path for item in items)], capture_output=True, check=True)
    found = collect(watch, lambda seen: any(isinstance(entry, Crossing) for entry in seen))
    opened = [entry for entry in found if isinstance(entry, AccessEvent) and entry.operation == "open"]
    assert opened[0].key == "m0.csv"
    assert abs(opened[0].at - time.time()) < 5
    crossing = next(entry for entry in found if isinstance(entry, Crossing))
    assert (len(crossing.keys), crossing.outcome) == (3, "alerted")
    assert (crossing.event.pid > 0) == (watch.tier in BLOCKING)


def test_unmarked_files_are_told_no_more(watch: Watch, tmp_path: Path):
    watch.mark(files(tmp_path))
    watch.unmark([f"m{number}.csv" for number in range(5)] + ["unknown"])
    watch.pump(0.1)
    subprocess.run(["cat", tmp_path / "m0.csv"], capture_output=True, check=True)
    assert watch.pump(0.2) == []


def test_inotify_tells_changes_and_deletions_and_rests_while_a_worker_scans(tmp_path: Path):
    watch = InotifyWatch(WatchSettings(max_files=1))
    items = files(tmp_path)
    watch.mark(items)
    with subprocess.Popen(["sleep", "5"]) as worker:
        watch.exempt(worker.pid)
        subprocess.run(["cat", *(item.path for item in items)], capture_output=True, check=True)
        opened = collect(watch, lambda seen: len({entry.key for entry in seen if isinstance(entry, AccessEvent)}) == 5)
        assert not any(isinstance(entry, Crossing) for entry in opened)
        worker.kill()
    (tmp_path / "m1.csv").write_text("测试乙\n")
    (tmp_path / "m2.csv").unlink()
    collect(
        watch,
        lambda seen: (
            {("m1.csv", "modify"), ("m2.csv", "delete")}
            <= {(entry.key, entry.operation) for entry in seen if isinstance(entry, AccessEvent)}
        ),
    )
    watch.close()


def test_without_a_guard_the_fallback_is_inotify_and_switched_off_is_none(home: Home):
    fallback = connect_watch(home, Settings())
    assert fallback.tier == "inotify"
    fallback.close()
    assert connect_watch(home, Settings(watch=WatchSettings(enabled=False))).tier == "none"


@pytest.mark.needs("root", "fanotify")
@pytest.mark.kernel
def test_with_a_guard_the_guard_is_taken(home: Home):
    guard = start_guard(home)
    watch = connect_watch(home, Settings())
    assert watch.tier in BLOCKING
    watch.close()
    guard.terminate()
    guard.wait()
