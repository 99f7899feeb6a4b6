"""The body of a sealed file: Tink's AES-GCM-HKDF streaming AEAD, segment by segment.

AES256_GCM_HKDF_SHA256 with 1 MiB segments, as published in Tink's "AES-GCM-HKDF Streaming AEAD" page and in
Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance"
(CRYPTO 2015). Layout: a header of 40 bytes (its length, a 32-byte salt, a 7-byte nonce prefix), then segments of
1 MiB, tag included, the first one shorter by the header, the last one of any length. Nonce: prefix, segment number
(4 bytes, big-endian), 1 for the last segment else 0. The key of the segments is HKDF-SHA256(key, salt, AAD).

A segment that decrypts is genuine, and the stream is whole only once the *last* one did: what `read_body` yields
before may be a prefix, so a caller publishes nothing before it ends.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.errors import CorruptError
from containment.atomic import write_all

SEGMENT: Final = 1 << 20
HEADER: Final = 40
TAG: Final = 16
_SALT: Final = 32
_PREFIX: Final = 7
_FIRST: Final = SEGMENT - HEADER - TAG
_OTHER: Final = SEGMENT - TAG


class Digest(Protocol):
    """What `hashlib.sha256()` returns."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...


def body_size(plaintext: int) -> int:
    """Bytes of the body of `plaintext` bytes."""
    segments = 1 if plaintext <= _FIRST else 1 + -(-(plaintext - _FIRST) // _OTHER)
    return HEADER + plaintext + TAG * segments


def _segment_cipher(key: bytes, salt: bytes, aad: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=aad).derive(key))


class BodyWriter:
    """Encrypts to a descriptor at its position; also feeds what it writes to `digest`."""

    def __init__(self, descriptor: int, key: bytes, aad: bytes, digest: Digest) -> None:
        """Write the header.

        Raises:
            OSError: the disk refuses.
        """
        salt, self._prefix = secrets.token_bytes(_SALT), secrets.token_bytes(_PREFIX)
        self._cipher = _segment_cipher(key, salt, aad)
        self._descriptor = descriptor
        self._digest = digest
        self._number = 0
        self._waiting: list[memoryview] = []
        self._length = 0
        self._put(bytes([HEADER]) + salt + self._prefix)

    def write(self, data: bytes) -> None:
        """Encrypt `data`, which must not change afterwards; a full segment waits until it is known not to be last."""
        if data:
            self._waiting.append(memoryview(data))
            self._length += len(data)
        while self._length > (size := _OTHER if self._number else _FIRST):
            self._segment(self._take(size), last=False)

    def finish(self) -> None:
        """Write the last segment, even an empty one: its mark is what tells an end from a cut."""
        self._segment(self._take(self._length), last=True)

    def _take(self, size: int) -> bytes:
        """The next `size` bytes, copied once (a growing buffer would copy them three times)."""
        parts = []
        self._length -= size
        while size:
            piece = self._waiting[0][:size]
            if len(piece) == len(self._waiting[0]):
                self._waiting.pop(0)
            else:
                self._waiting[0] = self._waiting[0][len(piece) :]
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)

    def _segment(self, data: bytes, *, last: bool) -> None:
        self._put(self._cipher.encrypt(_nonce(self._prefix, self._number, last=last), data, None))
        self._number += 1

    def _put(self, data: bytes) -> None:
        write_all(self._descriptor, data)
        self._digest.update(data)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


def read_body(descriptor: int, start: int, key: bytes, aad: bytes) -> Iterator[bytes]:
    """The plaintext, a segment at a time, from offset `start` to the end of the file.

    Raises:
        CorruptError: a segment is not genuine, out of order, or the end is missing.
        OSError: reading failed.
    """
    header = _read(descriptor, start, HEADER)
    if len(header) != HEADER or header[0] != HEADER:
        raise CorruptError("the sealed body has no header")
    cipher = _segment_cipher(key, header[1 : 1 + _SALT], aad)
    prefix = header[1 + _SALT :]
    end = os.fstat(descriptor).st_size
    position, size, number = start + HEADER, SEGMENT - HEADER, 0
    while True:
        piece = _read(descriptor, position, size)
        position += len(piece)
        last = position >= end
        if len(piece) < TAG or (not last and len(piece) != size):
            raise CorruptError("the sealed body is cut")
        try:
            yield cipher.decrypt(_nonce(prefix, number, last=last), piece, None)
        except InvalidTag as error:
            raise CorruptError(f"segment {number} of the sealed body is not genuine") from error
        if last:
            return
        size, number = SEGMENT, number + 1


def digest_rest(descriptor: int, start: int, digest: Digest) -> None:
    """Feed the file from offset `start` to its end to `digest`."""
    while piece := _read(descriptor, start, SEGMENT):
        digest.update(piece)
        start += len(piece)


def _read(descriptor: int, start: int, size: int) -> bytes:
    data = os.pread(descriptor, size, start)
    while 0 < len(data) < size and (more := os.pread(descriptor, size - len(data), start + len(data))):
        data += more
    return data
