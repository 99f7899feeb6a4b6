"""A store's request to be enrolled: written and signed where the key is, carried by another process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from central.wire import ENROL_SCHEMA, MAX_NUMBER, decode, encode, enrol_message, split_token


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What goes out: the signed request, for the head office at `url` that `pin` names."""

    url: str
    pin: bytes
    body: bytes
    signature: str


def write_request(
    token: str, public_key: bytes, name: str, sign: Callable[[bytes], bytes], *, csr: str
) -> dict[str, str]:
    """The request as a document that an operation can answer with.

    Raises:
        ValueError: the token is none.
    """
    identifier, secret, pin = split_token(token)
    body = json.dumps(
        {
            "schema": ENROL_SCHEMA, "token": identifier, "secret": secret, "public_key": encode(public_key),
            "name": name, "csr": csr,
        },
        ensure_ascii=False,
    ).encode()  # fmt: skip
    return {"body": encode(body), "signature": encode(sign(enrol_message(pin, body))), "pin": encode(pin)}


def read_request(url: str, document: Mapping[str, Any]) -> Exchange:
    """The request of `write_request`, addressed."""
    return Exchange(
        url=url, pin=decode(document["pin"]), body=decode(document["body"]), signature=document["signature"]
    )


def pin_of_token(token: str) -> bytes:
    """The pin in a token, 32 bytes.

    Raises:
        ValueError: the token is none.
    """
    return split_token(token)[2]


def pin_of_certificate(certificate: x509.Certificate) -> bytes:
    """SHA-256 of a certificate's SubjectPublicKeyInfo, 32 bytes (RFC 7469, section 2.4)."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def is_number(value: int) -> bool:
    """A report's number that the wire can carry."""
    return 1 <= value <= MAX_NUMBER
