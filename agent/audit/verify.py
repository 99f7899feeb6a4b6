"""Is the audit log whole? The same chain rules as the stand-alone script, with the signature by `cryptography`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.audit.standalone import Chain, check_chain, check_head, signed_bytes
from config.errors import RefusedError


@dataclass(frozen=True, kw_only=True)
class Head:
    """A signed end of the chain: entry number, its hash (hex), when it was signed (ISO 8601, UTC), Ed25519 (hex).

    `of` is the incident whose timeline it ends, '' for the record of every act. A head that somebody copied from
    paper has neither time nor signature.
    """

    seq: int
    hash: str
    time: str
    signature: str
    of: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"seq": self.seq, "hash": self.hash, "time": self.time, "signature": self.signature}

    def is_signed_by(self, public_key: bytes) -> bool:
        """Checked against a raw 32-byte Ed25519 key (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(
                bytes.fromhex(self.signature), signed_bytes(self.document())
            )
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class AuditState:
    """What a verification found. `line` counts from 1 (0: no single line); `signed_to` is the last signed entry."""

    ok: bool
    entries: int
    last_hash: str
    line: int = 0
    fault: str = ""
    signed_to: int = 0


def head_file(path: Path) -> Path:
    """The signed head lies beside its log."""
    return path.with_name(path.stem + ".head.json")


def read_head(path: Path) -> Head | None:
    """The signed head beside the log at `path`; None if none was written yet.

    Raises:
        ValueError: it is there and is no head.
    """
    try:
        values = json.loads(head_file(path).read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(values, dict):
        raise ValueError("not an object")  # noqa: TRY004  callers treat every unreadable head alike
    try:
        return Head(
            seq=int(values["seq"]), hash=str(values["hash"]), time=str(values["time"]),
            signature=str(values["signature"]),
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ValueError("fields are missing") from error


def verify(path: Path, public_key: bytes | None, anchored: Head | None = None) -> AuditState:
    """Follow the whole chain and hold it against the signed head, and against `anchored` if one is given.

    Args:
        path: the log (JSON lines).
        public_key: raw Ed25519 key of this store; None leaves signatures unchecked and is for tests of the chain.
        anchored: a head that was kept outside (head office, print): the one way to notice a tail cut with its head.

    Raises:
        RefusedError: the log exists and cannot be read.
    """
    chain, line, fault = follow(path)
    return judge(path, chain, line, fault, public_key=public_key, anchored=anchored)


def follow(path: Path) -> tuple[Chain, int, str]:
    """The chain of a log as far as it holds, and the line (from 1) that does not, with what is wrong; (0, '') if none.

    Raises:
        RefusedError: the log exists and cannot be read.
    """
    try:
        with path.open("rb") as log:
            return check_chain(log)
    except FileNotFoundError:
        return check_chain(())
    except OSError as error:
        raise RefusedError(f"{os.fspath(path)}: cannot be read: {error.strerror}") from error


def judge(
    path: Path, chain: Chain, line: int, fault: str, *, public_key: bytes | None, anchored: Head | None
) -> AuditState:
    """Hold a chain that was followed against its signed head, and against `anchored`. An anchored head without a
    signature was copied by hand: its hash is what counts.
    """
    signed_to = 0
    if not fault:
        try:
            own = read_head(path)
        except ValueError as error:
            own, fault = None, f"the signed head cannot be read: {error}"
        for head in (own, anchored):
            if head is None or fault:
                continue
            by_hand = head is anchored and not head.signature
            if public_key is not None and not by_hand and not head.is_signed_by(public_key):
                fault = f"the signature of the head at entry {head.seq} is not by this store's key"
            else:
                fault = check_head(chain, head.document())
                signed_to = max(signed_to, head.seq)
    return AuditState(
        ok=not fault, entries=chain.entries, last_hash=chain.last_hash, line=line, fault=fault, signed_to=signed_to
    )
