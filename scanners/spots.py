"""Accepted places as columns: what the engine passes on, an element a place.

A dense list of members has twenty thousand values in a megabyte; an object for each would cost more than finding it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from scanners.records import Nature
from scanners.units import Positions

NATURES: Final[tuple[Nature, ...]] = get_args(Nature)


class Located(NamedTuple):
    """An entity in plain text."""

    entity: str
    start: int
    end: int
    score: float
    nature: Nature = "personal"


class Spots:
    """Places `[start, end)` in plain text with their entity (an index into `entities`), score and nature."""

    def __init__(
        self,
        entities: Sequence[str],
        kinds: NDArray[np.int64],
        bounds: tuple[Positions, Positions],
        scores: NDArray[np.float64],
        natures: NDArray[np.int64],
    ) -> None:
        """Take columns of one length."""
        self.entities = entities
        self.kinds = kinds
        self.starts, self.ends = bounds
        self.scores = scores
        self.natures = natures

    @classmethod
    def of(cls, entities: Sequence[str], found: Iterable[Located]) -> Spots:
        """Columns of `found`, whose entities are all in `entities`."""
        number = {entity: index for index, entity in enumerate(entities)}
        nature = {name: index for index, name in enumerate(NATURES)}
        rows = [(number[f.entity], f.start, f.end, nature[f.nature]) for f in found]
        kinds, starts, ends, natures = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        return cls(entities, kinds, (starts, ends), np.array([f.score for f in found], dtype=np.float64), natures)

    def __len__(self) -> int:
        """How many."""
        return len(self.kinds)

    def __iter__(self) -> Iterator[Located]:
        """One by one."""
        columns = (self.kinds, self.starts, self.ends, self.scores, self.natures)
        for kind, start, end, score, nature in zip(*(column.tolist() for column in columns), strict=True):
            yield Located(self.entities[kind], start, end, score, NATURES[nature])

    def groups(self) -> Iterator[tuple[str, Nature, Positions]]:
        """Entity, nature and the numbers of those that have both."""
        both = self.kinds * len(NATURES) + self.natures
        for code in sorted(set(both.tolist())):
            yield self.entities[code // len(NATURES)], NATURES[code % len(NATURES)], np.flatnonzero(both == code)

    def pick(self, chosen: NDArray[np.bool_] | Positions) -> Spots:
        """Some of them, or all in another order."""
        return Spots(
            self.entities,
            self.kinds[chosen],
            (self.starts[chosen], self.ends[chosen]),
            self.scores[chosen],
            self.natures[chosen],
        )

    def join(self, other: Spots) -> Spots:
        """These, then `other`, whose entities must be the same list."""
        return Spots(
            self.entities,
            np.concatenate((self.kinds, other.kinds)),
            (np.concatenate((self.starts, other.starts)), np.concatenate((self.ends, other.ends))),
            np.concatenate((self.scores, other.scores)),
            np.concatenate((self.natures, other.natures)),
        )


def settle(found: Spots) -> Spots:
    """Sorted by start, end and kind; of one entity's overlapping places the best stays.

    The best has the highest score, then the greatest length, then the first start. One sort, and one sweep over those
    that overlap.
    """
    if len(found) < 2:
        return found
    found = found.pick(np.lexsort((-found.ends, found.starts, found.kinds)))
    beside = (found.kinds[1:] == found.kinds[:-1]) & (found.starts[1:] < found.ends[:-1])
    if beside.any():
        found = found.pick(np.array(sweep(found), dtype=np.int64))
    return found.pick(np.lexsort((found.kinds, found.ends, found.starts)))


def sweep(found: Spots) -> list[int]:
    """Which of some sorted places stay."""
    kept: list[int] = []
    columns = (found.kinds.tolist(), found.starts.tolist(), found.ends.tolist(), found.scores.tolist())
    kinds, starts, ends, scores = columns
    for index, (kind, start) in enumerate(zip(kinds, starts, strict=True)):
        if kept and kinds[kept[-1]] == kind and start < ends[kept[-1]]:
            rival = kept[-1]
            if (scores[index], ends[index] - start) > (scores[rival], ends[rival] - starts[rival]):
                kept[-1] = index
        else:
            kept.append(index)
    return kept
