"""Count and list the affected persons of an incident: `bench_persons.py [PERSONS]` (1,000,000 unless said otherwise).

A member table with everybody (half with a mailbox, a fifth with an id card), a list of orders of a third of them with
platform numbers in between, and a SQLite file with a fifth of them again: each person counts once. Through the agent
and its worker as in an incident, files in place, then from the vault. Memory is the peak of both processes together, as
sampled, with what is decrypted into memory (`memfd`) beside it. Bound: 60 s and 300 MB for a million persons counted.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.notice.lists import make_list
from agent.notice.persons import count_persons
from agent.wiring import Agent, build_agent
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from containment.entries import Entry
from containment.quarantine import Terms

FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def phone(number: int) -> str:
    """A mobile number of the form, made up."""
    return f"13{number % 10}{number:08d}"


def id_card(number: int) -> str:
    """An id number whose check digit fits (GB 11643-1999), made up."""
    day, order = divmod(number, 999)
    month, day = divmod(day, 28)
    year, month = divmod(month, 12)
    body = f"110101{1950 + year}{month + 1:02d}{day + 1:02d}{order + 1:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def make_files(folder: Path, persons: int) -> None:
    """Three files."""
    with (folder / "会员.csv").open("w", encoding="utf-8") as file:
        file.write("姓名,手机号,邮箱,身份证号,生日\n")
        for n in range(persons):
            mail = f"guest{n}@example.com" if n % 2 else ""
            card = id_card(n // 5) if n % 5 == 0 else ""
            file.write(f"{FAMILY[n % 20]}测试{n % 97},{phone(n)},{mail},{card},1990-01-{n % 28 + 1:02d}\n")
    with (folder / "订单.csv").open("w", encoding="utf-8") as file:
        file.write("订单号,收货人,联系电话,地址\n")
        for n in range(persons // 3):
            number = f"170{n:08d}转{n % 9000 + 1000}" if n % 10 == 0 else phone(n * 2)
            file.write(f"D{n:09d},{FAMILY[n % 20]}样例,{number},上海市测试路{n % 900 + 1}号\n")
    with sqlite3.connect(folder / "crm.db") as database:
        database.execute("CREATE TABLE members (name TEXT, mobile TEXT, email TEXT)")
        rows = ((f"{FAMILY[n % 20]}测试", phone(n * 5), f"guest{n * 5}@example.com") for n in range(persons // 5))
        database.executemany("INSERT INTO members VALUES (?, ?, ?)", rows)
    database.close()


class Memory:
    """The most that this process and its children had at one time, in bytes, while a block runs."""

    def __init__(self) -> None:
        self.peak = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.05):
            pids = [os.getpid(), *map(int, _read(f"/proc/self/task/{os.getpid()}/children").split())]
            total = sum(_resident(pid) for pid in pids) + _memfds()
            self.peak = max(self.peak, total)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def _resident(pid: int) -> int:
    """`Pss`: shared pages are shared out (proc(5))."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def _memfds() -> int:
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("/memfd:"):
                total += os.fstat(int(name)).st_size
        except OSError:
            continue
    return total


def incident_of(agent: Agent, folder: Path, entries: dict[bytes, Entry]) -> Incident:
    """An incident about the folder's files."""
    now, store = datetime.now(UTC), incidents(agent)
    paths = [os.fsencode(path) for path in sorted(folder.iterdir())] or list(entries)
    incident = store.add(
        Incident(
            id="", kind="insider", phase="responding", machine=False, summary="", place="", types=(), by="bench",
            scope="named", discovered_at=now, occurred_at=None, reported_at=None, declared_at=now,
            handling_ended_at=None, closed_at=None, files=len(paths), persons=0,
        ),
        now,
    )  # fmt: skip
    items = [
        Affected(key="", path=path, name="", persons=0, vault_id=entries[path].id if path in entries else None)
        for path in paths
    ]
    store.set_items(incident.id, items)
    return store.get(incident.id)


def measured(agent: Agent, incident: Incident, what: str) -> None:
    """One count or list, with its cost."""
    begin, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time()
    with Memory() as memory:
        if what == "list":
            made = make_list(agent, incident.id, None, "bench")
            found = f"{made.persons:,} listed"
        else:
            counted = count_persons(agent, incident.id)
            found = f"{counted.persons:,} persons, {counted.sensitive:,} sensitive, {counted.virtual:,} virtual"
            assert counted.complete, counted.unread
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    worker = children.ru_utime + children.ru_stime - used.ru_utime - used.ru_stime
    print(
        f"{what:6} {time.monotonic() - begin:6.1f} s ({time.process_time() - own:.1f} s here, {worker:.1f} s worker)  "
        f"peak {memory.peak / 1e6:4.0f} MB  {found}",
        flush=True,
    )


def main() -> None:
    """In place and from the vault; each in a process of its own."""
    if len(sys.argv) > 2:
        one(Path(sys.argv[2]), sys.argv[3])
        return
    persons = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder, "share")
        share.mkdir()
        make_files(share, persons)
        size = sum(path.stat().st_size for path in share.iterdir())
        print(f"{persons:,} persons, {size / 1e6:.0f} MB in {len(list(share.iterdir()))} files", flush=True)
        for where in ("place", "vault"):
            subprocess.run([sys.executable, __file__, str(persons), folder, where], check=True)


def one(folder: Path, where: str) -> None:
    """Count and list, where the files are."""
    home = find_home(folder / f"home-{where}")
    home.create()
    with build_agent(home, Settings()) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        entries: dict[bytes, Entry] = {}
        if where == "vault":
            paths = [os.fsencode(path) for path in (folder / "share").iterdir()]
            terms = Terms(notice="", protected=frozenset(), reserved=(), forced=True, settled=True)
            taken = agent.quarantine.take_in(agent.quarantine.fence(paths, "bench", terms).entries)
            entries = {entry.path: entry for entry in taken.entries}
        incident = incident_of(agent, folder / "share", entries)
        print(f"files in {where}", flush=True)
        for what in ("count", "list"):
            measured(agent, incident, what)


if __name__ == "__main__":
    main()
