"""A till that nobody configured keeps its live database; who carries files about does not get it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.guard.decide import Decider, Own, Policy, Subject, Target
from agent.watch.api import AccessEvent, Crossing, OwnProgram, Taught, Watched
from agent.watch.fanotify import GuardWatch
from agent.watch.own import LEARNING_SECONDS, mark
from agent.watch.testing import start_guard
from agent.wiring import Agent, build_agent
from config.home import find_home
from config.schema import Settings, WatchSettings

DAY = 86_400.0
NOW = 1_800_000_000.0
STOP = Policy(max_files=5, max_persons=500, response="stop", decoy_response="stop")
TILL = Subject(
    pid=100, started=1, program=b"/opt/till/bin/till", program_id=(8, 1), root_owned=False, uid=1001, session="s1"
)
COPY = dataclasses.replace(TILL, pid=101, program=b"/usr/bin/cp", program_id=(8, 2), root_owned=True, session="s2")
ORDERS = Target(key="orders", persons=30_000, live=True)
SELL = """
import sqlite3, sys
for line in sys.stdin:
    database = sqlite3.connect(sys.argv[1])
    database.execute("INSERT INTO orders (note) VALUES (?)", (line,)); database.commit(); database.close()
    print("sold", flush=True)
"""


def decider(own: Own) -> Decider:
    made = Decider(STOP)
    made.own = own
    return made


def test_an_own_program_is_neither_refused_nor_counted_nor_stopped():
    judge = decider(Own(programs={"orders": frozenset({(8, 1, 1001)})}))
    assert all(judge.decide(TILL, ORDERS, n, exempt=False).allow for n in range(9))
    files = [judge.decide(TILL, Target(key=f"k{n}", persons=3), 100 + n, exempt=False) for n in range(6)]
    assert [verdict.allow for verdict in files] == [True] * 5 + [False]
    assert not files[-1].stop
    assert judge.decide(TILL, ORDERS, 200, exempt=False).allow


@pytest.mark.parametrize(
    "stranger",
    [
        dataclasses.replace(TILL, uid=1002),
        dataclasses.replace(TILL, program_id=(8, 9)),
        COPY,
    ],
)
def test_another_account_or_program_is_bounded_on_it_as_ever(stranger: Subject):
    verdict = decider(Own(programs={"orders": frozenset({(8, 1, 1001)})})).decide(stranger, ORDERS, 1, exempt=False)
    assert (verdict.allow, verdict.stop) == (False, True)


def test_while_a_database_is_learned_only_carriers_are_refused_and_the_rest_is_told():
    judge = decider(Own(learning=frozenset({"orders"}), carriers=frozenset({b"cp"})))
    first = judge.decide(TILL, ORDERS, 1, exempt=False)
    assert first.allow
    assert first.broken is not None
    assert first.broken.response == "alert"
    assert judge.decide(TILL, ORDERS, 2, exempt=False).broken is None
    verdict = judge.decide(COPY, ORDERS, 3, exempt=False)
    assert (verdict.allow, verdict.stop) == (False, True)


def test_a_denied_database_is_denied_to_its_own_program_too():
    judge = decider(Own(programs={"orders": frozenset({(8, 1, 1001)})}))
    judge.denied.add("orders")
    assert not judge.decide(TILL, ORDERS, 1, exempt=False).allow


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings()) as made:
        yield made


@pytest.fixture
def orders(tmp_path: Path) -> Watched:
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
    database.close()
    return Watched(key="orders", path=os.fsencode(path), persons=30_000, live=True)


def met(at: float, program: str = "/bin/true", uid: int = 1001) -> AccessEvent:
    return AccessEvent(
        at=at, monotonic_ns=1, key="orders", path=b"/srv/orders.db", operation="open", pid=7, uid=uid,
        program=os.fsencode(program), decision="allow",
    )  # fmt: skip


def test_a_program_met_on_two_days_is_learned_and_one_of_a_single_day_or_a_carrier_is_not(
    agent: Agent, orders: Watched
):
    agent.own_programs.look([orders], NOW)
    assert not agent.own_programs.met(met(NOW))
    assert not agent.own_programs.met(met(NOW + 60))
    assert not agent.own_programs.met(met(NOW, "/bin/false"))
    assert not agent.own_programs.met(met(NOW, "/usr/bin/tar"))
    assert agent.own_programs.met(met(NOW + DAY))
    assert not agent.own_programs.met(met(NOW + DAY, "/usr/bin/tar"))
    taught = agent.own_programs.taught(NOW + DAY)
    assert taught.own == (OwnProgram(key="orders", program=b"/bin/true", uid=1001),)
    assert taught.learning == {"orders"}
    assert agent.own_programs.taught(NOW + LEARNING_SECONDS + 1).learning == frozenset()


def test_an_upgrade_of_an_own_program_starts_the_learning_anew(agent: Agent, orders: Watched, tmp_path: Path):
    till = tmp_path / "till"
    till.write_text("1")
    agent.own_programs.look([orders], NOW)
    for day in range(2):
        agent.own_programs.met(met(NOW + day * DAY, str(till)))
    later = NOW + LEARNING_SECONDS + DAY
    assert agent.own_programs.taught(later).learning == frozenset()
    (tmp_path / "new").write_text("2")
    (tmp_path / "new").rename(till)
    assert agent.own_programs.taught(later).learning == {"orders"}
    till.unlink()
    assert agent.own_programs.taught(later).own == ()


def test_who_writes_to_it_when_it_is_marked_is_learned_at_once_and_a_reader_is_not(agent: Agent, orders: Watched):
    reader = open(orders.path, "rb")  # noqa: SIM115  held until the end of the test
    code = "import sys; f = open(sys.argv[1], sys.argv[2]); print('open', flush=True); sys.stdin.read(1)"
    for mode, expected in (("rb", ()), ("r+b", (os.path.realpath(sys.executable).encode(),))):
        command = [sys.executable, "-c", code, os.fsdecode(orders.path), mode]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
            taught = agent.own_programs.look([orders], NOW)
            holder.communicate(b"!")
        assert tuple(own.program for own in taught.own) == expected
    reader.close()


def test_a_database_that_was_live_once_stays_live(agent: Agent, orders: Watched):
    shut = dataclasses.replace(orders, live=False)
    assert not agent.own_programs.as_live([shut])[0].live
    agent.own_programs.look([orders], NOW)
    assert agent.own_programs.as_live([shut])[0].live


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Callable[[], GuardWatch]]:
    home = find_home(tmp_path / "guarded")
    home.create()
    guard = start_guard(home)
    opened: list[GuardWatch] = []

    def connect() -> GuardWatch:
        settings = WatchSettings(response="stop", decoy_response="stop")
        opened.append(GuardWatch(home.guard_socket, settings, lambda _pid: None))
        return opened[-1]

    yield connect
    for watch in opened:
        watch.close()
    guard.terminate()
    assert guard.wait(timeout=5) == 0


@pytest.mark.needs("root", "fanotify")
@pytest.mark.kernel
def test_a_till_nobody_configured_keeps_selling_while_cp_of_its_database_is_stopped(
    agent: Agent, orders: Watched, guarded: Callable[[], GuardWatch], tmp_path: Path
):
    """Opened anew for each order, as tills with a rollback journal do; nobody holds it when it is marked."""
    agent.watch = guarded()
    assert mark(agent, [orders]).marked == 1
    command = [sys.executable, "-c", SELL, os.fsdecode(orders.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as till:
        assert till.stdin is not None
        assert till.stdout is not None

        def sell() -> None:
            till.stdin.write(b"noodles\n")  # type: ignore[union-attr]
            till.stdin.flush()  # type: ignore[union-attr]
            assert till.stdout.readline() == b"sold\n"  # type: ignore[union-attr]

        sell()
        thief = subprocess.Popen(
            [shutil.which("cp") or "cp", orders.path, tmp_path / "stolen.db"], start_new_session=True
        )
        crossings: list[Crossing] = []
        while not any(crossing.event.pid == thief.pid for crossing in crossings):
            crossings += [entry for entry in agent.watch.pump(0.2) if isinstance(entry, Crossing)]
            sell()
        assert crossings[-1].outcome == "stopped"
        assert {crossing.outcome for crossing in crossings if crossing.event.pid == till.pid} <= {"alerted"}
        assert not (tmp_path / "stolen.db").exists() or not (tmp_path / "stolen.db").read_bytes()
        thief.kill()
        thief.wait()
        agent.watch.teach(Taught(own=(OwnProgram(
            key="orders", program=os.path.realpath(sys.executable).encode(), uid=os.geteuid()
        ),)))  # fmt: skip
        sell()
        till.communicate()
