"""The guard against real thieves: real processes, real files, the kernel's permission events."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.watch.api import AccessEvent, Crossing, Gap, Happening, Watched
from agent.watch.fanotify import GuardWatch, NoGuardError
from agent.watch.testing import start_guard
from config.home import Home, find_home
from config.schema import WatchSettings
from containment.processes import state

pytestmark = [pytest.mark.needs("root", "fanotify"), pytest.mark.kernel]
STOP_WITHIN_MS = 10.0
READ_ALL = "import sys; [print(len(open(name, 'rb').read())) for name in sys.argv[1:]]"
Thief = Callable[..., "subprocess.Popen[bytes]"]


class Store:
    """A folder of member lists under a guard, with this process as the daemon."""

    def __init__(self, folder: Path, home: Home, guard: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.home = home
        self.guard = guard
        self.watch: GuardWatch | None = None
        self.crossed: set[int] = set()

    def open(self, **settings: object) -> GuardWatch:
        wanted = WatchSettings.model_validate({"response": "stop", "decoy_response": "stop"} | settings)
        self.watch = GuardWatch(self.home.guard_socket, wanted, lambda _pid: None)
        return self.watch

    def files(self, count: int, persons: int = 3, **facts: bool) -> list[Path]:
        assert self.watch is not None
        paths = [self.folder / f"members-{number}.csv" for number in range(count)]
        for path in paths:
            path.write_text("member,phone\n测试甲,13800001111\n" * 50)
        result = self.watch.mark(
            Watched(key=path.name, path=os.fsencode(path), persons=persons, **facts) for path in paths
        )
        assert (result.marked, result.failed) == (count, ())
        return paths

    def happened(self, kind: type, seconds: float = 2.0) -> list[Happening]:
        """Everything up to the first happening of `kind`."""
        assert self.watch is not None
        found: list[Happening] = []
        end = time.monotonic() + seconds
        while not any(isinstance(entry, kind) for entry in found):
            assert time.monotonic() < end, f"no {kind.__name__} among {found}"
            found.extend(self.watch.pump(0.1))
        return found

    def crossing(self) -> Crossing:
        crossing = next(entry for entry in self.happened(Crossing) if isinstance(entry, Crossing))
        self.crossed.add(crossing.event.pid)
        return crossing

    def responder(self) -> int:
        assert self.watch is not None
        children = Path(f"/proc/{self.guard.pid}/task/{self.guard.pid}/children").read_text().split()
        return int(children[0]) if children else 0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    home = find_home(tmp_path / "home")
    home.create()
    folder = tmp_path / "share"
    folder.mkdir()
    guard = start_guard(home)
    made = Store(folder, home, guard)
    yield made
    if made.watch is not None:
        made.watch.close()
    made.guard.terminate()
    assert made.guard.wait(timeout=5) == 0
    for pid in made.crossed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def thief() -> Iterator[Thief]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: object, **options: object) -> subprocess.Popen[bytes]:
        known = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "start_new_session": True}
        process = subprocess.Popen([str(part) for part in command], **(known | options))  # type: ignore[call-overload]
        started.append(process)
        return process  # type: ignore[no-any-return]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def got(process: subprocess.Popen[bytes]) -> list[bytes]:
    """What a thief has printed by now, though it may be stopped."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return (process.stdout.read() or b"").split()


def wait_for(what: Callable[[], bool], seconds: float = 2.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_a_thief_gets_five_files_and_is_stopped_within_ten_milliseconds(store: Store, thief: Thief):
    store.open()
    files = store.files(12)
    copier = thief(sys.executable, "-u", "-c", READ_ALL, *files)
    crossing = store.crossing()
    assert (crossing.outcome, crossing.rule, len(crossing.keys), crossing.persons) == ("stopped", "bound", 5, 15)
    assert state(copier.pid) == "T"
    assert len(got(copier)) == 5
    assert crossing.stopped_ms is not None
    assert crossing.stopped_ms <= STOP_WITHIN_MS
    assert crossing.event.pid == copier.pid
    assert crossing.event.program == os.fsencode(os.path.realpath(sys.executable))
    assert b"-c" in crossing.event.command
    assert (crossing.event.uid, crossing.event.user, crossing.event.decision) == (0, "root", "deny")


def test_tar_of_the_whole_share_is_stopped_again_and_again(store: Store, thief: Thief):
    watch = store.open()
    store.files(12)
    times = []
    for number in range(5):
        thief("tar", "cf", store.folder.parent / f"{number}.tar", store.folder)
        crossing = store.crossing()
        times.append(crossing.stopped_ms or 1000.0)
        watch.pardon(crossing.event.session)
    assert statistics.median(times) <= STOP_WITHIN_MS


def test_one_big_member_list_is_refused_at_once(store: Store, thief: Thief):
    store.open()
    (big,) = store.files(1, persons=30_000)
    copier = thief("cat", big)
    assert store.crossing().outcome == "stopped"
    assert got(copier) == []


def test_one_cat_for_each_file_is_one_session(store: Store, thief: Thief):
    store.open()
    files = store.files(12)
    thief("sh", "-c", 'for name in "$@"; do cat "$name" > /dev/null; done', "sh", *files)
    crossing = store.crossing()
    assert len(crossing.keys) == 5
    assert crossing.event.program.endswith(b"cat")


def test_setsid_for_each_file_does_not_help(store: Store, thief: Thief):
    store.open()
    files = store.files(12)
    thief("sh", "-c", 'for name in "$@"; do setsid -w cat "$name" > /dev/null; done', "sh", *files)
    crossing = store.crossing()
    assert (crossing.subject, len(crossing.keys)) == ("user", 5)


@pytest.mark.needs("setpriv")
def test_another_uid_for_each_file_does_not_help(store: Store, thief: Thief):
    store.open()
    files = store.files(12)
    for folder in (store.folder, *store.folder.parents[:3]):
        os.chmod(folder, 0o755)  # noqa: S103  the thief's accounts must get that far
    script = 'u=2000; for name in "$@"; do u=$((u+1)); setpriv --reuid $u --clear-groups cat "$name" >/dev/null; done'
    thief("sh", "-c", script, "sh", *files)
    crossing = store.crossing()
    assert (crossing.subject, len(crossing.keys)) == ("session", 5)
    assert crossing.event.uid > 2000


def test_a_reader_by_mmap_is_counted_and_refused_too(store: Store, thief: Thief):
    store.open()
    files = store.files(12)
    code = (
        "import sys, mmap\n"
        "for name in sys.argv[1:]:\n"
        "    with open(name, 'rb') as file: print(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:4])\n"
    )
    mapper = thief(sys.executable, "-u", "-c", code, *files)
    assert store.crossing().outcome == "stopped"
    assert len(got(mapper)) == 5


def test_renamed_and_hard_linked_files_are_the_same_files(store: Store, thief: Thief):
    store.open()
    files = store.files(12)
    names = []
    for number, path in enumerate(files):
        path.rename(store.folder / f"holiday-{number}.jpg")
        os.link(store.folder / f"holiday-{number}.jpg", store.folder.parent / f"link-{number}")
        names.append(store.folder.parent / f"link-{number}")
    copier = thief(sys.executable, "-u", "-c", READ_ALL, *names)
    crossing = store.crossing()
    assert crossing.event.path.startswith(os.fsencode(store.folder.parent / "link-"))
    assert len(got(copier)) == 5


def test_after_the_stop_the_session_gets_nothing_more(store: Store, thief: Thief):
    watch = store.open()
    files = store.files(12)
    script = 'for name in "$@"; do cat "$name"; done & sleep 0.6; exec cat "$1"'
    shell = thief("sh", "-c", script, "sh", *files)
    store.crossing()
    wait_for(lambda: state(shell.pid) == "T")
    refused = [entry for entry in watch.pump(0.5) if isinstance(entry, AccessEvent) and entry.pid == shell.pid]
    assert [entry.decision for entry in refused] == ["deny"]


def test_alert_tells_and_lets_go_on(store: Store, thief: Thief):
    store.open(response="alert")
    copier = thief(sys.executable, "-c", READ_ALL, *store.files(12))
    crossing = store.crossing()
    assert (crossing.outcome, crossing.stopped_ms) == ("alerted", None)
    assert len(copier.communicate(timeout=5)[0].split()) == 12


def test_the_daemon_and_its_exempt_workers_trip_nothing(store: Store, thief: Thief):
    watch = store.open()
    files = store.files(12)
    for path in files:
        path.read_bytes()
    worker = thief(sys.executable, "-c", "import sys; sys.stdin.read(1);" + READ_ALL, *files, stdin=subprocess.PIPE)
    assert watch.exempt(worker.pid)
    assert len(worker.communicate(b"!", timeout=5)[0].split()) == 12
    assert watch.pump(0.2) == []
    assert watch.stats()["denied"] == 0


def test_an_exemption_ends_with_its_process(store: Store):
    watch = store.open()
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
        assert not watch.exempt(gone.pid)


def copy_of_python(folder: Path, name: str) -> Path:
    """An executable of its own inode that runs Python, as a till's own program does."""
    target = folder / name
    shutil.copy(os.path.realpath(sys.executable), target)
    target.chmod(0o755)
    return target


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"}


def test_the_tills_program_is_never_bounded(store: Store, thief: Thief, tmp_path: Path):
    till = copy_of_python(tmp_path, "till")
    store.open(protected_programs=[str(till)])
    process = thief(till, "-S", "-c", READ_ALL, *store.files(12), env=environment())
    assert len(process.communicate(timeout=5)[0].split()) == 12


def test_a_shared_server_is_refused_but_never_stopped(store: Store, thief: Thief, tmp_path: Path):
    server = copy_of_python(tmp_path, "fileserver")
    store.open(shared_servers=[str(server)])
    code = (
        "import sys\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(len(open(name, 'rb').read()))\n"
        "    except PermissionError: print('refused')\n"
    )
    process = thief(server, "-S", "-c", code, *store.files(12), env=environment())
    crossing = store.crossing()
    assert (crossing.outcome, crossing.stopped_ms) == ("denied", None)
    assert process.communicate(timeout=5)[0].split()[5:] == [b"refused"] * 7


def test_execve_into_another_program_loses_the_tills_rights(store: Store, thief: Thief, tmp_path: Path):
    till = copy_of_python(tmp_path, "till")
    store.open(protected_programs=[str(till)])
    files = store.files(12)
    code = "import os, sys; open(sys.argv[1]).read(); os.execv('/bin/tar', ['tar', 'cf', '/dev/zero', *sys.argv[1:]])"
    process = thief(till, "-S", "-c", code, *files, env=environment())
    assert store.crossing().event.pid == process.pid


def test_a_decoy_stops_who_touches_it(store: Store, thief: Thief):
    store.open()
    (decoy,) = store.files(1, persons=0, decoy=True)
    thief("cat", decoy)
    crossing = store.crossing()
    assert (crossing.rule, crossing.outcome) == ("decoy", "stopped")


def test_denied_files_are_for_nobody_and_come_back_with_allow(store: Store):
    watch = store.open()
    files = store.files(2)
    assert watch.deny([files[0].name, "unknown"]) == {files[0].name}
    assert subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 1
    assert subprocess.run(["cat", files[1]], capture_output=True, check=False).returncode == 0
    assert files[0].read_bytes()
    watch.allow([files[0].name])
    assert subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 0


def test_a_descriptor_from_before_the_denial_reads_and_maps_no_more(store: Store, thief: Thief):
    watch = store.open()
    files = store.files(1)
    code = (
        "import mmap, os, sys\n"
        "held = os.open(sys.argv[1], os.O_RDONLY)\n"
        "print('open', flush=True); sys.stdin.read(1)\n"
        "for take in (lambda: os.pread(held, 9, 0), lambda: mmap.mmap(held, 0, prot=mmap.PROT_READ)[:9]):\n"
        "    try: take(); print('got')\n"
        "    except PermissionError: print('refused')\n"
    )
    holder = thief(sys.executable, "-c", code, *files, stdin=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"open\n"
    watch.deny([files[0].name])
    mapped = b"refused" if watch.tier == "pre_access" else b"got"
    assert holder.communicate(b"!", timeout=5)[0].split() == [b"refused", mapped]


def test_a_denied_live_database_is_opened_by_nobody(store: Store):
    watch = store.open()
    files = store.files(1, live=True)
    watch.deny([files[0].name])
    assert subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 1
    watch.allow([files[0].name])
    assert subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 0


def test_reads_of_a_live_database_are_never_asked_about(store: Store):
    watch = store.open()
    files = store.files(1, live=True)
    before = watch.stats()["events"]
    code = "import os, sys; f = os.open(sys.argv[1], 0); [os.pread(f, 10, 0) for _ in range(500)]"
    subprocess.run([sys.executable, "-c", code, *files], check=True)
    assert watch.stats()["events"] - before < 50


def test_a_till_keeps_committing_to_a_live_database_while_the_guard_is_stopped(store: Store):
    watch = store.open()
    path = store.folder / "orders.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
    watch.mark([Watched(key="orders", path=os.fsencode(path), persons=900, live=True)])
    before = watch.stats()["events"]
    slowest = 0.0
    os.kill(store.responder(), signal.SIGSTOP)
    for number in range(200):
        began = time.monotonic()
        database.execute("INSERT INTO orders (note) VALUES (?)", (f"noodles {number}",))
        slowest = max(slowest, time.monotonic() - began)
    database.close()
    assert slowest < 0.25
    store.happened(Gap)
    wait_for(lambda: watch.pump(0.05) is not None and watch.tier != "none")
    assert watch.stats()["events"] <= before + 20  # opens only, never a read or a write


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_stalled_or_killed_guard_blocks_no_open_longer_than_a_quarter_second(store: Store, number: signal.Signals):
    store.open(response="alert")
    (path,) = store.files(1)
    responder = store.responder()
    code = (
        "import os, sys, time\n"
        "worst = 0.0\n"
        "end = time.monotonic() + 0.8\n"
        "print('go', flush=True)\n"
        "while time.monotonic() < end:\n"
        "    began = time.monotonic(); os.close(os.open(sys.argv[1], os.O_RDONLY))\n"
        "    worst = max(worst, time.monotonic() - began)\n"
        "print(worst)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"go\n"
        time.sleep(0.05)
        os.kill(responder, number)
        worst = float(reader.communicate(timeout=5)[0])
    assert worst < 0.25
    wait_for(lambda: store.responder() not in (responder, 0))


def test_marks_denials_blocks_and_policy_outlive_the_guard(store: Store, thief: Thief):
    watch = store.open()
    files = store.files(12)
    watch.deny([files[0].name])
    copier = thief(sys.executable, "-u", "-c", READ_ALL, *files[1:])
    session = store.crossing().event.session
    responder = store.responder()
    os.kill(responder, signal.SIGKILL)
    wait_for(lambda: subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 1)
    assert files[0].read_bytes(), "exempt before the daemon has connected again"
    gaps = {entry.cause for entry in store.happened(Gap) if isinstance(entry, Gap)}
    wait_for(lambda: _is_back(watch, gaps))
    assert gaps >= {"guard_lost", "guard_restart"}
    stats = watch.stats()
    assert (stats["marks"], stats["blocked"]) == (12, [session])
    assert subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 1
    assert state(copier.pid) == "T"
    thief(sys.executable, "-c", READ_ALL, *files[1:])
    assert store.crossing().response == "stop"


def _is_back(watch: GuardWatch, gaps: set[str]) -> bool:
    gaps.update(entry.cause for entry in watch.pump(0.05) if isinstance(entry, Gap))
    return watch.tier != "none" and "guard_restart" in gaps


def test_unmarked_files_are_nobodys_business(store: Store):
    watch = store.open()
    files = store.files(3)
    watch.unmark([path.name for path in files])
    subprocess.run(["cat", *files], capture_output=True, check=True)
    assert watch.pump(0.2) == []
    assert watch.stats()["marks"] == 0


def test_what_cannot_be_marked_is_named_with_its_cause(store: Store):
    watch = store.open()
    (store.folder / "folder").mkdir()
    result = watch.mark(
        [
            Watched(key="gone", path=os.fsencode(store.folder / "gone"), persons=1),
            Watched(key="folder", path=os.fsencode(store.folder / "folder"), persons=1),
        ]
    )
    assert result.marked == 0
    assert dict(result.failed) == {"gone": "FileNotFoundError", "folder": "special"}


def test_the_guard_has_few_rights_no_network_and_keeps_its_descriptor_to_itself(store: Store):
    store.open()
    responder = store.responder()
    for pid in (responder, store.guard.pid):
        status = Path(f"/proc/{pid}/status").read_text()
        assert "CapEff:\t0000000000a84024" in status
        assert "CapBnd:\t0000000000a84024" in status
        assert "NoNewPrivs:\t1" in status
    assert os.readlink(f"/proc/{responder}/ns/net") != os.readlink("/proc/self/ns/net")
    held = [os.readlink(f"/proc/{store.guard.pid}/fd/{number}") for number in os.listdir(f"/proc/{store.guard.pid}/fd")]
    assert "anon_inode:[fanotify]" not in held


def test_only_one_daemon_at_a_time_and_only_root_may_speak(store: Store):
    store.open()
    assert os.stat(store.home.guard_socket).st_mode & 0o777 == 0o600
    from agent.watch.fanotify import NoGuardError

    with pytest.raises(NoGuardError):
        GuardWatch(store.home.guard_socket, WatchSettings(), lambda _pid: None)


def test_the_guard_dies_with_its_watcher(store: Store, thief: Thief):
    watch = store.open()
    store.files(1)
    responder = store.responder()
    store.guard.kill()
    wait_for(lambda: state(responder) in ("", "Z", "X"))
    assert subprocess.run(["cat", store.folder / "members-0.csv"], capture_output=True, check=True).stdout
    watch.close()
    store.watch = None
    store.guard.wait()
    store.guard = start_guard(store.home)  # in place of the dead one, over its socket and state


def test_what_no_guard_heard_is_told_to_the_next_one(store: Store, thief: Thief):
    watch = store.open()
    files = store.files(3)
    watch.deny([files[2].name])
    os.kill(store.guard.pid, signal.SIGSTOP)  # the watcher starts no other meanwhile
    os.kill(store.responder(), signal.SIGKILL)
    wait_for(lambda: watch.pump(0.05) is not None and watch.tier == "none")
    with pytest.raises(NoGuardError):
        watch.deny([files[0].name])
    watch.allow([files[2].name])
    reader = thief("sleep", "30")
    assert not watch.exempt(reader.pid)
    os.kill(store.guard.pid, signal.SIGCONT)
    wait_for(lambda: watch.pump(0.05) is not None and watch.tier != "none")
    assert subprocess.run(["cat", files[0]], capture_output=True, check=False).returncode == 1
    assert subprocess.run(["cat", files[2]], capture_output=True, check=False).returncode == 0
    assert watch.stats()["exempt"] == 2
    assert (store.home.run / "guard.state").stat().st_mode & 0o777 == 0o600
