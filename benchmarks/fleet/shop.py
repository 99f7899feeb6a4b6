"""A store of the fleet: its keys, its chained and numbered reports, what it has been promised for them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from central.wire import (
    COALESCED,
    ENROL_SCHEMA,
    REPORT_SCHEMA,
    digest,
    encode,
    enrol_message,
    report_message,
    split_token,
)  # fmt: skip
from config.tls import client_context
from fleet.line import Line, Said

TRIES = 200


class ShopError(Exception):
    """Head office did what it must not, or cannot be reached."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A report that was written and signed."""

    number: int
    kind: str
    digest: str
    request: bytes = field(repr=False)


@dataclass(kw_only=True)
class Shop:
    """`promised` are the reports for which head office said 200, by number: it must have each of them, once."""

    name: str
    host: str
    port: int
    authority: str = field(repr=False)
    luck: random.Random = field(repr=False)
    skew: timedelta = timedelta(0)
    is_hostile: bool = False
    store_id: str = ""
    next_number: int = 1
    previous: dict[str, Any] | None = None
    promised: dict[int, str] = field(default_factory=dict, repr=False)
    told: dict[str, int] = field(default_factory=lambda: {"events": 0, "alerts": 0}, repr=False)
    spool: list[Written] = field(default_factory=list, repr=False)
    heard: int = 0
    """Number of the last delivery it took."""
    known: int = 0
    busy: int = 0
    cuts: int = 0

    def __post_init__(self) -> None:
        """Make keys."""
        self.key = Ed25519PrivateKey.generate()
        self.tls_key = generate_private_key(SECP256R1())
        self.instance = f"fleet-{self.luck.getrandbits(64):016x}"
        self.line = Line(host=self.host, port=self.port, context=client_context(self.authority))

    async def enrol(self, token: str) -> None:
        """Use a token, and from then on show the certificate that it brought.

        Raises:
            ShopError: head office refused.
        """
        identifier, secret, pin = split_token(token)
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = builder.sign(self.tls_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
        body = json.dumps(
            {
                "schema": ENROL_SCHEMA, "token": identifier, "secret": secret, "name": self.name, "csr": csr,
                "public_key": encode(self.key.public_key().public_bytes_raw()),
            }
        ).encode()  # fmt: skip
        signature = encode(self.key.sign(enrol_message(pin, body)))
        said = await self.ask(_request(self.host, "/v1/enrol", body, {"Cloche-Signature": signature}))
        if said.status != 200:
            raise ShopError(f"{self.name} could not enrol: {said.status} {said.body[:200]!r}")
        answer = json.loads(said.body)
        self.store_id, self.next_number = answer["store"], answer["next_number"]
        self.line.cut()
        self.use_certificate(answer["certificate"])

    def use_certificate(self, certificate: str) -> None:
        """Speak with this certificate."""
        private = self.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        context = client_context(self.authority, certificate, private)
        self.line = Line(host=self.host, port=self.port, context=context)

    def write(self, kind: str, document: Mapping[str, Any], at: datetime | None = None) -> Written:
        """The next report, chained like an outbox chains it, at a time by this store's clock."""
        number, moment = self.next_number, (at or datetime.now(UTC)) + self.skew
        self.next_number += 1
        body = json.dumps(
            {
                "schema": REPORT_SCHEMA, "kind": kind, "number": number, "previous": self.previous,
                "written_at": moment.isoformat(), "document": document,
            },
            ensure_ascii=False,
        ).encode()  # fmt: skip
        if kind not in COALESCED:
            self.previous = {"number": number, "digest": digest(body)}
        return Written(number=number, kind=kind, digest=digest(body), request=self.sign(body, number))

    def sign(self, body: bytes, number: int, **other: str) -> bytes:
        """A whole request; `other` (store, signature, wire) replaces what is true."""
        values = {
            "Cloche-Wire": other.get("wire", "1"), "Cloche-Store": other.get("store", self.store_id),
            "Cloche-Number": str(number), "Cloche-Instance": self.instance,
            "Cloche-Signature": other.get("signature", encode(self.key.sign(report_message(body)))),
        }  # fmt: skip
        return _request(self.host, "/v1/reports", body, values)

    async def send(self, written: Written, mishaps: float = 0.0) -> None:
        """Send until it is promised; with some luck the line breaks half-way, or it is sent twice.

        Raises:
            ShopError: head office refused what it must take, or never took it.
        """
        if self.luck.random() < mishaps / 3:
            self.cuts += 1
            await self.line.ask_half(written.request)
        for _try in range(TRIES):
            said = await self.ask(written.request)
            if said.status == 200:
                self.known += b"known" in said.body
                self.promised[written.number] = written.digest
                break
            if said.status not in (429, 503):
                raise ShopError(f"{self.store_id}: report {written.number}: {said.status} {said.body[:200]!r}")
            self.busy += 1
            await asyncio.sleep(said.retry_after * self.luck.uniform(1, 2))
        else:
            raise ShopError(f"{self.store_id}: report {written.number} was never taken")
        if self.luck.random() < mishaps:
            again = await self.ask(written.request)
            if again.status == 200 and b"known" not in again.body:
                raise ShopError(f"{self.store_id}: report {written.number} was taken twice")
            self.known += again.status == 200

    async def drain(self, mishaps: float, disorder: float) -> None:
        """Send the whole spool, in order; a disorderly store swaps neighbours."""
        waiting, self.spool = self.spool, []
        place = 0
        while place < len(waiting):
            pair = waiting[place : place + 2]
            if self.luck.random() < disorder:
                pair.reverse()
            for written in pair:
                await self.send(written, mishaps)
            place += 2

    async def poll(self, wait: float) -> list[dict[str, Any]]:
        """Orders after the last one heard, waiting for them."""
        said = await self.ask(
            _get(self.host, f"/v1/orders?after={self.heard}&wait={wait}", self.store_id, self.instance),
            seconds=wait + 30,
        )
        return list(json.loads(said.body)["deliveries"]) if said.status == 200 else []

    async def ask(self, request: bytes, seconds: float = 60) -> Said:
        """Ask, over a new connection where the last one broke; pauses grow, each drawn from its upper half."""
        pause = 0.5
        for _try in range(TRIES):
            try:
                return await self.line.ask(request, seconds)
            except (OSError, TimeoutError):
                self.cuts += 1
                await asyncio.sleep(self.luck.uniform(pause / 2, pause))
                pause = min(pause * 2, 20)
        raise ShopError(f"{self.name}: head office cannot be reached")

    def counts(self, written: Written, size: int = 1) -> Written:
        """Note what the database must hold because of it."""
        if written.kind in ("events", "alert"):
            self.told["events" if written.kind == "events" else "alerts"] += size
        return written


def _request(host: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    values = {"Host": host, "Cloche-Wire": "1", "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (values | dict(headers)).items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def _get(host: str, path: str, store_id: str, instance: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCloche-Wire: 1\r\nCloche-Store: {store_id}\r\n"
        f"Cloche-Instance: {instance}\r\n\r\n"
    ).encode()
