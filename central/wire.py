"""What travels between a store and head office: names, bounds and signatures of wire version 1.

Standard library and `cryptography` only, for the link imports it and idles in little memory; what a document may
hold is checked at head office by `central.documents`. Normative text: `docs/wire-v1.md`.

A signature says which store wrote these bytes. It does not say when, and it does not hide a report that was
withheld: numbers and the digest of the previous kept report do (a gap is noticed when the next one arrives).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final, Literal, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Kind = Literal[
    "inventory", "health", "alert", "incident", "audit", "order", "events", "assessment", "drill", "training",
    "vendors", "paper", "persons",
]  # fmt: skip

WIRE: Final = 1
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
COALESCED: Final[frozenset[Kind]] = frozenset({"inventory", "health", "assessment", "training", "vendors"})
REPORT_SCHEMA: Final = "cloche.report/1"
ENROL_SCHEMA: Final = "cloche.enrol/1"
GROUP_KEY_SCHEMA: Final = "cloche.group-key/1"
ORDER_SCHEMA: Final = "cloche.order/1"
ORDERS_SCHEMA: Final = "cloche.orders/1"
RENEW_SCHEMA: Final = "cloche.renew/1"
STORE_URI: Final = "urn:cloche:store:"
MAX_BODY: Final = 4 * 1024 * 1024
MAX_NUMBER: Final = 2**53 - 1

HEADER_WIRE: Final = "Cloche-Wire"
HEADER_STORE: Final = "Cloche-Store"
HEADER_NUMBER: Final = "Cloche-Number"
HEADER_SIGNATURE: Final = "Cloche-Signature"
HEADER_INSTANCE: Final = "Cloche-Instance"

_REPORT_CONTEXT: Final = b"cloche.report/1\x00"
_ENROL_CONTEXT: Final = b"cloche.enrol/1\x00"
_GROUP_KEY_CONTEXT: Final = b"cloche.group-key/1\x00"
_GROUP_KEY_ANSWER_CONTEXT: Final = b"cloche.group-key-answer/1\x00"
_ORDER_CONTEXT: Final = b"cloche.order/1\x00"
_TIME_CONTEXT: Final = b"cloche.time/1\x00"
_RENEW_CONTEXT: Final = b"cloche.renew/1\x00"


def report_message(body: bytes) -> bytes:
    """The bytes that a store's key signs for a report: a context, so that no other signature of that key fits."""
    return _REPORT_CONTEXT + body


def enrol_message(pin: bytes, body: bytes) -> bytes:
    """The bytes that a store's key signs to prove possession at enrolment with the authority pinned by `pin`."""
    return _ENROL_CONTEXT + pin + body


def group_key_message(body: bytes) -> bytes:
    """The bytes that a store's key signs to ask for the key of fingerprints."""
    return _GROUP_KEY_CONTEXT + body


def group_key_answer_message(body: bytes) -> bytes:
    """What head office signs when it gives the key of fingerprints, so that no link puts in its own."""
    return _GROUP_KEY_ANSWER_CONTEXT + body


def group_key_info(store: str) -> bytes:
    """What the seal of the key of fingerprints is bound to."""
    return b"cloche group key v1 " + store.encode()


def persons_info(store: str, incident: str, round_: int, part: int) -> bytes:
    """What the seal of a part of an incident's fingerprints is bound to."""
    return f"cloche persons v1 {store} {incident} {round_} {part}".encode()


def renew_message(body: bytes) -> bytes:
    """The bytes that a store's key signs to ask for a new certificate."""
    return _RENEW_CONTEXT + body


def order_message(body: bytes) -> bytes:
    """The bytes that head office's order key, and officers, sign for an order: its exact text."""
    return _ORDER_CONTEXT + body


def time_message(body: bytes) -> bytes:
    """The bytes that head office's order key signs to say what time it is."""
    return _TIME_CONTEXT + body


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` is by this raw Ed25519 key (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def digest(body: bytes) -> str:
    """SHA-256 of a report's raw bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def encode(data: bytes) -> str:
    """base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of `encode`.

    Raises:
        ValueError: not base64url.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64url") from error


def split_token(token: str) -> tuple[str, str, bytes]:
    """Identifier, secret and pin (SHA-256 of the authority's SubjectPublicKeyInfo, 32 bytes) of a token.

    Raises:
        ValueError: the text is no `id.secret.pin`.
    """
    parts = token.strip().split(".")
    if len(parts) != 3 or not parts[0] or not parts[1]:
        raise ValueError("not of the form id.secret.pin")
    pin = decode(parts[2])
    if len(pin) != 32:
        raise ValueError("the pin has not 32 bytes")
    return parts[0], parts[1], pin
