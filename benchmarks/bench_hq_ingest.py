"""Reports that head office takes in a second: `bench_hq_ingest.py [--seconds S] [--stores N] [--findings N]`.

A real `cloche-hq serve` on SQLite and on PostgreSQL; stores that were enrolled send full inventories of 100 findings
(25 KB) over mutual TLS, signed beforehand; an answer counts when it is 200 and new, that is: committed to disk. The
generator runs on the same processors. Beside it, in the same run, a peer: a bare uvicorn application with the same TLS
that checks nothing and puts the raw body into a table of the same database, what waits committed together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fleet.watch import family
from hq_load import Plan, make_plan, run_plan
from postgres import Cluster, is_usable, run_cluster

from central.testing import OfficeProcess, serve_office

TARGETS = {"postgresql": 1000, "sqlite": 800}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pids: list[int]) -> float:
    """Seconds of processor time of processes and their ended children."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(value) for value in fields[11:15])
    return total / TICK


def measure(plan: Plan, server: int, cluster: Cluster | None) -> dict[str, Any]:
    """One run, with the processor time of server and database."""
    postmaster = cluster.pid() if cluster else None
    before = cpu_of(family(server)), cpu_of(family(postmaster)) if postmaster else 0.0
    result = run_plan(plan)
    after = cpu_of(family(server)), cpu_of(family(postmaster)) if postmaster else 0.0
    return result | {"server_cpu": round(after[0] - before[0], 2), "database_cpu": round(after[1] - before[1], 2)}


@contextmanager
def peer(office: OfficeProcess, url: str) -> Iterator[tuple[str, int]]:
    """The bare application; its URL and process."""
    program = Path(__file__).with_name("hq_peer.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(office.folder), url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.communicate(timeout=20)


def bench(kind: str, options: argparse.Namespace, cluster: Cluster | None) -> dict[str, Any]:
    """Ours and the peer on one kind of database."""
    with tempfile.TemporaryDirectory(prefix="cloche-bench-") as name:
        folder = Path(name)
        url = cluster.create() if cluster else ""
        with serve_office(folder / "office", database=url, log=folder / "log", processes=options.processes) as office:
            processes = max(1, len(family(office.pid)) - 1)
            reports = int(options.seconds * options.most / options.stores) + 5
            plan = make_plan(
                office, folder, stores=options.stores, reports=reports, findings=options.findings,
                seconds=options.seconds,
            )  # fmt: skip
            size = len(plan.lines[0].requests[0])
            ours = measure(plan, office.pid, cluster)
            with peer(office, url or f"sqlite:///{folder / 'peer.db'}") as (peer_url, pid):
                other = measure(replace(plan, url=peer_url), pid, cluster)
    return {
        "database": kind, "processes": processes, "stores": options.stores, "bytes": size, "cloche": ours,
        "peer": other,
        "ratio": round(ours["rate"] / other["rate"], 2), "target": TARGETS[kind],
        "reached": ours["rate"] >= TARGETS[kind] and ours["bad"] == 0,
    }  # fmt: skip


def main() -> None:
    """Run, print a table, and the same as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--stores", type=int, default=192, help="connections, each of a store of its own")
    parser.add_argument("--findings", type=int, default=100)
    parser.add_argument("--processes", type=int, default=0, help="of the server; 0: as many as it starts by itself")
    parser.add_argument("--most", type=int, default=2500, help="reports a second that are signed beforehand")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for kind in options.database or ["sqlite", "postgresql"]:
        if kind == "sqlite":
            results.append(bench(kind, options, None))
        elif not is_usable():
            print("no PostgreSQL here (Debian package postgresql)", file=sys.stderr)
        else:
            with run_cluster(durable=True) as cluster:
                results.append(bench(kind, options, cluster))
    if options.json:
        print(json.dumps({"schema": "cloche.bench-hq-ingest/1", "results": results}))
    else:
        for result in results:
            show(result)
    sys.exit(any(not result["reached"] for result in results))


def show(result: dict[str, Any]) -> None:
    """For a person."""
    print(
        f"{result['database']}: {result['processes']} server process(es), {result['stores']} stores, "
        f"{result['bytes']} bytes a report"
    )
    for name in ("cloche", "peer"):
        run = result[name]
        print(
            f"  {name:7} {run['rate']:8.1f} reports/s   p50 {run['p50_ms']:6.1f} ms   p99 {run['p99_ms']:6.1f} ms   "
            f"CPU server {run['server_cpu']:.1f} s, database {run['database_cpu']:.1f} s, generator "
            f"{run['generator_cpu']:.1f} s in {run['seconds']:.1f} s   refused {run['bad']}, busy {run['busy']}"
        )
    verdict = "reached" if result["reached"] else "NOT REACHED"
    print(f"  ratio to the peer {result['ratio']}; wanted {result['target']}/s: {verdict}")


if __name__ == "__main__":
    main()
