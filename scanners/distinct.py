"""Counting distinct values without keeping them: keyed fingerprints, exact at first, then HyperLogLog.

Up to `EXACT` they are kept as they are; beyond, only 2^14 registers remain (Flajolet et al. 2007), with a standard
error of 1.04 / sqrt(2^14) = 0.81 %. Fingerprints are kept in arrays, 8 bytes each: a set of Python's takes 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from scanners.fingerprints import Numbers

EXACT: Final = 200_000
PRECISION: Final = 14
REGISTERS: Final = 1 << PRECISION
BITS: Final = 64 - PRECISION
_WAITING: Final = 1024
_LOOK: Final = 65_536
_NONE: Final = np.empty(0, np.uint64)


class Fingerprinted(AbstractSet[int]):
    """A set of fingerprints that grows, as a sorted array. Adding n of them takes n log n, in whatever pieces."""

    def __init__(self, known: Numbers = _NONE) -> None:
        """Start with `known`, sorted and each once."""
        self._known = known
        self._waiting: list[Numbers] = []
        self._count = 0

    def __repr__(self) -> str:
        """Nothing of what is in it."""
        return f"<{len(self)} fingerprints>"

    @classmethod
    def of(cls, fingerprints: Iterable[int]) -> Fingerprinted:
        """These."""
        made = cls()
        made.add_many(np.fromiter(fingerprints, np.uint64))
        return made

    @classmethod
    def _from_iterable(cls, it: Iterable[int]) -> Fingerprinted:  # type: ignore[override]
        return cls.of(it)

    def add_many(self, fingerprints: Numbers) -> None:
        """Many more."""
        self._waiting.append(fingerprints)
        self._count += len(fingerprints)
        if self._count > max(_WAITING, len(self._known) // 2):
            self.settled()

    def settled(self) -> Numbers:
        """All of them, sorted, each once."""
        if self._waiting:
            parts = [self._known, *self._waiting]
            self._known, self._waiting, self._count = _NONE, [], 0
            merged = np.concatenate(parts)
            del parts  # of millions of them no copy more than needed
            merged.sort()
            first = np.ones(len(merged), np.bool_)
            np.not_equal(merged[1:], merged[:-1], out=first[1:])
            self._known = merged[first]
        return self._known

    def __len__(self) -> int:
        """How many."""
        return len(self.settled())

    def __iter__(self) -> Iterator[int]:
        """In ascending order."""
        return iter(self.settled().tolist())

    def __contains__(self, fingerprint: object) -> bool:
        """Is it there?"""
        return isinstance(fingerprint, int) and bool(self.holds(np.array([fingerprint], np.uint64))[0])

    def holds(self, fingerprints: Numbers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of these are there."""
        known = self.settled()
        if not len(known):
            return np.zeros(len(fingerprints), np.bool_)
        places = np.minimum(np.searchsorted(known, fingerprints), len(known) - 1)
        there: np.ndarray[tuple[int], np.dtype[np.bool_]] = known[places] == fingerprints
        return there


def packed(fingerprints: AbstractSet[int], most: int) -> bytes:
    """The lowest of them, at most so many, in ascending order; 8 bytes each, big-endian."""
    known = fingerprints if isinstance(fingerprints, Fingerprinted) else Fingerprinted.of(fingerprints)
    return known.settled()[:most].astype(">u8").tobytes()


class Distinct:
    """How many distinct fingerprints were added: exact to `EXACT`, then within about 1 %."""

    def __init__(self) -> None:
        """Start at none."""
        self._exact: Fingerprinted | None = Fingerprinted()
        self._registers = np.zeros(0, np.uint8)
        self._pending = 0

    def add_many(self, fingerprints: Numbers) -> None:
        """Count those that were not there."""
        if self._exact is None:
            self._register(fingerprints)
            return
        self._exact.add_many(fingerprints)
        self._watch(len(fingerprints))

    def _watch(self, more: int) -> None:
        """Go over to registers when there are too many; looked at once in a while, for a look costs a sort."""
        self._pending += more
        if self._exact is not None and self._pending > _LOOK:
            self._pending = 0
            if len(self._exact) > EXACT:
                self._estimate(self._exact)

    def _estimate(self, exact: Fingerprinted) -> None:
        self._registers = np.zeros(REGISTERS, np.uint8)
        self._register(exact.settled())
        self._exact = None

    def _register(self, fingerprints: Numbers) -> None:
        """Keep the longest run of leading zeros of each register."""
        for low in range(0, len(fingerprints), _LOOK):
            some = fingerprints[low : low + _LOOK]
            index = (some >> np.uint64(BITS)).astype(np.int64)
            rest = (some & np.uint64((1 << BITS) - 1)).astype(np.float64)  # 50 bits: exact in a double
            length = np.frexp(rest)[1]
            np.maximum.at(self._registers, index, (BITS - length + 1).astype(np.uint8))

    @property
    def count(self) -> int:
        """The number, or its estimate."""
        if self._exact is not None:
            number = len(self._exact)
            if number <= EXACT:
                return number
            self._estimate(self._exact)
        total = float(np.exp2(-self._registers.astype(np.float64)).sum())
        estimate = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS**2 / total
        empty = int(np.count_nonzero(self._registers == 0))
        if estimate <= 2.5 * REGISTERS and empty:
            estimate = REGISTERS * math.log(REGISTERS / empty)
        return round(estimate)
