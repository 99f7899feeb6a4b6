"""Gather persons in a worker: whose each row is and how they are reached, by the same decisions as the scan.

A row may be two people's (the guest's number and the waiter's): columns of staff, of suppliers and of customers make
records of their own. A number that a platform lends, or a starred one, is nobody by itself; where a real contact or
an identity document stands beside it, the row is that person's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scanners.cell_values import CREDENTIALS_ARE_NOBODY
from scanners.cells import Cells, Places
from scanners.fingerprints import Fingerprints, Numbers
from scanners.forms import MASKED as MASKED_CODE
from scanners.forms import NATURES, PERSONAL, Codes
from scanners.forms import VIRTUAL as VIRTUAL_CODE
from scanners.person_records import (
    CUSTOMER,
    LONGEST_VALUES,
    MAIL_VALUE,
    MASKED,
    MOST_TYPES,
    NAME_VALUE,
    ORGANISATION,
    OTHER_PHONE,
    OTHER_PHONE_VALUE,
    PERSON,
    PHONE,
    PHONE_VALUE,
    RECORD,
    SIDES,
    SLOT_OF,
    SLOTS,
    STRONG,
    VIRTUAL,
    WEAK,
    WEAKER,
    Records,
    Values,
)
from scanners.records import Nature, Subject
from scanners.row_persons import RowPersons
from scanners.tally import Value
from scanners.written import to_plain

BATCH = 4096
NO_VALUES: Values = ("", "", "", "")
VALUE_OF = {"PHONE_NUMBER": PHONE_VALUE, "EMAIL_ADDRESS": MAIL_VALUE, "PERSON": NAME_VALUE}


@dataclass(kw_only=True)
class Gathering:
    """What a worker gathers persons with. Not safe for threads.

    `emit` gets records with their values (empty unless `wants_values`), at most `BATCH` at a time; `normalise` gives
    the one form of a value of an entity.
    """

    entities: Sequence[str]
    fingerprints: Fingerprints
    normalise: Callable[[str, str], str]
    emit: Callable[[Records, list[Values]], None]
    wants_values: bool = False
    _waiting: list[tuple[Records, list[Values]]] = field(default_factory=list, repr=False)
    _count: int = 0

    def bit(self, entity: str) -> np.uint64:
        """The type's bit; types beyond the 62nd share the last one."""
        place = self.entities.index(entity) if entity in self.entities else MOST_TYPES - 1
        return np.uint64(1 << min(place, MOST_TYPES - 1))

    def begin_rows(self, count: int) -> RowContacts:
        """A batch of rows."""
        return RowContacts(count, self)

    def add(self, records: Records, values: list[Values]) -> None:
        """Records of persons, with as many values where those are wanted."""
        for low in range(0, len(records), BATCH):
            some = records[low : low + BATCH]
            if self._count + len(some) > BATCH:
                self.flush()
            self._waiting.append((some, values[low : low + BATCH]))
            self._count += len(some)

    def flush(self) -> None:
        """Hand on what waits."""
        waiting, self._waiting, self._count = self._waiting, [], 0
        if waiting:
            self.emit(np.concatenate([records for records, _ in waiting]), [v for _, values in waiting for v in values])


class RowContacts(RowPersons):
    """The records of a batch of rows; handed on when the scan asks for the rows' keys."""

    def __init__(self, count: int, gathering: Gathering) -> None:
        """A batch of so many rows."""
        super().__init__(count)
        self._rows = count
        self._gathering = gathering
        self._sides: dict[int, _Side] = {}

    def note(self, entity: str, cells: Cells, column: tuple[Numbers, Codes], subject: Subject) -> None:
        """The cells of a decided column, with their fingerprints and natures."""
        found, codes = column
        side = self._side(subject)
        for code in range(len(NATURES)):
            rows = np.flatnonzero(codes == code)
            if len(rows):
                new = side.put(entity, code, rows, found[rows])
                if self._gathering.wants_values and code == PERSONAL and entity in VALUE_OF:
                    for slot, taken in new:
                        side.keep(slot, taken, [to_plain(cells.text(row)).text.strip() for row in taken.tolist()])

    def note_hits(
        self,
        entity: str,
        nature: Nature,
        hits: tuple[Places, Numbers],
        values: Callable[[], Sequence[Value]],
        subject: Subject,
    ) -> None:
        """Values in cells of running text: their rows in ascending order, fingerprints, and the values themselves."""
        rows, found = hits
        side = self._side(subject)
        code = NATURES.index(nature)
        left = np.arange(len(rows))
        for _ in range(2):  # the first of each row, then the second
            first = np.ones(len(left), np.bool_)
            first[1:] = rows[left][1:] != rows[left][:-1]
            now, left = left[first], left[~first]
            if not len(now):
                return
            new = side.put(entity, code, rows[now], found[now])
            if self._gathering.wants_values and code == PERSONAL and entity in VALUE_OF:
                known = values()
                texts = {int(rows[at]): known[at].text for at in now.tolist()}
                for slot, taken in new:
                    side.keep(slot, taken, [texts[row] for row in taken.tolist()])

    def add(self, entity: str, found: Numbers, personal: NDArray[np.bool_]) -> None:
        """Nothing: a reading for persons keeps no keys for an inventory."""

    def add_hits(self, entity: str, rows: Places, found: Numbers) -> None:
        """Nothing, as `add`."""

    def keys(self, fingerprints: Fingerprints) -> Numbers:  # noqa: ARG002  those of the run are known here
        """None for the inventory; all is noted by now, and handed on."""
        for number, side in self._sides.items():
            if number != ORGANISATION:
                self._gathering.add(*side.records(number))
        self._sides = {}
        return np.zeros(0, np.uint64)

    def _side(self, subject: Subject) -> _Side:
        number = SIDES.get(subject, CUSTOMER)
        if number not in self._sides:
            self._sides[number] = _Side(self._rows, self._gathering)
        return self._sides[number]


class _Side:
    """Rows of a batch as far as they are customers', staff's or suppliers'."""

    def __init__(self, count: int, gathering: Gathering) -> None:
        self._count = count
        self._gathering = gathering
        self._keys = np.zeros((count, len(SLOTS)), np.uint64)
        self._types = np.zeros(count, np.uint64)
        self._by_entity: dict[str, Numbers] = {}  # weak ones, addresses, virtual and starred numbers
        self._values: dict[int, NDArray[np.object_]] = {}

    def put(self, entity: str, code: int, rows: Places, found: Numbers) -> list[tuple[int, Places]]:
        """Note values of one nature; which values' places (`VALUE_OF`) are new in which rows."""
        if code in (VIRTUAL_CODE, MASKED_CODE):
            if entity in SLOT_OF:
                self._first("virtual" if code == VIRTUAL_CODE else "masked", rows, found)
            self._types[rows] |= self._gathering.bit(entity)
            return []
        if code != PERSONAL and entity not in CREDENTIALS_ARE_NOBODY:
            return []
        self._types[rows] |= self._gathering.bit(entity)
        slot = SLOT_OF.get(entity)
        if slot is None:
            if entity in WEAKER or entity == "ADDRESS":
                new = self._first(entity, rows, found)
                return [(NAME_VALUE, new)] if entity == "PERSON" else []
            return []
        free = self._keys[rows, slot] == 0
        self._keys[rows[free], slot] = found[free]
        taken = [(VALUE_OF.get(entity, -1), rows[free])]
        if slot == PHONE:
            more = ~free & (self._keys[rows, PHONE] != found) & (self._keys[rows, OTHER_PHONE] == 0)
            self._keys[rows[more], OTHER_PHONE] = found[more]
            taken.append((OTHER_PHONE_VALUE, rows[more]))
        return [(place, new) for place, new in taken if place >= 0 and len(new)]

    def _first(self, name: str, rows: Places, found: Numbers) -> Places:
        known = self._by_entity.setdefault(name, np.zeros(self._count, np.uint64))
        free = known[rows] == 0
        new: Places = rows[free]
        known[new] = found[free]
        return new

    def keep(self, place: int, rows: Places, texts: Sequence[str]) -> None:
        """Keep values of some rows for the list."""
        known = self._values.setdefault(place, np.full(self._count, "", object))
        entity = "PHONE_NUMBER" if place in (PHONE_VALUE, OTHER_PHONE_VALUE) else ""
        for row, text in zip(rows.tolist(), texts, strict=True):
            value = self._gathering.normalise(entity, text) if entity else text
            known[row] = value[: LONGEST_VALUES[place]]

    def records(self, number: int) -> tuple[Records, list[Values]]:
        """What the rows come to; rows that are nobody's are left out."""
        reachable = self._keys[:, list(STRONG)].any(axis=1)
        nobody = np.zeros(self._count, np.uint64)
        virtual = self._by_entity.get("virtual", nobody)
        masked = self._by_entity.get("masked", nobody)
        self._weaken()
        lent = ~reachable & (virtual != 0)
        weak = ~reachable & ~lent & (self._keys[:, WEAK] != 0)
        starred = ~reachable & ~lent & ~weak & (masked != 0)
        rows = np.flatnonzero(reachable | lent | weak | starred)
        made = np.zeros(len(rows), RECORD)
        made["keys"] = self._keys[rows]
        made["types"] = self._types[rows]
        made["side"] = number
        for chosen, what, known in ((lent, VIRTUAL, virtual), (starred, MASKED, masked)):
            those = chosen[rows]
            made["what"][those] = what
            made["keys"][those] = 0
            made["keys"][those, PHONE] = known[rows][those]
        return made, self._texts(rows) if self._gathering.wants_values else []

    def _weaken(self) -> None:
        """The weak key of each row."""
        weak = self._keys[:, WEAK]
        for entity in WEAKER:
            known = self._by_entity.get(entity)
            if known is None:
                continue
            new = (weak == 0) & (known != 0)
            weak[new] = known[new]
            if entity == "PERSON" and "ADDRESS" in self._by_entity:
                addresses = self._by_entity["ADDRESS"]
                both = np.flatnonzero(new & (addresses != 0))
                weak[both] = self._gathering.fingerprints.of_pairs("PERSON+ADDRESS", known[both], addresses[both])

    def _texts(self, rows: Places) -> list[Values]:
        empty = [""] * len(rows)
        columns = [self._values[place][rows].tolist() if place in self._values else empty for place in range(4)]
        return list(zip(*columns, strict=True))


__all__ = ["BATCH", "PERSON", "PHONE", "Gathering", "RowContacts"]
