"""What the daemon and the link put before each other: names, bounds and the seal.

Below the outbox folder lie `post` (daemon writes, link reads: sealed messages, sealed settings) and `inbox` (link
writes, daemon reads: the link's key, receipts, answers). A message is sealed by HPKE (RFC 9180, MLKEM768_X25519,
HKDF-SHA256, AES-256-GCM) to a key that the link makes in memory at each start and publishes in `inbox/key`: what lies
on the disk is of no use to whoever takes the disk. The file's name is part of the seal's `info`, so one file cannot
stand for another. Base mode proves no sender: only root can write into `post`.

A link that restarts has another key; the daemon then seals anew what was not sent. Limit: whoever takes over the
running link reads what passes through it, codes to approve with included; so a code alone never decides what the
stores check signatures for.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from config.identity import PUBLIC_BYTES, key_id, public_key

POST: Final = "post"
INBOX: Final = "inbox"
KEY: Final = "key"
SENDERS: Final = "senders"
TOKENS: Final = "tokens"
PAGE: Final = "page.json"
SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
LETTER: Final = re.compile(r"M[0-9a-z]{12}\.\d{1,6}")
BATCH: Final = re.compile(r"B[0-9a-z]{12}")
NEWS: Final = re.compile(r"(?:M[0-9a-z]{12}\.\d{1,6}|B[0-9a-z]{12}\.\d{1,6}|R[0-9A-Z]{8})\.json")
MAX_LETTER: Final = 4 << 20
MAX_NEWS: Final = 32_768
MOST_NEWS: Final = 500  # files that are read in one go
FULL: Final = 2_000  # files in the inbox from which the link takes no more forms


@dataclass(frozen=True)
class LinkKey:
    """The link's key for as long as it runs."""

    private: MLKEM768X25519PrivateKey = field(repr=False)
    public: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Short name."""
        return key_id(self.public)


def make_key() -> LinkKey:
    """A new pair from the kernel's random numbers."""
    kem, curve = mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()
    public = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return LinkKey(MLKEM768X25519PrivateKey(kem, curve), public)


def seal(public: bytes, name: str, document: Mapping[str, Any]) -> bytes:
    """A document for the link alone, under the name of its file.

    Raises:
        UsageError: `public` is no key.
    """
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return SUITE.encrypt(content, public_key(public), _info(name))


def unseal(key: LinkKey, name: str, content: bytes) -> dict[str, Any] | None:
    """The document; None where it was sealed to another key, under another name, or is none."""
    with contextlib.suppress(InvalidTag, ValueError, RecursionError):
        document = json.loads(SUITE.decrypt(content, key.private, _info(name)))
        return document if isinstance(document, dict) else None
    return None


def _info(name: str) -> bytes:
    return b"cloche post v1 " + name.encode("ascii")


def read_bounded(folder: int, name: str, most: int) -> bytes | None:
    """A regular file of at most `most` bytes by a folder's descriptor; None where it is none."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > most:
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None


def write_whole(folder: int, name: str, content: bytes, *, mode: int = 0o600, group: int = -1) -> None:
    """A file by a folder's descriptor, whole and durable or not there; an older one of the name is replaced.

    Raises:
        OSError: the disk refused it; nothing is left.
    """
    temporary = f".{secrets.token_hex(6)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, mode, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if group >= 0:  # the link's unit has no chown(2) at all
                os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    os.fsync(folder)


def strict(content: bytes, fields: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any] | None:
    """A JSON object with exactly these fields of these types; None where it is anything else.

    `1e999` is no number (OverflowError), brackets in brackets are no object (RecursionError), True is no number.
    """
    with contextlib.suppress(ValueError, RecursionError, OverflowError):
        document = json.loads(content, parse_constant=_refuse)
        if not isinstance(document, dict) or document.keys() != fields.keys():
            return None
        for name, kind in fields.items():
            value = document[name]
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                return None
        return document
    return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def is_key(content: bytes | None) -> bool:
    """A published key."""
    return content is not None and len(content) == PUBLIC_BYTES
