"""Fingerprints: 64 bits that tell values apart within one run and say nothing of them without its key.

Whoever holds the key knows every mobile number in minutes (there are 10^10 of them), so a key lives for one run, in
memory. The function must be a keyed pseudo-random one, and cheap over millions of short values: AES-256 in CBC-MAC
mode over prefix-free messages (ISO/IEC 9797-1, algorithm 1; Bellare, Kilian and Rogaway 2000 prove it a PRF for
messages that begin with their length), under a key of its own for each entity, derived by keyed BLAKE2b (RFC 7693).
One call of AES serves a whole array of blocks: 2 ns a block, where BLAKE2b from Python takes 800 ns a value. A
message is the length in two bytes, the value, and zeros to a multiple of 16; a value longer than `LONGEST` bytes
stands in by its keyed BLAKE2b-512, under a length that no other value has.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import AEADEncryptionContext, CipherContext

KEY_BYTES: Final = 64
BLOCK: Final = 16
HEADER: Final = 2
LONGEST: Final = 1022
SHORT: Final = 46  # bytes of a value that is worth its place in three blocks
_DIGESTED: Final = 0xFFFF

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.uint64]


class Fingerprints:
    """Makes fingerprints under one run's key. Not safe for threads."""

    def __init__(self, run_key: bytes) -> None:
        """Take the key, at most 64 bytes of it."""
        self._run_key = run_key[:KEY_BYTES]
        self._ciphers: dict[str, CipherContext | AEADEncryptionContext] = {}

    def of(self, entity: str, value: str) -> int:
        """64 bits for `value` of `entity`; the same for the same value everywhere in this run."""
        return self.of_bytes(entity, value.encode("utf-8", "surrogatepass"))

    def of_bytes(self, entity: str, value: bytes) -> int:
        """The same, of the value's UTF-8."""
        length = len(value)
        if length > LONGEST:
            length, value = _DIGESTED, blake2b(value, key=self._run_key, digest_size=64).digest()
        message = length.to_bytes(HEADER, "big") + value
        message += bytes(-len(message) % BLOCK)
        encrypt = self._cipher(entity).update
        state = encrypt(message[:BLOCK])
        for at in range(BLOCK, len(message), BLOCK):
            block = int.from_bytes(state, "big") ^ int.from_bytes(message[at : at + BLOCK], "big")
            state = encrypt(block.to_bytes(BLOCK, "big"))
        return int.from_bytes(state[:8], "big")

    def of_values(self, entity: str, values: Sequence[str]) -> Numbers:
        """Fingerprints of some values, in one call where they are short."""
        written = [value.encode("utf-8", "surrogatepass") for value in values]
        lengths = np.array([len(value) for value in written], dtype=np.int64)
        width = -(-(HEADER + SHORT) // BLOCK) * BLOCK
        blocks = b"".join(bytes(HEADER) + value[:SHORT].ljust(width - HEADER, b"\0") for value in written)
        prints = self.of_blocks(entity, np.frombuffer(blocks, np.uint8).reshape(-1, width).copy(), lengths)
        for row in np.flatnonzero(lengths > SHORT).tolist():
            prints[row] = self.of_bytes(entity, written[row])
        return prints

    def of_blocks(self, entity: str, blocks: Bytes, lengths: NDArray[np.int64]) -> Numbers:
        """Fingerprints of many values at once.

        Args:
            entity: of all of them.
            blocks: a contiguous row of whole blocks a value, which stands from byte `HEADER` on, with zeros behind
                it. The header is written here.
            lengths: of the values in bytes, each at most `LONGEST`.
        """
        blocks[:, 0] = lengths >> 8
        blocks[:, 1] = lengths & 0xFF
        words = blocks.view(np.uint64)
        state = self._encrypt(entity, words[:, :2])
        for step in range(1, words.shape[1] // 2):
            longer = np.flatnonzero(lengths > step * BLOCK - HEADER)
            if not len(longer):
                break
            state[longer] = self._encrypt(entity, state[longer] ^ words[longer, 2 * step : 2 * step + 2])
        return state[:, 0].view(">u8").astype(np.uint64)

    def of_pairs(self, entity: str, first: Numbers, second: Numbers) -> Numbers:
        """Fingerprints of pairs of fingerprints, row by row."""
        blocks = np.zeros((len(first), 2 * BLOCK), np.uint8)
        blocks[:, HEADER : HEADER + 8] = first.astype(">u8").view(np.uint8).reshape(-1, 8)
        blocks[:, HEADER + 8 : HEADER + 16] = second.astype(">u8").view(np.uint8).reshape(-1, 8)
        return self.of_blocks(entity, blocks, np.full(len(first), 16, np.int64))

    def _encrypt(self, entity: str, blocks: Numbers) -> Numbers:
        plain = np.ascontiguousarray(blocks)
        if not plain.size:
            return plain
        sealed = np.empty(plain.size + 2, np.uint64)  # OpenSSL wants room for one block more
        self._cipher(entity).update_into(plain.data.cast("B"), sealed.data.cast("B"))
        return sealed[:-2].reshape(-1, 2)

    def _cipher(self, entity: str) -> CipherContext | AEADEncryptionContext:
        """ECB, one block at a time or many: the chaining is done outside of it."""
        known = self._ciphers.get(entity)
        if known is None:
            key = blake2b(f"fingerprint\0{entity}".encode(), key=self._run_key, digest_size=32).digest()
            known = self._ciphers[entity] = Cipher(AES256(key), ECB()).encryptor()  # noqa: S305  see the module
        return known
