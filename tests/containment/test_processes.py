"""Who holds a file, and stopping them: with real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from containment.processes import Holder, Spared, holders, resume, start_time, state, stop

NOBODY_SPARED = Spared()
HOLD = "import sys; held = open(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
MAP = (
    "import mmap, sys\n"
    "with open(sys.argv[1], 'rb') as file: held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
    "print('held', flush=True); sys.stdin.read()\n"
)
PARENT = (
    "import subprocess, sys\n"
    "held = open(sys.argv[1])\n"
    "child = subprocess.Popen(['sleep', '60'])\n"
    "other = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    "print(child.pid, other.pid, flush=True); sys.stdin.read()\n"
)


class Held:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: list[subprocess.Popen[str]] = []
        self.others: list[int] = []

    def by(self, code: str, program: str = sys.executable, **options: object) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [program, "-c", code, str(self.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, **options,
        )  # type: ignore[call-overload]  # fmt: skip
        self.started.append(process)
        return process, process.stdout.readline().strip()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    path = tmp_path / "members.csv"
    path.write_text("测试甲,13800001111\n")
    made = Held(path)
    yield made
    for pid in made.others:
        os.kill(pid, 9)
    for process in made.started:
        process.kill()
        process.communicate()


def holder_of(held: Held) -> Holder:
    (holder,) = holders([os.fsencode(held.path)])
    return holder


def wait_for_state(pid: int, wanted: str) -> None:
    end = time.monotonic() + 2
    while state(pid) not in wanted:
        assert time.monotonic() < end, state(pid)
        time.sleep(0.002)


def test_an_open_descriptor_is_found_with_its_program_and_command(held: Held):
    process, _ = held.by(HOLD)
    holder = holder_of(held)
    assert (holder.pid, holder.started, holder.uid) == (process.pid, start_time(process.pid), os.getuid())
    assert holder.program == os.fsencode(os.path.realpath(sys.executable))
    assert holder.paths == (os.fsencode(held.path),)
    assert not holder.mapped
    assert str(held.path) not in repr(holder), "a path may carry a value"


def test_a_mapping_without_a_descriptor_is_found(held: Held):
    process, _ = held.by(MAP)
    holder = holder_of(held)
    assert (holder.pid, holder.mapped) == (process.pid, True)


def test_a_rename_after_the_open_hides_nobody(held: Held):
    process, _ = held.by(HOLD)
    held.path = held.path.rename(held.path.with_name("holiday.jpg"))
    assert holder_of(held).pid == process.pid


def test_a_file_that_nobody_holds_or_that_is_gone_has_no_holders(held: Held):
    assert holders([os.fsencode(held.path), b"/nonexistent"]) == []


def test_a_stopped_holder_stands_still_until_it_is_resumed(held: Held):
    process, _ = held.by(HOLD)
    holder = holder_of(held)
    (outcome,) = stop(holder, NOBODY_SPARED)
    assert outcome.action == "stopped"
    wait_for_state(process.pid, "T")
    assert resume(holder.pid, holder.started).action == "resumed"
    wait_for_state(process.pid, "SR")


def test_children_of_the_same_session_are_stopped_too_and_others_not(held: Held):
    process, line = held.by(PARENT)
    child, other = map(int, line.split())
    held.others = [child, other]
    outcomes = stop(holder_of(held), NOBODY_SPARED)
    assert [outcome.pid for outcome in outcomes] == [process.pid, child]
    wait_for_state(child, "T")
    assert state(other) == "S"


def test_a_number_that_went_to_another_process_is_left_alone(held: Held):
    process, _ = held.by(HOLD)
    holder = holder_of(held)
    stale = Holder(**{name: getattr(holder, name) for name in Holder.__dataclass_fields__} | {"started": 1})
    assert stop(stale, NOBODY_SPARED)[0].action == "gone"
    assert resume(holder.pid, 1).action == "gone"
    assert state(process.pid) == "S"


def test_a_process_that_ended_is_gone(held: Held):
    process, _ = held.by(HOLD)
    holder = holder_of(held)
    process.communicate("")
    assert stop(holder, NOBODY_SPARED)[0].action == "gone"


@pytest.mark.parametrize(("shared", "protected"), [(("fileserver",), ()), ((), ("PATH",)), (("PATH",), ())])
def test_shared_servers_and_the_tills_programs_are_never_stopped(
    held: Held, tmp_path: Path, shared: tuple[str, ...], protected: tuple[str, ...]
):
    server = tmp_path / "fileserver"
    shutil.copy(os.path.realpath(sys.executable), server)
    environment = os.environ | {"PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"}
    process, _ = held.by(HOLD, str(server), env=environment)

    def named(entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(server) if entry == "PATH" else entry for entry in entries)

    (outcome,) = stop(holder_of(held), Spared.of(named(shared), named(protected)))
    assert (outcome.action, outcome.reason) == ("denied_only", "spared")
    assert state(process.pid) == "S"


@pytest.mark.parametrize("pid", [1, 2, os.getpid()], ids=["init", "kthreadd", "ourselves"])
def test_init_kernel_threads_and_ourselves_are_spared(pid: int):
    assert Spared.of((), ()).spares(pid, b"/usr/bin/python3")


def test_a_program_replaced_by_an_upgrade_is_still_known_by_its_path():
    assert Spared.of((), ("/opt/till/till",)).spares(4321, b"/opt/till/till (deleted)")
