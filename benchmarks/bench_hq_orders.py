"""How soon stores hear of an order: `bench_hq_orders.py [--stores N] [--rounds N] [--postgres]`.

A real `cloche-hq serve`; N stores that were enrolled hold a long poll each over mutual TLS, in a process of their own
on the same processors. An order is given to all of them by a transaction beside the server, as a command would; each
store that is told answers with the reports `received` and `done`, signed. Times count from the commit: until the last
store had the order in its hands, and until head office had the last `done` in its database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import ssl
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fleet.watch import family
from postgres import is_usable, run_cluster

from central.database.engine import open_database, reading
from central.direct.orders import give_order
from central.direct.signing import sessions_with_key
from central.home import HeadOfficeHome
from central.models import Delivery
from central.people.directory import machine_viewer
from central.testing import OfficeProcess, SpeakingStore, serve_office
from central.wire import encode, report_message

TOLD, ACKNOWLEDGED = 2.0, 10.0


@dataclass(kw_only=True)
class Waiter:
    """One store: its connection's certificate and what it signs with."""

    store: str
    instance: str
    certificate: str
    key: str
    seed: bytes = field(repr=False)


class Line:
    """One connection of a store: a long poll, then reports, then the next poll."""

    def __init__(self, waiter: Waiter, host: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._waiter, self._host = waiter, host
        self._sign = Ed25519PrivateKey.from_private_bytes(waiter.seed).sign
        self._number = 0
        self._previous: dict[str, Any] | None = None
        self.after = 0
        self.told_at = 0.0

    async def run(self, authority: str, host: str, port: int, told: dict[int, list[float]]) -> None:
        """Ask, answer, ask again, for ever."""
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(self._waiter.certificate, self._waiter.key)
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        while True:
            status, body = await self._call(reader, writer, f"GET /v1/orders?after={self.after}&wait=50", b"", {})
            if status != 200:
                raise SystemExit(f"a poll was answered {status}: {body[:200]!r}")
            answer = json.loads(body)
            for delivery in answer["deliveries"]:
                self.after = delivery["number"]
                told.setdefault(self.after, []).append(time.time())
                order = json.loads(delivery["body"])["id"]
                for state in ("received", "done"):
                    await self._report(reader, writer, order, state)
            await asyncio.sleep(answer["again_in"])

    async def _report(self, reader: Any, writer: Any, order: str, state: str) -> None:
        self._number += 1
        document = {
            "order": order, "delivery": self.after, "state": state, "reason": "", "answer": {},
            "at": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        body = json.dumps(
            {
                "schema": "cloche.report/1", "kind": "order", "number": self._number, "previous": self._previous,
                "written_at": datetime.now(UTC).isoformat(), "document": document,
            }
        ).encode()  # fmt: skip
        import hashlib

        self._previous = {"number": self._number, "digest": hashlib.sha256(body).hexdigest()}
        headers = {
            "Cloche-Number": str(self._number), "Cloche-Signature": encode(self._sign(report_message(body))),
            "Content-Type": "application/json",
        }  # fmt: skip
        while True:
            status, said = await self._call(reader, writer, "POST /v1/reports", body, headers)
            if status == 200:
                return
            if status != 429:
                raise SystemExit(f"a report was answered {status}: {said[:200]!r}")
            await asyncio.sleep(0.2)

    async def _call(
        self, reader: Any, writer: Any, what: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        lines = {
            "Host": self._host, "Cloche-Wire": "1", "Cloche-Store": self._waiter.store,
            "Cloche-Instance": self._waiter.instance, "Content-Length": str(len(body)), **headers,
        }  # fmt: skip
        head = f"{what} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return int(answer[9:12]), await reader.readexactly(length)


def hold(waiters: list[Waiter], url: str, authority: str, pipe: Connection) -> None:
    """The stores' process: says when all of them wait, and on demand when each was told."""
    place = urlsplit(url)
    told: dict[int, list[float]] = {}

    async def work() -> None:
        lines = [Line(waiter, place.netloc) for waiter in waiters]
        tasks = []
        for start in range(0, len(lines), 100):  # a thousand handshakes at once are another benchmark
            tasks += [
                asyncio.create_task(line.run(authority, place.hostname or "", place.port or 0, told))
                for line in lines[start : start + 100]
            ]
            await asyncio.sleep(1.0)
        pipe.send("waiting")
        while True:
            if failed := [task for task in tasks if task.done()]:
                failed[0].result()
            if pipe.poll():
                pipe.send(told.get(pipe.recv(), []))
            await asyncio.sleep(0.05)

    uvloop.run(work())


def enrol(office: OfficeProcess, folder: Path, count: int) -> list[Waiter]:
    """Stores with certificates."""
    waiters = []
    with office.client() as client:
        for place in range(count):
            store = SpeakingStore(client=client)
            answer = store.enrol(office.token(f"测试店{place:04d}"))
            if answer.status_code != 200:
                raise SystemExit(f"a store could not be enrolled: {answer.text}")
            certificate, key = folder / f"{place}.pem", folder / f"{place}.key"
            certificate.write_text(store.certificate_pem)
            key.write_bytes(store.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            waiters.append(
                Waiter(
                    store=store.store_id, instance=store.instance, certificate=str(certificate), key=str(key),
                    seed=store.key.private_bytes_raw(),
                )
            )  # fmt: skip
            store.close()
    return waiters


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process and its children have used."""
    stats = [Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split() for one in family(pid)]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")


def measure(office: OfficeProcess, pipe: Connection, count: int, number: int) -> tuple[float, float, float]:
    """One order to all; seconds until all were told, until all had acknowledged, and processor time of head office."""
    engine = open_database(office.database or f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessions_with_key(HeadOfficeHome(folder=office.folder), engine).begin() as session:
            order = give_order(session, machine_viewer(), "rescan", "all", {}, reason="benchmark")
            order_id = order.id
        begun, used = time.time(), cpu_of(office.pid)
        acknowledged = 0.0
        while not acknowledged:
            with sessionmaker(reading(engine))() as session:
                done = session.scalar(
                    select(func.count()).where(Delivery.order_id == order_id, Delivery.state == "done")
                )
            if done == count:
                acknowledged = time.time() - begun
            elif time.time() - begun > 60:
                raise SystemExit(f"after a minute only {done} of {count} had acknowledged")
            else:
                time.sleep(0.1)
    finally:
        engine.dispose()
    pipe.send(number)
    times = pipe.recv()
    if len(times) != count:
        raise SystemExit(f"{len(times)} of {count} were told")
    return max(times) - begun, acknowledged, cpu_of(office.pid) - used


def main() -> None:
    """Run and print; exit 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    if options.postgres and not is_usable():
        raise SystemExit("no PostgreSQL here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stores").mkdir()
        with run_cluster(durable=True) if options.postgres else nullcontext() as cluster:
            database = cluster.create("orders") if cluster else ""
            with serve_office(folder / "office", database=database, processes=0) as office:
                waiters = enrol(office, folder / "stores", options.stores)
                mine, theirs = multiprocessing.Pipe()
                stores = multiprocessing.get_context("spawn").Process(
                    target=hold, args=(waiters, office.url, str(office.folder / "ca.pem"), theirs), daemon=True
                )
                stores.start()
                mine.recv()
                time.sleep(3)
                rounds = []
                for number in range(1, options.rounds + 1):
                    rounds.append(measure(office, mine, options.stores, number))
                    print(
                        f"round {number}: {options.stores} stores told in {rounds[-1][0]:.2f} s, "
                        f"acknowledged in {rounds[-1][1]:.2f} s, "
                        f"{rounds[-1][2]:.2f} s of processor time at head office, load {os.getloadavg()[0]:.1f}",
                        flush=True,
                    )
                    time.sleep(3)
                stores.terminate()
                stores.join()
    told, acknowledged, _ = (max(values) for values in zip(*rounds, strict=True))
    kind = "PostgreSQL" if options.postgres else "SQLite"
    print(f"{kind}, worst of {options.rounds}: told {told:.2f} s (target {TOLD:g}), "
          f"acknowledged {acknowledged:.2f} s (target {ACKNOWLEDGED:g}), {os.cpu_count()} processors")  # fmt: skip
    raise SystemExit(0 if told <= TOLD and acknowledged <= ACKNOWLEDGED else 1)


if __name__ == "__main__":
    main()
