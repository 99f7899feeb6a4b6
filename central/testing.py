"""A head office as a real process, and a store that speaks the real protocol, for tests, the demo and load.

Nothing here is a stand-in for the server: it is `cloche-hq serve` over TLS. The store signs with its own key and
sends whatever it is told to, well-formed or not.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import sessionmaker

from central.database.engine import open_database
from central.stores.authority import pin_of
from central.stores.enrol import make_token
from central.wire import (
    COALESCED,
    ENROL_SCHEMA,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    HEADER_STORE,
    HEADER_WIRE,
    REPORT_SCHEMA,
    WIRE,
    Kind,
    digest,
    encode,
    enrol_message,
    report_message,
    split_token,
)  # fmt: skip

PROGRAM = (sys.executable, "-P", "-c", "from central.cli import main; main()")


@dataclass(frozen=True, kw_only=True)
class OfficeProcess:
    """A head office in `folder`, listening at `url`; `passphrase` is its first officer's."""

    folder: Path
    url: str
    officer: str
    passphrase: str
    pid: int

    def call(self, *arguments: str) -> dict[str, Any]:
        """The document of a `cloche-hq` command."""
        return call_office(self.folder, *arguments)

    def token(self, store_name: str = "", lasts: timedelta = timedelta(hours=1)) -> str:
        """A new enrolment token, made beside the running server as `cloche-hq token` does."""
        engine = open_database(f"sqlite:///{self.folder / 'hq.db'}")
        try:
            with sessionmaker(engine).begin() as session:
                pin = pin_of(self.folder / "ca.pem")
                return make_token(session, pin, store_name=store_name, lasts=lasts)[0]
        finally:
            engine.dispose()

    def client(self) -> httpx.Client:
        """An HTTP client that trusts this head office alone."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        return httpx.Client(base_url=self.url, verify=context, trust_env=False, timeout=30)


def call_office(folder: Path, *arguments: str) -> dict[str, Any]:
    """The document of a `cloche-hq` command on the head office in `folder`.

    Raises:
        subprocess.CalledProcessError: it failed; `stderr` says why.
    """
    done = subprocess.run(
        [*PROGRAM, *arguments, "--home", str(folder), "--json"], capture_output=True, check=True, text=True
    )
    return dict(json.loads(done.stdout))


@contextmanager
def serve_office(folder: Path, *, port: int = 0, made: Mapping[str, Any] | None = None) -> Iterator[OfficeProcess]:
    """Make a head office with keys (or take the one that `made` describes), and serve it until the end of the block."""
    if made is None:
        made = call_office(folder, "init", "--name", "测试总部")
        call_office(folder, "keys", "init", "--recovery-file", str(folder.with_name(f"{folder.name}.recovery")))
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--home", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "LANG": "en"},
    )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101  asked for above
        url = process.stdout.readline().split()[-1]
        yield OfficeProcess(
            folder=folder, url=url, officer=made["officer"], passphrase=made["passphrase"], pid=process.pid
        )
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass(kw_only=True)
class SpeakingStore:
    """A store with a key of its own. `store_id` is set by `enrol`."""

    client: httpx.Client
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)
    store_id: str = ""
    next_number: int = 1
    previous: dict[str, Any] | None = None

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self.key.public_key().public_bytes_raw()

    def enrol(self, token: str, name: str = "") -> httpx.Response:
        """Use a token."""
        identifier, secret, pin = split_token(token)
        body = json.dumps(
            {
                "schema": ENROL_SCHEMA, "token": identifier, "secret": secret, "name": name,
                "public_key": encode(self.public_key),
            }
        ).encode()  # fmt: skip
        signature = encode(self.key.sign(enrol_message(pin, body)))
        answer = self.client.post(
            "/v1/enrol", content=body, headers={HEADER_WIRE: str(WIRE), HEADER_SIGNATURE: signature}
        )
        if answer.status_code == 200:
            self.store_id, self.next_number = answer.json()["store"], answer.json()["next_number"]
        return answer

    def body(self, kind: Kind, document: Mapping[str, Any], number: int | None = None) -> bytes:
        """A report's bytes under the next number (or a chosen one), chained like an outbox chains them."""
        chosen = self.next_number if number is None else number
        body = json.dumps(
            {
                "schema": REPORT_SCHEMA, "kind": kind, "number": chosen, "previous": self.previous,
                "written_at": datetime.now(UTC).isoformat(), "document": document,
            }
        ).encode()  # fmt: skip
        if number is None:
            self.next_number += 1
            if kind not in COALESCED:
                self.previous = {"number": chosen, "digest": digest(body)}
        return body

    def send(self, body: bytes, **headers: str) -> httpx.Response:
        """Sign and send bytes; `headers` (`store`, `number`, `signature`, `wire`) replace what is true."""
        try:
            number = str(json.loads(body)["number"])
        except (ValueError, KeyError, TypeError, RecursionError):
            number = "1"
        values = {
            "wire": str(WIRE), "store": self.store_id, "number": number,
            "signature": encode(self.key.sign(report_message(body))),
        } | headers  # fmt: skip
        return self.client.post(
            "/v1/reports",
            content=body,
            headers={
                HEADER_WIRE: values["wire"], HEADER_STORE: values["store"], HEADER_NUMBER: values["number"],
                HEADER_SIGNATURE: values["signature"],
            },
        )  # fmt: skip

    def report(self, kind: Kind, document: Mapping[str, Any]) -> httpx.Response:
        """Write and send a report."""
        return self.send(self.body(kind, document))
