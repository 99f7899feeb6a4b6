"""Counting distinct values without keeping them: keyed fingerprints, exact at first, then HyperLogLog.

A fingerprint is BLAKE2b-64 under a key of this run (RFC 7693). Up to `EXACT` they are kept as they are; beyond, only
2^14 registers remain (Flajolet et al. 2007), with a standard error of 1.04 / sqrt(2^14) = 0.81 %.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

EXACT: Final = 200_000
PRECISION: Final = 14
REGISTERS: Final = 1 << PRECISION
BITS: Final = 64 - PRECISION
KEY_BYTES: Final = 64


class Fingerprints:
    """Makes fingerprints under one run's key."""

    def __init__(self, run_key: bytes) -> None:
        """Take the key, at most 64 bytes of it."""
        self.base = blake2b(key=run_key[:KEY_BYTES], digest_size=8)

    def of(self, entity: str, value: str) -> int:
        """64 bits for `value` of `entity`; the same for the same value everywhere in this run."""
        state = self.base.copy()
        state.update(f"{entity}\0{value}".encode("utf-8", "surrogatepass"))
        return int.from_bytes(state.digest(), "big")


class Distinct:
    """How many distinct fingerprints were added: exact to `EXACT`, then within about 1 %."""

    def __init__(self) -> None:
        """Start at none."""
        self.exact: set[int] | None = set()
        self.registers = bytearray()

    def add(self, fingerprint: int) -> None:
        """Count it unless it was there."""
        if self.exact is not None:
            self.exact.add(fingerprint)
            if len(self.exact) > EXACT:
                self.registers = bytearray(REGISTERS)
                for known in self.exact:
                    self.register(known)
                self.exact = None
        else:
            self.register(fingerprint)

    def register(self, fingerprint: int) -> None:
        """Keep the longest run of leading zeros of its register."""
        index = fingerprint >> BITS
        rank = BITS - (fingerprint & ((1 << BITS) - 1)).bit_length() + 1
        self.registers[index] = max(self.registers[index], rank)

    @property
    def count(self) -> int:
        """The number, or its estimate."""
        if self.exact is not None:
            return len(self.exact)
        total = sum(2.0**-rank for rank in self.registers)
        estimate = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS**2 / total
        empty = self.registers.count(0)
        if estimate <= 2.5 * REGISTERS and empty:
            estimate = REGISTERS * math.log(REGISTERS / empty)
        return round(estimate)
