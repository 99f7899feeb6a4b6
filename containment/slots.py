"""The two wrap slots of a sealed file: who may open it, replaceable without touching the rest.

A slot is one 4 KiB block: sequence number, epoch id, the file key under the epoch key, the epoch key under each
recipient, zeros, SHA-256 of all that with the core's digest. The highest valid sequence wins; a re-wrap writes the
*other* slot and fsyncs, so a cut leaves the old one. The digest finds torn writes; it is no proof against a forger:
that is the file key's commitment in the signed core.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from config.errors import CorruptError, RefusedError
from containment.keys import OuterKey

SLOT: Final = 4096
AREA: Final = 2 * SLOT
_MAGIC: Final = b"WRAP"
_HEAD: Final = struct.Struct(">4sQ16sBB")  # magic, sequence, epoch id, length of the wrapped key, recipients
_WRAP: Final = struct.Struct(">8sH")
_DIGEST: Final = 32
_NONCE: Final = 12


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One generation of wraps."""

    sequence: int
    epoch_id: bytes
    file_key: bytes = field(repr=False)
    wraps: Mapping[str, bytes] = field(repr=False)

    def encode(self, core_digest: bytes) -> bytes:
        """The 4,096 bytes.

        Raises:
            ValueError: too many recipients for a block.
        """
        body = _HEAD.pack(_MAGIC, self.sequence, self.epoch_id, len(self.file_key), len(self.wraps))
        body += self.file_key
        for name, wrap in self.wraps.items():
            body += _WRAP.pack(bytes.fromhex(name), len(wrap)) + wrap
        if len(body) > SLOT - _DIGEST:
            raise ValueError("too many recipients for one slot")
        body = body.ljust(SLOT - _DIGEST, b"\0")
        return body + hashlib.sha256(core_digest + body).digest()


def decode_slot(data: bytes, core_digest: bytes) -> Slot | None:
    """The slot in a block of 4,096 bytes; None where it is empty, torn or of another file."""
    body, digest = data[: SLOT - _DIGEST], data[SLOT - _DIGEST :]
    if len(data) != SLOT or hashlib.sha256(core_digest + body).digest() != digest:
        return None
    magic, sequence, epoch_id, key_length, count = _HEAD.unpack_from(body)
    position = _HEAD.size + key_length
    file_key = body[_HEAD.size : position]
    wraps = {}
    for _ in range(count):
        if position + _WRAP.size > len(body):
            return None
        name, length = _WRAP.unpack_from(body, position)
        position += _WRAP.size
        wraps[name.hex()] = body[position : position + length]
        position += length
    if magic != _MAGIC or position > len(body) or any(body[position:]):
        return None
    return Slot(sequence=sequence, epoch_id=epoch_id, file_key=file_key, wraps=wraps)


def read_slots(descriptor: int, start: int, core_digest: bytes) -> tuple[Slot | None, Slot | None]:
    """Both slots of a file whose slot area begins at `start`."""
    data = os.pread(descriptor, AREA, start)
    return decode_slot(data[:SLOT], core_digest), decode_slot(data[SLOT:], core_digest)


def newest(slots: tuple[Slot | None, Slot | None]) -> Slot:
    """The valid slot of the highest sequence.

    Raises:
        CorruptError: neither is valid.
    """
    valid = [slot for slot in slots if slot is not None]
    if not valid:
        raise CorruptError("both key slots of the sealed file are damaged")
    return max(valid, key=lambda slot: slot.sequence)


def write_next(descriptor: int, start: int, core_digest: bytes, slot: Slot) -> None:
    """Put `slot` where the older or damaged one is, durably, and leave the newest alone.

    Raises:
        CorruptError: neither old slot is valid.
        OSError: the disk refuses; the newest slot still stands.
    """
    first, second = read_slots(descriptor, start, core_digest)
    current = newest((first, second))
    other = SLOT if current is first else 0
    os.pwrite(descriptor, slot.encode(core_digest), start + other)
    os.fsync(descriptor)


def wrap_file_key(file_key: bytes, epoch_key: bytes, core_digest: bytes, outer: OuterKey | None) -> bytes:
    """The file key under the outer key, where there is one, and that under the epoch key (AES-256-GCM each)."""
    inner = _encrypt(outer.key, file_key, b"outer" + core_digest) if outer else file_key
    return _encrypt(epoch_key, inner, b"epoch" + core_digest)


def unwrap_file_key(wrapped: bytes, epoch_key: bytes, core_digest: bytes, outer: OuterKey | None) -> bytes:
    """The way back of `wrap_file_key`.

    Raises:
        CorruptError: the epoch key doesn't open it.
        RefusedError: the outer key is the wrong one.
    """
    inner = _decrypt(epoch_key, wrapped, b"epoch" + core_digest)
    if inner is None:
        raise CorruptError("the wrapped key of the sealed file is damaged")
    if outer is None:
        return inner
    file_key = _decrypt(outer.key, inner, b"outer" + core_digest)
    if file_key is None:
        raise RefusedError(f"the key of {outer.key_id} does not fit this file")
    return file_key


def _encrypt(key: bytes, data: bytes, aad: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, aad)


def _decrypt(key: bytes, data: bytes, aad: bytes) -> bytes | None:
    try:
        return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], aad)
    except (InvalidTag, ValueError):
        return None
