"""Whose a row is: the strongest identifier in it stands for the person, in all rows of a batch at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scanners.cells import Cells, Places
from scanners.fingerprints import Fingerprints, Numbers
from scanners.forms import Codes
from scanners.records import Nature, Subject
from scanners.tally import IDENTIFIERS, Value


class RowPersons:
    """Whose each row of a batch is: by the strongest identifier in it; a name alone or with an address comes last."""

    def __init__(self, count: int) -> None:
        """A batch of so many rows."""
        self._count = count
        self._keys: dict[str, Numbers] = {}
        self._known: dict[str, NDArray[np.bool_]] = {}

    def _of(self, entity: str) -> tuple[Numbers, NDArray[np.bool_]]:
        if entity not in self._keys:
            self._keys[entity] = np.zeros(self._count, np.uint64)
            self._known[entity] = np.zeros(self._count, np.bool_)
        return self._keys[entity], self._known[entity]

    def add(self, entity: str, found: Numbers, personal: NDArray[np.bool_]) -> None:
        """Values of a decided column; of two columns of one entity the first counts, of addresses the last."""
        if entity not in IDENTIFIERS and entity != "ADDRESS":
            return
        keys, known = self._of(entity)
        new = personal if entity == "ADDRESS" else personal & ~known
        keys[new] = found[new]
        known |= new

    def add_hits(self, entity: str, rows: Places, found: Numbers) -> None:
        """Values in running text, by row; the first one of a row counts, and only if no column before had one."""
        if entity not in IDENTIFIERS:
            return
        keys, known = self._of(entity)
        first = np.ones(len(rows), np.bool_)
        first[1:] = rows[1:] != rows[:-1]
        new = first & ~known[rows]
        keys[rows[new]] = found[new]
        known[rows[new]] = True

    def note(self, entity: str, cells: Cells, column: tuple[Numbers, Codes], subject: Subject) -> None:
        """The cells of a decided column, with their fingerprints and natures: for whoever gathers contacts."""

    def note_hits(
        self,
        entity: str,
        nature: Nature,
        hits: tuple[Places, Numbers],
        values: Callable[[], Sequence[Value]],
        subject: Subject,
    ) -> None:
        """Values in cells of running text, by row in ascending order: for whoever gathers contacts."""

    def keys(self, fingerprints: Fingerprints) -> Numbers:
        """A key a row that is somebody's."""
        keys = np.zeros(self._count, np.uint64)
        done = np.zeros(self._count, np.bool_)
        for entity in IDENTIFIERS:
            if entity not in self._keys:
                continue
            new = self._known[entity] & ~done
            keys[new] = self._keys[entity][new]
            if entity == "PERSON" and "ADDRESS" in self._keys:
                both = np.flatnonzero(new & self._known["ADDRESS"])
                keys[both] = fingerprints.of_pairs("PERSON+ADDRESS", keys[both], self._keys["ADDRESS"][both])
            done |= new
        return keys[done]
