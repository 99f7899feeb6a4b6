"""A head office as a real process, and a store that speaks the real protocol, for tests, the demo and load.

Nothing here is a stand-in for the server: it is `cloche-hq serve` over TLS. The store signs with its own key and
sends whatever it is told to, well-formed or not.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy.orm import sessionmaker

from central.database.engine import open_database
from central.stores.authority import pin_of
from central.stores.enrol import make_token
from central.wire import (
    COALESCED,
    ENROL_SCHEMA,
    HEADER_INSTANCE,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    HEADER_STORE,
    HEADER_WIRE,
    RENEW_SCHEMA,
    REPORT_SCHEMA,
    WIRE,
    Kind,
    digest,
    encode,
    enrol_message,
    renew_message,
    report_message,
    split_token,
)  # fmt: skip
from config.tls import client_context

PROGRAM = (sys.executable, "-P", "-c", "from central.cli import main; main()")


@dataclass(frozen=True, kw_only=True)
class OfficeProcess:
    """A head office in `folder`, listening at `url`; `passphrase` is its first officer's."""

    folder: Path
    url: str
    officer: str
    passphrase: str
    pid: int
    database: str = ""
    """URL of its database; '' for the SQLite file in its folder."""

    def call(self, *arguments: str) -> dict[str, Any]:
        """The document of a `cloche-hq` command."""
        return call_office(self.folder, *arguments, database=self.database)

    def token(self, store_name: str = "", lasts: timedelta = timedelta(hours=1)) -> str:
        """A new enrolment token, made beside the running server as `cloche-hq token` does."""
        engine = open_database(self.database or f"sqlite:///{self.folder / 'hq.db'}")
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


def call_office(folder: Path, *arguments: str, database: str = "") -> dict[str, Any]:
    """The document of a `cloche-hq` command on the head office in `folder`.

    Raises:
        subprocess.CalledProcessError: it failed; `stderr` says why.
    """
    done = subprocess.run(
        [*PROGRAM, *arguments, "--home", str(folder), "--json"], capture_output=True, check=True, text=True,
        env=environment_of(database),
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def environment_of(database: str) -> dict[str, str]:
    """The environment of a `cloche-hq` with this database ('' for its own file)."""
    return {**os.environ, "LANG": "en", **({"CLOCHEHQ_DATABASE": database} if database else {})}


@contextmanager
def serve_office(  # noqa: PLR0913  one argument an option
    folder: Path, *, port: int = 0, made: Mapping[str, Any] | None = None, more: Sequence[str] = (), database: str = "",
    log: Path | None = None, processes: int = 1,
) -> Iterator[OfficeProcess]:  # fmt: skip
    """Make a head office with keys (or take the one that `made` describes), and serve it until the end of the block.

    `more` are further options of `cloche-hq serve`, `database` is a URL ('' for the file in its folder), `log` takes
    what it says on stderr; `processes` serve, 0 for as many as it starts by itself.
    """
    if made is None:
        made = call_office(folder, "init", "--name", "测试总部", "--second-factor", "offered", database=database)
        sheet = str(folder.with_name(f"{folder.name}.recovery"))
        call_office(folder, "keys", "init", "--recovery-file", sheet, database=database)
    several = ["--processes", str(processes)] if processes else []
    with (log or Path(os.devnull)).open("ab") as errors:
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--home", str(folder), "--port", str(port), *several, *more],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=environment_of(database),
        )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101  asked for above
        url = process.stdout.readline().split()[-1]
        yield OfficeProcess(
            folder=folder, url=url, officer=made["officer"], passphrase=made["passphrase"], pid=process.pid,
            database=database,
        )  # fmt: skip
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass(kw_only=True)
class SpeakingStore:
    """A store with keys of its own. `store_id` and `certificate_pem` are set by `enrol`; `client` is for strangers.

    After it has enrolled it speaks over a connection of its own with its certificate: `own`, made anew when the
    certificate is another.
    """

    client: httpx.Client
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)
    tls_key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()), repr=False)
    instance: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    store_id: str = ""
    next_number: int = 1
    previous: dict[str, Any] | None = None
    certificate_pem: str = field(default="", repr=False)
    authority_pem: str = field(default="", repr=False)
    enrolled: dict[str, Any] = field(default_factory=dict, repr=False)
    """Head office's answer: `order_key`, `officers`, `persons_key`."""
    _own: httpx.Client | None = field(default=None, repr=False)
    _shown: str = field(default="", repr=False)

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self.key.public_key().public_bytes_raw()

    @property
    def own(self) -> httpx.Client:
        """The connection that shows this store's certificate; a stranger's before there is one."""
        if not self.certificate_pem:
            return self.client
        if self._own is None or self._shown != self.certificate_pem:
            if not self.authority_pem:
                self.authority_pem = self.client.get("/v1/ca").text
            private = self.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            context = client_context(self.authority_pem, self.certificate_pem, private)
            self.close()
            self._own = httpx.Client(base_url=self.client.base_url, verify=context, trust_env=False, timeout=60)
            self._shown = self.certificate_pem
            weakref.finalize(self, self._own.close)
        return self._own

    def close(self) -> None:
        """End the connection of its own."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def csr(self) -> str:
        """A request for a certificate of the TLS key, PEM."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self.tls_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def enrol(self, token: str, name: str = "", csr: str | None = None) -> httpx.Response:
        """Use a token."""
        identifier, secret, pin = split_token(token)
        body = json.dumps(
            {
                "schema": ENROL_SCHEMA, "token": identifier, "secret": secret, "name": name,
                "public_key": encode(self.public_key), "csr": self.csr() if csr is None else csr,
            }
        ).encode()  # fmt: skip
        signature = encode(self.key.sign(enrol_message(pin, body)))
        answer = self.client.post(
            "/v1/enrol", content=body, headers={HEADER_WIRE: str(WIRE), HEADER_SIGNATURE: signature}
        )
        if answer.status_code == 200:
            self.enrolled = answer.json()
            self.store_id, self.next_number = self.enrolled["store"], self.enrolled["next_number"]
            self.certificate_pem = self.enrolled["certificate"]
        return answer

    def renew(self, *, with_certificate: bool = True, csr: str | None = None) -> httpx.Response:
        """Ask for a new certificate and use it."""
        body = json.dumps({"schema": RENEW_SCHEMA, "csr": self.csr() if csr is None else csr}).encode()
        headers = {
            HEADER_WIRE: str(WIRE), HEADER_STORE: self.store_id,
            HEADER_SIGNATURE: encode(self.key.sign(renew_message(body))),
        }  # fmt: skip
        client = self.own if with_certificate else self.client
        answer = client.post("/v1/renew", content=body, headers=headers)
        if answer.status_code == 200:
            self.certificate_pem = answer.json()["certificate"]
        return answer

    def poll(self, after: int = 0, wait: float = 0) -> httpx.Response:
        """Ask for orders after a number, waiting for them up to `wait` seconds."""
        return self.own.get(
            "/v1/orders", params={"after": after, "wait": wait},
            headers={HEADER_WIRE: str(WIRE), HEADER_STORE: self.store_id, HEADER_INSTANCE: self.instance},
        )  # fmt: skip

    def body(self, kind: Kind, document: Mapping[str, Any], number: int | None = None) -> bytes:
        """A report's bytes under the next number (or a chosen one), chained and written as an outbox does."""
        chosen = self.next_number if number is None else number
        body = json.dumps(
            {
                "schema": REPORT_SCHEMA, "kind": kind, "number": chosen, "previous": self.previous,
                "written_at": datetime.now(UTC).isoformat(timespec="milliseconds"), "document": document,
            },
            ensure_ascii=False, separators=(",", ":"),
        ).encode("utf-8", "backslashreplace")  # fmt: skip
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
        return self.own.post(
            "/v1/reports",
            content=body,
            headers={
                HEADER_WIRE: values["wire"], HEADER_STORE: values["store"], HEADER_NUMBER: values["number"],
                HEADER_SIGNATURE: values["signature"], HEADER_INSTANCE: self.instance,
            },
        )  # fmt: skip

    def report(self, kind: Kind, document: Mapping[str, Any]) -> httpx.Response:
        """Write and send a report."""
        return self.send(self.body(kind, document))
