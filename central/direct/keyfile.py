"""An officer's key in a file of the officer's own machine: PKCS #8, encrypted under a passphrase.

Head office never sees it. With it an order is signed by a program that the officer installed, whatever head office's
own pages may have become.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from central.wire import encode, order_message
from config.errors import ClocheError, RefusedError, UsageError

SIGNING_SCHEMA = "cloche.signing/1"
"""What head office hands an officer to sign elsewhere: `{"schema", "body", "names"}`; only `body` is signed."""


def make_key_file(file: Path, passphrase: str) -> bytes:
    """A new key; its public half.

    Raises:
        ClocheError: the file exists, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(pem)
            opened.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise ClocheError(f"{file}: cannot be written: {error.strerror}") from error
    return key.public_key().public_bytes_raw()


def open_key_file(file: Path, passphrase: str) -> Ed25519PrivateKey:
    """The key.

    Raises:
        RefusedError: not the passphrase.
        ClocheError: the file is missing or no key.
    """
    try:
        pem = file.read_bytes()
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        key = load_pem_private_key(pem, passphrase.encode())
    except ValueError as error:
        raise RefusedError(f"{file}: that is not its passphrase, or it is no key") from error
    except TypeError as error:
        raise ClocheError(f"{file}: is not encrypted: make a key with `cloche-hq officer-key make`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ClocheError(f"{file}: is no Ed25519 key")
    return key


def read_signing(file: Path) -> tuple[str, dict[str, str]]:
    """The exact text to sign, and names of stores as head office calls them.

    Raises:
        UsageError: it is no such file.
        ClocheError: it cannot be read.
    """
    try:
        document: Any = json.loads(file.read_bytes())
        body, names = document["body"], document.get("names", {})
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file}: is no order to sign") from error
    if document.get("schema") != SIGNING_SCHEMA or not isinstance(body, str) or not isinstance(names, dict):
        raise UsageError(f"{file}: is no order to sign")
    return body, {str(store): str(name) for store, name in names.items()}


def sign_text(key: Ed25519PrivateKey, body: str) -> str:
    """An officer's signature over an order's exact text, base64url."""
    return encode(key.sign(order_message(body.encode())))
