"""HyperLogLog sketches of persons: counts that can be put together without any fingerprint.

2^14 registers (Flajolet, Fusy, Gandouet, Meunier 2007): the standard error is 1.04 / sqrt(2^14) = 0.81 %. The estimator
is Ertl's (2017, "New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6), which has no bias at
any size and needs no table. What is hashed is a fingerprint already, a keyed pseudo-random function under the chain's
key, of which the first 64 bits are taken: sketches of all stores under one key may be merged, and the same persons give
the same sketch.
"""

from __future__ import annotations

import math
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

PRECISION: Final = 14
REGISTERS: Final = 1 << PRECISION
ERROR: Final = 1.04 / math.sqrt(REGISTERS)
BITS: Final = 64 - PRECISION
_VERSION: Final = b"\x01"
_ALPHA: Final = 1 / (2 * math.log(2))

Prints = NDArray[np.uint8]
"""Fingerprints, a row of 16 bytes each."""


class Sketch:
    """A sketch that grows and merges. Two are of use together only where one key made what went in."""

    def __init__(self) -> None:
        """Nobody."""
        self._registers = np.zeros(REGISTERS, np.uint8)

    def add(self, prints: Prints) -> None:
        """Some fingerprints, 16 bytes a row."""
        if not len(prints):
            return
        words = np.ascontiguousarray(prints[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
        places = (words >> np.uint64(BITS)).astype(np.int64)
        rest = words << np.uint64(PRECISION)
        # leading zeros by the exponent of a float: exact where the 50 bits fit its mantissa, which they do
        with np.errstate(divide="ignore"):
            exponent = np.frexp((rest >> np.uint64(PRECISION)).astype(np.float64))[1]
        ranks = np.where(rest == 0, BITS + 1, BITS - exponent + 1).astype(np.uint8)
        np.maximum.at(self._registers, places, ranks)

    def merge(self, other: Sketch) -> None:
        """Whoever is in the other one, too."""
        np.maximum(self._registers, other._registers, out=self._registers)

    @property
    def count(self) -> int:
        """About how many; `ERROR` is the relative standard error."""
        counts = np.bincount(self._registers, minlength=BITS + 2).astype(np.float64)
        total = REGISTERS * _tau(1 - counts[BITS + 1] / REGISTERS)
        for value in range(BITS, 0, -1):
            total = (total + counts[value]) / 2
        total += REGISTERS * _sigma(counts[0] / REGISTERS)
        return 0 if math.isinf(total) else round(_ALPHA * REGISTERS * REGISTERS / total)

    def pack(self) -> bytes:
        """As bytes: a version, then the registers, compressed."""
        return _VERSION + zlib.compress(self._registers.tobytes(), 6)

    @classmethod
    def unpack(cls, content: bytes) -> Sketch:
        """The sketch of `pack`.

        Raises:
            ValueError: it is none.
        """
        if content[:1] != _VERSION:
            raise ValueError("a sketch of another version")
        try:
            reader = zlib.decompressobj()
            registers = reader.decompress(content[1:], REGISTERS + 1)
        except zlib.error as error:
            raise ValueError("not a sketch") from error
        made = cls()
        made._registers = np.frombuffer(registers, np.uint8).copy()
        if len(registers) != REGISTERS or int(made._registers.max()) > BITS + 1:
            raise ValueError("not a sketch")
        return made


def _sigma(share: float) -> float:
    """For registers that nobody touched."""
    if share == 1.0:
        return math.inf
    weight, total = 1.0, share
    while True:
        share *= share
        before = total
        total += share * weight
        weight += weight
        if total == before:
            return total


def _tau(share: float) -> float:
    """For registers that are full."""
    if share in (0.0, 1.0):
        return 0.0
    weight, total = 1.0, 1 - share
    while True:
        share = math.sqrt(share)
        before = total
        weight *= 0.5
        total -= (1 - share) ** 2 * weight
        if total == before:
            return total / 3
