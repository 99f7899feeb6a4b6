"""Signatures of deliveries, as Standard Webhooks 1.0.0 has them (standardwebhooks.com).

`webhook-signature: v1,BASE64` is HMAC-SHA256 over `id.timestamp.body`; the key is the base64 behind `whsec_`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from typing import Final

PREFIX: Final = "whsec_"
KEY_BYTES: Final = 32
TOLERANCE_SECONDS: Final = 300


def make_secret() -> str:
    """A new secret, to be shown once."""
    return PREFIX + base64.b64encode(os.urandom(KEY_BYTES)).decode()


def sign(secret: str, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers.

    Raises:
        ValueError: the secret is none.
    """
    mac = hmac.new(_key(secret), f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identifier, "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }  # fmt: skip


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError("not a secret of a webhook")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("not a secret of a webhook") from error
