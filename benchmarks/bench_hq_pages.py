"""How long every page takes: `bench_hq_pages.py [--stores N] [--findings N] [--database KIND] [--rounds N]`.

A real `cloche-hq serve` over a database filled by hq_seed.py; every GET route that stands behind a login, as people of
different roles, over TLS, one request at a time. The figure is the server's own time (`Server-Timing` on each answer);
beside it the processor time of server and database a request, which says the same on a machine that is busy.
A page that a role may not see (403) or that has nothing to show for the sample (404) is said so and not counted.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import httpx
from fleet.watch import family
from hq_seed import fill
from postgres import is_usable, run_cluster
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from central.api.programs import describe_api, openapi_document
from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.models import Case, Entity, Grant, Order, Paper, Person, Region, Store, StoredIncident, Webhook
from central.moments import now
from central.office import open_office
from central.pages.acts import KINDS
from central.pages.charts import CHARTS
from central.pages.doors import COOKIE, Doors
from central.pages.render import Pages
from central.pages.routes import all_routes
from central.people.accounts import begin_login
from central.people.tokens import make_token
from central.testing import OfficeProcess, call_office, serve_office

LIMIT = 200.0
WARM = 6.0
"""Seconds after the first page."""
SAMPLES = 12
ROLES = (
    ("security_lead", "all", ""),
    ("legal", "all", ""),
    ("area_manager", "region", "r-03"),
    ("store_manager", "store", ""),
)
QUERIES = {
    "/": ["", "?page=2", "?need=incident", "?region=r-03"],
    "/search": ["?q=会员", "?q=00042", "?q=示例"],
    "/stores/{store}/places": ["", "?level=3", "?page=2"],
}
TIMING = re.compile(r"app;dur=([0-9.]+)")


@dataclass(kw_only=True)
class Page:
    """A path as one role sees it."""

    path: str
    role: str
    times: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """Milliseconds a request, of server and database."""
    statuses: Counter[int] = field(default_factory=Counter)

    def quantile(self, part: float) -> float:
        """Milliseconds, by the nearest rank."""
        times = sorted(self.times)
        return times[max(0, math.ceil(len(times) * part) - 1)]


def main() -> None:
    """Run, print a table, and the same as JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=2000)
    parser.add_argument("--findings", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=20, help="requests of each page as each role")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.database == "postgresql" and not is_usable():
        raise SystemExit("no PostgreSQL here (Debian package postgresql)")
    cluster = run_cluster(durable=True) if options.database == "postgresql" else nullcontext()
    with cluster as database, tempfile.TemporaryDirectory(prefix="cloche-pages-") as name:
        url, folder = database.create() if database else "", Path(name) / "office"
        made = call_office(folder, "init", "--name", "示例总部", "--second-factor", "offered", database=url)
        begun = time.time()
        engine = open_database(url or f"sqlite:///{folder / 'hq.db'}")
        fill(engine, options.stores, options.findings)
        print(f"filled in {time.time() - begun:.0f} s", file=sys.stderr)
        with sessionmaker(engine).begin() as session:
            samples = gather(session)
            visitors = {role: enter(session, role, scope, scope_id, samples) for role, scope, scope_id in ROLES}
            token = program_token(session)
        engine.dispose()
        paths = page_paths(folder, url)
        with serve_office(folder, made=made, database=url, log=Path(name) / "log", processes=0) as office:
            with office.client() as client:  # with the first page it begins to make the others ready
                client.get("/login")
            time.sleep(WARM)
            processor = Processor(office.pid, database.pid() if database else None)
            pages = [
                page
                for visitor in visitors.items()
                for page in look(office, visitor, paths, samples, options.rounds, processor)
            ]
            pages += ask(office, token, samples, options.rounds, processor)
    report(pages, options)


def page_paths(folder: Path, url: str) -> list[str]:
    """All paths behind doors that are looked at."""
    import os

    if url:
        os.environ["CLOCHEHQ_DATABASE"] = url
    office = open_office(HeadOfficeHome(folder=folder))
    try:
        routes = all_routes(Doors(office, Pages(office.timezone, office.name)))
        return list(dict.fromkeys(route.path for route in routes if "GET" in (route.methods or ())))
    finally:
        office.close()
        os.environ.pop("CLOCHEHQ_DATABASE", None)


def gather(session: Session) -> dict[str, list[str]]:
    """Values for the parameters of paths."""
    luck = random.Random(1)
    stores = list(session.scalars(select(Store.id).order_by(Store.id)))
    session.add(Case(id="c-bench", kind="intrusion", summary="示例", made_at=now(), by_id="p-bench", closed_at=None))
    session.flush()
    for row in session.scalars(select(StoredIncident).where(StoredIncident.is_open).limit(40)).all():
        row.case_id = "c-bench"
    session.flush()
    incidents = session.execute(select(StoredIncident.store_id, StoredIncident.incident_id).limit(SAMPLES)).all()
    papers = session.execute(select(Paper.store_id, Paper.incident_id, Paper.name).limit(SAMPLES)).all()
    return {
        "store": luck.sample(stores, min(SAMPLES, len(stores))),
        "store/incident": [f"{row[0]}/{row[1]}" for row in incidents],
        "store/incident/name": [f"{row[0]}/{row[1]}/{row[2]}" for row in papers],
        "case": ["c-bench"],
        "order": list(session.scalars(select(Order.id).limit(SAMPLES))),
        "region": list(session.scalars(select(Region.id).limit(SAMPLES))),
        "entity": list(session.scalars(select(Entity.id).limit(SAMPLES))),
        "person": list(session.scalars(select(Person.id).limit(SAMPLES))),
        "hook": list(session.scalars(select(Webhook.id).limit(SAMPLES))),
        "name": list(CHARTS), "act": list(KINDS), "kind": list(KINDS),
        "file": ["stores.csv", "incidents.csv", "clocks.csv"],
    }  # fmt: skip


def enter(session: Session, role: str, scope: str, scope_id: str, samples: dict[str, list[str]]) -> str:
    """The cookie of somebody with one role."""
    person = Person(id=f"p-bench-{role}"[:40], name="示例人员", made_at=now(), language="zh-CN")
    session.add(person)
    session.flush()
    where = samples["store"][0] if scope == "store" else scope_id
    session.add(Grant(person_id=person.id, role=role, scope=scope, scope_id=where, since=now()))
    return begin_login(session, person, "127.0.0.1")


def program_token(session: Session) -> str:
    """Of a program that may see everything."""
    return make_token(session, session.get_one(Person, "p-bench-security_lead"), "bench", lasts=timedelta(days=1))[0]


def concrete(path: str, samples: dict[str, list[str]]) -> list[str] | None:
    """Paths with values in place of parameters; None where there is no sample."""
    parameters = re.findall(r"{(\w+)(?::path)?}", path)
    if not parameters:
        return [path]
    if parameters[:2] == ["store", "incident"]:
        key = "/".join(parameters) if parameters[2:3] == ["name"] else "store/incident"
        found = []
        for value in samples[key]:
            filled = path
            for name, part in zip(parameters, value.split("/", len(parameters) - 1), strict=False):
                filled = re.sub(r"{" + name + r"(:path)?}", part, filled)
            found.append(filled)
        rest = re.findall(r"{(\w+)}", path.replace("{store}", "").replace("{incident}", ""))
        return [item for value in found for item in _fill(value, rest, samples)] or None
    return _fill(path, parameters, samples) or None


def _fill(path: str, parameters: list[str], samples: dict[str, list[str]]) -> list[str]:
    found = [path]
    for name in parameters:
        found = [item.replace("{" + name + "}", value) for item in found for value in samples.get(name, [])[:SAMPLES]]
    return found


class Processor:
    """Time on a processor of some processes and their children, from the kernel's own count in nanoseconds."""

    def __init__(self, *pids: int | None) -> None:
        self._pids = [pid for pid in pids if pid]

    def milliseconds(self) -> float:
        """So far."""
        total = 0
        for process in {one for pid in self._pids for one in family(pid)}:
            for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
                try:
                    total += int(file.read_text().split()[0])
                except OSError:
                    continue
        return total / 1e6


def look(
    office: OfficeProcess, visitor: tuple[str, str], paths: list[str], samples: dict[str, list[str]], rounds: int,
    processor: Processor,
) -> Iterator[Page]:  # fmt: skip
    """Every page as one role, by its cookie."""
    luck = random.Random(2)
    role, cookie = visitor
    with office.client() as client:
        client.cookies.update({COOKIE: cookie})
        for path in paths:
            chosen = concrete(path, samples)
            page = Page(path=path, role=role)
            if chosen and role == "store_manager" and "{store}" in path:
                chosen = [item for item in chosen if samples["store"][0] in item] or chosen
            before = processor.milliseconds()
            for _number in range(rounds if chosen else 0):
                one = luck.choice(chosen or [])
                _time(page, client, one + luck.choice(QUERIES.get(path, [""])))
            page.cpu = (processor.milliseconds() - before) / max(1, rounds)
            yield page


def ask(
    office: OfficeProcess, token: str, samples: dict[str, list[str]], rounds: int, processor: Processor
) -> Iterator[Page]:
    """The API's lists, and figures for Prometheus."""
    luck = random.Random(3)
    with office.client() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        paths = [path for path, methods in openapi_document(describe_api())["paths"].items() if "get" in methods]
        for path in [*(f"/api/v1{path}" for path in paths), "/metrics"]:
            chosen = concrete(path, samples)
            page = Page(path=path, role="program")
            before = processor.milliseconds()
            for _number in range(rounds if chosen else 0):
                _time(page, client, luck.choice(chosen or []))
            page.cpu = (processor.milliseconds() - before) / max(1, rounds)
            yield page


def _time(page: Page, client: httpx.Client, path: str) -> None:
    with client.stream("GET", path, headers={"Accept-Language": "zh-CN"}) as answer:
        wait = answer.headers.get("retry-after") if answer.status_code == 429 else None  # a token has its rate
        if wait is None:
            page.statuses[answer.status_code] += 1
        timing = TIMING.search(answer.headers.get("server-timing", ""))
        if answer.status_code == 200 and timing:
            page.times.append(float(timing[1]))
        for _piece in answer.iter_raw():
            pass
    if wait is not None:
        time.sleep(float(wait))
        _time(page, client, path)


def report(pages: list[Page], options: argparse.Namespace) -> None:
    """A table, the slowest first; exits 1 where a page is over the limit or failed."""
    seen = sorted((page for page in pages if page.times), key=lambda page: -page.quantile(0.95))
    failed = [page for page in pages if any(status >= 500 for status in page.statuses)]
    slow = [page for page in seen if page.quantile(0.95) > LIMIT]
    unseen: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        if not page.times:
            unseen[page.path].add(f"{page.role}: {dict(page.statuses) or 'no sample'}")
    rows: list[dict[str, Any]] = [
        {
            "path": page.path, "role": page.role, "requests": len(page.times), "p50": round(page.quantile(0.5), 1),
            "p95": round(page.quantile(0.95), 1), "max": round(max(page.times), 1), "cpu": round(page.cpu, 1),
        }
        for page in seen
    ]  # fmt: skip
    if options.json:
        print(json.dumps({"schema": "cloche.bench-hq-pages/1", "rows": rows, "limit": LIMIT}, ensure_ascii=False))
    else:
        print(f"{options.database}, {options.stores:,} stores, {options.findings:,} findings: server milliseconds")
        print(f"{'page':<46} {'as':<14} {'p50':>8} {'p95':>8} {'max':>8} {'cpu':>8}")
        for row in rows:
            over = "  OVER" if row["p95"] > LIMIT else ""
            times = " ".join(f"{row[name]:>8}" for name in ("p50", "p95", "max", "cpu"))
            print(f"{row['path']:<46} {row['role']:<14} {times}{over}")
        for path, why in unseen.items():
            print(f"not measured: {path}: {'; '.join(sorted(why))}")
        for page in failed:
            print(f"FAILED: {page.path} as {page.role}: {dict(page.statuses)}")
        print(f"{len(rows)} pages, {len(slow)} over {LIMIT:.0f} ms, {len(failed)} failed")
    sys.exit(bool(slow or failed))


if __name__ == "__main__":
    main()
