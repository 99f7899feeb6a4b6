"""Load for head office: stores with keys and certificates, reports signed beforehand, and connections that send them.

`python hq_load.py PLAN` is the generator's own process: it reads a plan (pickled), holds one mutual-TLS connection a
store and sends that store's reports one after another, each when the one before is answered. It prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import resource
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from central.testing import OfficeProcess, SpeakingStore
from central.wire import encode, report_message

ENTITIES = ["PERSON", "PHONE_NUMBER", "ADDRESS", "CREDIT_CARD", "EMAIL_ADDRESS"]
FOLDERS = ["导出", "会员", "排班", "发票", "备份", "外卖对账", "预订", "旧收银机"]


@dataclass(kw_only=True)
class Line:
    """One store's connection: where its certificate and key are, and the requests it sends."""

    certificate: str
    key: str
    requests: list[bytes] = field(repr=False)


@dataclass(kw_only=True)
class Plan:
    """What the generator does. `seconds` 0: until everything is sent."""

    url: str
    authority: str
    lines: list[Line]
    seconds: float
    warm_up: int


def make_places(generator: random.Random, count: int) -> dict[str, list[dict[str, Any]]]:
    """Sections of invented places."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for place in range(count):
        name = f"{generator.getrandbits(64):016x}"
        folder = generator.choice(FOLDERS)
        sections.setdefault(name[:2], []).append({
            "id": name, "path": f"/srv/share/测试店/{folder}/{generator.randrange(1000, 9999)}****_{place:04d}.xlsx",
            "label": "美团订单导出" if place % 3 else "会员名单", "kind": "xlsx", "level": 1 + place % 4,
            "persons": generator.randrange(1, 30_000), "state": "plain" if place % 5 else "sealed",
            "entities": sorted(generator.sample(ENTITIES, 3)),
        })  # fmt: skip
    return sections


def make_bodies(generator: random.Random, first: int, count: int, findings: int) -> list[bytes]:
    """Full reports of an inventory under the numbers from `first` on; the counts differ, the places are one set."""
    sections = make_places(generator, findings)
    document = {
        "scanned_at": datetime.now(UTC).isoformat(), "persons": 0, "places": findings, "sealed": findings // 5,
        "exposed": findings - findings // 5, "coverage": {"listed": 12_000, "read": 11_990, "unread": 10},
        "causes": [{"reason": "encrypted", "items": 10}],
        "groups": [{"kind": "xlsx", "level": level, "items": findings // 4, "persons": 900, "sealed": 5}
                   for level in range(1, 5)],
        "sections": sections, "section_digests": {name: f"{generator.getrandbits(64):016x}" for name in sections},
        "omitted": 0,
    }  # fmt: skip
    written = datetime.now(UTC).isoformat()
    bodies = []
    for number in range(first, first + count):
        document["persons"] = number * 13
        envelope = {
            "schema": "cloche.report/1", "kind": "inventory", "number": number, "previous": None,
            "written_at": written, "document": document,
        }  # fmt: skip
        bodies.append(json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode())
    return bodies


def make_request(store: SpeakingStore, number: int, body: bytes, host: str) -> bytes:
    """A whole HTTP request, signed."""
    head = (
        f"POST /v1/reports HTTP/1.1\r\nHost: {host}\r\nCloche-Wire: 1\r\nCloche-Store: {store.store_id}\r\n"
        f"Cloche-Instance: {store.instance}\r\nCloche-Number: {number}\r\n"
        f"Cloche-Signature: {encode(store.key.sign(report_message(body)))}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def make_plan(office: OfficeProcess, folder: Path, *, stores: int, reports: int, findings: int, seconds: float) -> Plan:
    """Enrol stores and sign all that they will send."""
    host = urlsplit(office.url).netloc
    lines = []
    with office.client() as client:
        for place in range(stores):
            store = SpeakingStore(client=client)
            answer = store.enrol(office.token(f"测试店{place:04d}"))
            if answer.status_code != 200:
                raise SystemExit(f"a store could not be enrolled: {answer.text}")
            bodies = make_bodies(random.Random(place), 1, reports, findings)
            certificate, key = folder / f"{place}.pem", folder / f"{place}.key"
            certificate.write_text(store.certificate_pem)
            key.write_bytes(store.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            requests = [make_request(store, number, body, host) for number, body in enumerate(bodies, 1)]
            lines.append(Line(certificate=str(certificate), key=str(key), requests=requests))
            store.close()
    return Plan(
        url=office.url, authority=str(office.folder / "ca.pem"), lines=lines, seconds=seconds, warm_up=stores * 2
    )  # fmt: skip


class Sender(asyncio.Protocol):
    """Sends a line's requests one after another over one connection."""

    def __init__(self, requests: list[bytes], run: Run) -> None:
        self._requests, self._run, self._next = requests, run, 0
        self._buffer = b""
        self._begun = 0.0
        self._transport: Any = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def begin(self) -> None:
        """Send the next one, or end."""
        if self._next == len(self._requests) or self._run.is_over():
            if not self.done.done():
                self.done.set_result(None)
            return
        self._begun = time.perf_counter()
        self._transport.write(self._requests[self._next])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        status, answer = int(head[9:12]), self._buffer[end + 4 : end + 4 + length]
        self._buffer = b""
        if status == 429:
            self._next -= 1
            self._run.busy += 1
            asyncio.get_running_loop().call_later(0.05, self.begin)
            return
        self._run.note(time.perf_counter() - self._begun, is_good=status == 200 and b"known" not in answer)
        self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("cut"))


class Run:
    """Counts and times of a run."""

    def __init__(self, seconds: float, warm_up: int) -> None:
        self.times: list[float] = []
        self.bad = self.busy = self._seen = 0
        self._warm_up, self._seconds = warm_up, seconds
        self.first = self.last = 0.0
        self.cpu = 0.0

    def note(self, took: float, *, is_good: bool) -> None:
        """An answer came."""
        self._seen += 1
        if not is_good:
            self.bad += 1
        if self._seen == self._warm_up:
            self.first, self.cpu = time.perf_counter(), _cpu()
        elif self._seen > self._warm_up:
            self.times.append(took)
            self.last = time.perf_counter()

    def is_over(self) -> bool:
        """Its time is up."""
        return bool(self._seconds and self.first and time.perf_counter() - self.first > self._seconds)

    def result(self) -> dict[str, Any]:
        """Figures."""
        times, seconds = sorted(self.times), max(self.last - self.first, 1e-9)
        return {
            "reports": len(times), "seconds": round(seconds, 2), "rate": round(len(times) / seconds, 1),
            "p50_ms": round(times[len(times) // 2] * 1000, 1), "p99_ms": round(times[len(times) * 99 // 100] * 1000, 1),
            "bad": self.bad, "busy": self.busy, "generator_cpu": round(_cpu() - self.cpu, 2),
        }  # fmt: skip


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def send_all(plan: Plan) -> dict[str, Any]:
    """Carry a plan out."""
    place = urlsplit(plan.url)
    run = Run(plan.seconds, plan.warm_up)
    loop = asyncio.get_running_loop()
    senders = []
    for line in plan.lines:
        context = ssl.create_default_context(cafile=plan.authority)
        context.load_cert_chain(line.certificate, line.key)
        _, sender = await loop.create_connection(
            lambda requests=line.requests: Sender(requests, run), place.hostname, place.port, ssl=context
        )  # fmt: skip
        senders.append(sender)
    for sender in senders:
        sender.begin()
    await asyncio.gather(*(sender.done for sender in senders))
    return run.result()


def run_plan(plan: Plan) -> dict[str, Any]:
    """Carry a plan out in a process of its own."""
    import subprocess

    with tempfile.NamedTemporaryFile(suffix=".plan") as file:  # noqa: TID251  no file of ours that must last
        pickle.dump(plan, file)
        file.flush()
        done = subprocess.run([sys.executable, __file__, file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the generator failed: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as source:
        given = pickle.load(source)  # noqa: S301  written by ourselves a moment ago
    given.__class__ = Plan
    print(json.dumps(uvloop.run(send_all(given))))
