"""The immutable core of a sealed file: what it is, whose it is, and its metadata encrypted.

Big-endian: magic 8, version 2, suite 2, length of the core 4, file id 16, key commitment 32, signer's public key
32, length of the outer key's name 1 and the name, length of the metadata 4 and the metadata (AES-256-GCM under a
key derived from the file key), Ed25519 signature 64 over all before it. Then zeros up to the next 4 KiB, where the
slots begin. The commitment is a digest that only the right file key gives: without it AES-GCM lets one ciphertext
open to two plaintexts under two keys (Albertini et al., "How to Abuse and Fix Authenticated Encryption Without Key
Commitment", USENIX Security 2022).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.errors import CorruptError
from containment.keyring import verify_signature

MAGIC: Final = b"\x89CLOCHE\n"
VERSION: Final = 1
SUITE_ID: Final = 1  # HKDF-SHA256, AES-256-GCM, MLKEM768_X25519 HPKE, Ed25519
ALIGNMENT: Final = 4096
LARGEST: Final = 64 << 20
_HEAD: Final = struct.Struct(">8sHHI16s32s32sB")
_SIGNATURE: Final = 64
_SIGNED: Final = b"cloche sealed core v1\0"
_NONCE: Final = bytes(12)  # the metadata key is derived for this one message and never used again


@dataclass(frozen=True, kw_only=True)
class FileKeys:
    """What is derived from a file key (HKDF-SHA256, salt = file id)."""

    body: bytes = field(repr=False)
    metadata: bytes = field(repr=False)
    commitment: bytes = field(repr=False)


def derive_keys(file_key: bytes, file_id: bytes) -> FileKeys:
    """Three independent values, so that none is used in two ways."""

    def part(name: bytes) -> bytes:
        info = b"cloche file v1 " + name
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=file_id, info=info).derive(file_key)

    return FileKeys(body=part(b"body"), metadata=part(b"metadata"), commitment=part(b"commitment"))


@dataclass(frozen=True, kw_only=True)
class Core:
    """The core as read, its own signature checked. `signer` says whose it is: compare it with the store's key."""

    file_id: bytes
    commitment: bytes
    signer: bytes
    outer_key_id: str
    digest: bytes
    slots_at: int
    header: bytes = field(repr=False)
    metadata: bytes = field(repr=False)

    @property
    def body_at(self) -> int:
        """Offset of the body."""
        return self.slots_at + 2 * ALIGNMENT

    def open_metadata(self, file_key: bytes) -> tuple[FileKeys, bytes]:
        """The derived keys and the metadata in clear.

        Raises:
            CorruptError: it is not the key that the core commits to, or the metadata is not genuine.
        """
        keys = derive_keys(file_key, self.file_id)
        if not hmac.compare_digest(keys.commitment, self.commitment):
            raise CorruptError("the key is not the one that the sealed file was made with")
        try:
            return keys, AESGCM(keys.metadata).decrypt(_NONCE, self.metadata, self.header)
        except InvalidTag as error:
            raise CorruptError("the metadata of the sealed file is not genuine") from error


def build_core(
    file_id: bytes, keys: FileKeys, metadata: bytes, sign: tuple[bytes, Callable[[bytes], bytes]], outer: str
) -> bytes:
    """The bytes of a core, with the zeros after it.

    Args:
        file_id: 16 random bytes.
        keys: derived from the file key.
        metadata: in clear.
        sign: the store's public key, and what signs with it.
        outer: name of the outer key, or "".

    Raises:
        ValueError: the metadata or the name is too large.
    """
    name = outer.encode("utf-8")
    length = _HEAD.size + len(name) + 4 + len(metadata) + 16 + _SIGNATURE
    if len(name) > 255 or length > LARGEST:
        raise ValueError("the metadata is too large")
    public, signer = sign
    header = _HEAD.pack(MAGIC, VERSION, SUITE_ID, length, file_id, keys.commitment, public, len(name)) + name
    sealed = AESGCM(keys.metadata).encrypt(_NONCE, metadata, header)
    signed = header + struct.pack(">I", len(sealed)) + sealed
    core = signed + signer(_SIGNED + signed)
    return core.ljust(-(-len(core) // ALIGNMENT) * ALIGNMENT, b"\0")


def read_core(descriptor: int) -> Core:
    """The core of the sealed file.

    Raises:
        CorruptError: it is no sealed file, or its core was changed.
        OSError: reading failed.
    """
    start = os.pread(descriptor, _HEAD.size, 0)
    if len(start) < _HEAD.size or start[:8] != MAGIC:
        raise CorruptError("not a sealed file")
    _magic, version, suite, length, file_id, commitment, signer, name_length = _HEAD.unpack(start)
    if version != VERSION or suite != SUITE_ID:
        raise CorruptError(f"sealed by another version (format {version}, suite {suite})")
    size = -(-length // ALIGNMENT) * ALIGNMENT
    if not _HEAD.size < length <= LARGEST or size > os.fstat(descriptor).st_size:
        raise CorruptError("the sealed file is cut")
    data = os.pread(descriptor, size, 0)
    header = data[: _HEAD.size + name_length]
    at = len(header) + 4
    metadata = data[at : length - _SIGNATURE]
    if (
        len(data) != size
        or any(data[length:])
        or data[len(header) : at] != struct.pack(">I", len(metadata))
        or not verify_signature(signer, _SIGNED + data[: length - _SIGNATURE], data[length - _SIGNATURE : length])
    ):
        raise CorruptError("the core of the sealed file was changed")
    return Core(
        file_id=file_id,
        commitment=commitment,
        signer=signer,
        outer_key_id=header[_HEAD.size :].decode("utf-8", "replace"),
        digest=hashlib.sha256(data[:length]).digest(),
        slots_at=size,
        header=header,
        metadata=metadata,
    )
