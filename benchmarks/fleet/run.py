"""A fleet of stores that speak the real protocol to a real head office: `run.py [--stores N] [--database KIND]`.

Enrols them with tokens, lets them report with clocks that are off, lines that are cut, reports sent twice and out of
order; gives an order to a thousand that hold long polls; then all come back at once after weeks offline while hostile
ones attack and somebody reads pages. Afterwards the database is compared, report by report, with what the stores were
promised. Prints a table; exits 1 where a limit is broken. Server, stores and database share this machine's processors.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests"))

import httpx
from postgres import is_usable, run_cluster
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from central.database.engine import open_database
from central.models import Person
from central.people.tokens import make_token as make_api_token
from central.stores.authority import pin_of
from central.stores.enrol import make_token
from central.testing import OfficeProcess, serve_office
from fleet import check, crew, watch

ORDERED = 1000
TOLD_SECONDS, DONE_SECONDS, PAGE_SECONDS, MEMORY_BYTES = 2.0, 10.0, 1.0, 500_000_000


@dataclass(kw_only=True)
class Result:
    """A line of the table."""

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def is_good(self) -> bool:
        """Within its limit, if there is one."""
        return self.limit is None or self.value <= self.limit


@dataclass(kw_only=True)
class Fleet:
    """Crews at work."""

    pipes: list[Connection] = field(default_factory=list)

    def tell(self, name: str, *arguments: Any) -> list[dict[str, Any]]:
        """Give all crews a command and wait for their answers.

        Raises:
            SystemExit: a crew failed.
        """
        for pipe in self.pipes:
            pipe.send((name, arguments))
        answers = [pipe.recv() for pipe in self.pipes]
        for is_done, answer in answers:
            if not is_done:
                raise SystemExit(f"{name}: {answer}")
        return [answer for _is_done, answer in answers]


def main() -> None:
    """Run and report."""
    options = _options()
    if options.database == "postgresql" and not is_usable():
        raise SystemExit("no PostgreSQL here (Debian package postgresql)")
    cluster = run_cluster(durable=True) if options.database == "postgresql" else nullcontext()
    with cluster as database, tempfile.TemporaryDirectory(prefix="cloche-fleet-") as name:
        url = database.create() if database else ""
        folder = Path(name)
        with serve_office(folder / "office", database=url, log=folder / "log", processes=options.processes) as office:
            results, wrong = _play(office, options)
        log = (folder / "log").read_text(encoding="utf-8")
    errors = [line for line in log.splitlines() if '"level": "error"' in line or "Traceback" in line]
    wrong += [f"the server said: {line[:200]}" for line in errors[:5]]
    if options.json:
        rows = [{"what": one.what, "value": one.value, "unit": one.unit, "limit": one.limit} for one in results]
        print(json.dumps({"schema": "cloche.fleet/1", "results": rows, "wrong": wrong}, ensure_ascii=False))
    else:
        for one in results:
            limit = f"  (limit {one.limit:g})" if one.limit is not None else ""
            print(f"{one.what:<58} {one.value:>12,.2f} {one.unit:<4}{limit}{'' if one.is_good else '  BROKEN'}")
        for line in wrong[:20]:
            print(f"WRONG  {line}")
        print("nothing lost, nothing doubled, all chains whole" if not wrong else f"{len(wrong)} things are wrong")
    sys.exit(bool(wrong) or any(not one.is_good for one in results))


def _play(office: OfficeProcess, options: argparse.Namespace) -> tuple[list[Result], list[str]]:
    """All phases on a head office."""
    results: list[Result] = []

    def note(what: str, value: float, unit: str, limit: float | None = None) -> None:
        results.append(Result(what=what, value=value, unit=unit, limit=limit))
        print(f"  {what}: {value:,.2f} {unit}", file=sys.stderr, flush=True)

    api_token = _api_token(office)
    with watch.Memory(office.pid) as memory, _crews(office, options) as fleet:
        begun = time.time()
        enrolled = fleet.tell("enrol")
        stores = [store for answer in enrolled for store in answer["stores"]]
        note("server's memory: at the start", memory.at_start / 1e6, "MB")
        note("stores enrolled", len(stores) / (time.time() - begun), "/s")
        steady = fleet.tell("steady", options.rounds)
        reports = sum(answer["reports"] for answer in steady)
        note("steady: reports, mishaps among them", reports / max(answer["seconds"] for answer in steady), "/s")
        note("server's memory: after it", memory.now / 1e6, "MB")
        chosen = stores[:ORDERED]
        order_id = _order(office, fleet, api_token, (stores, chosen), note)
        note("server's memory: with all polls held", memory.now / 1e6, "MB")
        kept = sum(answer["kept"] for answer in fleet.tell("away", options.days))
        fleet.tell("attacks")
        paths = ["/", f"/stores/{stores[0]}", "/law", "/search?q=00042", f"/stores/{stores[-1]}/places", "/cases"]
        with watch.Reader(office, paths) as reader:
            storm = fleet.tell("storm")
        attacks = fleet.tell("peace")
        seconds = max(answer["seconds"] for answer in storm)
        note(f"storm: {len(stores):,} stores, {kept:,} kept reports", seconds, "s")
        note("storm: reports taken", kept / seconds, "/s")
        note("storm: half of the stores done after", max(answer["half"] for answer in storm), "s")
        note("storm: answers that said wait (429, 503)", sum(answer["busy"] for answer in storm), "")
        times = sorted(seconds for seconds, _path in reader.times)
        note(f"storm: pages, 95 of 100 ({len(times)} looked at)", times[int(len(times) * 0.95)], "s", PAGE_SECONDS)
        slowest = max(reader.times)
        note(f"storm: slowest page ({slowest[1]})", slowest[0], "s")
        note("hostile: requests", sum(sum(a.values()) - a.get("taken", 0) for a in attacks), "")
        note("hostile: taken", sum(answer.get("taken", 0) for answer in attacks), "", 0)
        note("hostile: failures of ours (5xx but 503)", sum(_failures(answer) for answer in attacks), "", 0)
        accounts = [store for answer in fleet.tell("account") for store in answer["stores"]]
        note("lines that broke", sum(account["cuts"] for account in accounts), "")
        note("reports sent again and known", sum(account["known"] for account in accounts), "")
    note("server's memory at its most", memory.most / 1e6, "MB", MEMORY_BYTES / 1e6)
    time.sleep(1.5)  # faults are written a second later
    wrong = [f"page {failure}" for failure in reader.failures]
    engine = open_database(office.database or f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine)() as session:
            wrong += check.check(session, accounts, order_id, chosen)
    finally:
        engine.dispose()
    return results, wrong


def _order(
    office: OfficeProcess, fleet: Fleet, api_token: str, stores: tuple[list[str], list[str]], note: Any
) -> str:  # fmt: skip
    """An order to the chosen ones while all hold a long poll; its identifier."""
    everyone, chosen = stores
    fleet.tell("hold", chosen)
    with office.client() as client:
        client.headers["Authorization"] = f"Bearer {api_token}"
        deadline = time.time() + 60
        while _polls(client) < len(everyone) and time.time() < deadline:
            time.sleep(0.2)
        note("long polls held", _polls(client), "")
        wish = {"kind": "rescan", "stores": chosen, "params": {"full": False}, "reason": "测试指令", "hours": 1}
        begun = time.time()
        answer = client.post("/api/v1/orders", json=wish)
        given = time.time()
        if answer.status_code != 201:
            raise SystemExit(f"the order was refused: {answer.status_code} {answer.text[:300]}")
        heard = fleet.tell("heard")
    told = max(moment for answer_ in heard for moment in answer_["told"])
    done = max(moment for answer_ in heard for moment in answer_["done"])
    note(f"order to {len(chosen):,}: given (request and answer)", given - begun, "s")
    note(f"order to {len(chosen):,}: all told, from the request on", told - begun, "s", TOLD_SECONDS)
    note(f"order to {len(chosen):,}: all acknowledged", done - begun, "s", DONE_SECONDS)
    return str(answer.json()["id"])


def _polls(client: httpx.Client) -> int:
    text = client.get("/metrics").text
    return int(float(text.split("\ncloche_hq_polls_connected ")[1].split()[0]))


def _failures(answers: dict[str, int]) -> int:
    return sum(count for status, count in answers.items() if status.startswith("5") and status != "503")


@contextmanager
def _crews(office: OfficeProcess, options: argparse.Namespace) -> Iterator[Fleet]:
    """Processes with the stores, each with its share of tokens and hostile ones."""
    parts = urlsplit(office.url)
    tokens = _tokens(office, options.stores + options.hostile)
    share = -(-len(tokens) // options.crews)
    context = multiprocessing.get_context("spawn")
    fleet, processes = Fleet(), []
    for number in range(options.crews):
        ours, theirs = context.Pipe()
        orders = crew.Orders(
            host=str(parts.hostname), port=int(parts.port or 443), seed=number + 1,
            hostiles=options.hostile // options.crews,
            authority=(office.folder / "ca.pem").read_text(encoding="ascii"), places=options.places,
            tokens=tokens[number * share : (number + 1) * share],
        )  # fmt: skip
        process = context.Process(target=crew.work, args=(theirs, orders), daemon=True)
        process.start()
        theirs.close()
        fleet.pipes.append(ours)
        processes.append(process)
    try:
        yield fleet
        for pipe in fleet.pipes:
            pipe.send(None)
        for process in processes:
            process.join(timeout=30)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
                process.join()
        for pipe in fleet.pipes:
            pipe.close()


def _tokens(office: OfficeProcess, count: int) -> list[tuple[str, str]]:
    engine = open_database(office.database or f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine).begin() as session:
            pin = pin_of(office.folder / "ca.pem")
            names = [f"测试{number:05d}店" for number in range(count)]
            return [(name, make_token(session, pin, store_name=name, lasts=timedelta(hours=4))[0]) for name in names]
    finally:
        engine.dispose()


def _api_token(office: OfficeProcess) -> str:
    engine = open_database(office.database or f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine).begin() as session:
            person = session.scalars(select(Person).where(Person.login == office.officer)).one()
            return make_api_token(session, person, "fleet", writes=True)[0]
    finally:
        engine.dispose()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=2000)
    parser.add_argument("--hostile", type=int, default=8, help="stores that attack, beside the others")
    parser.add_argument("--days", type=int, default=30, help="how long all of them are away")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of steady reports")
    parser.add_argument("--places", type=int, default=100, help="findings in an inventory")
    parser.add_argument("--crews", type=int, default=2, help="processes of stores")
    parser.add_argument(
        "--processes", type=int, default=0, help="processes of the server; 0: as many as it starts by itself"
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
