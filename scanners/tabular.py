"""Tables: each column is decided once, from a sample, and then its cells are counted without the slow path.

The first rows are held back until the sample is full (or the table ends), so nothing is read twice. Cells of mixed and
free-text columns take the full path; cells of a decided column that do not look like it are still counted as it, for a
wrong check digit in a column called 身份证 is an id all the same. Empty cells and placeholders are nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from scanners.columns import Column, decide
from scanners.detectors import Detector
from scanners.masking import by_entity
from scanners.records import Nature, Place, Rows
from scanners.tally import IDENTIFIERS, Tally, Value
from scanners.written import to_plain

SAMPLE_ROWS: Final = 200
SAMPLE_VALUES: Final = 60
NOTHING: Final = frozenset({"", "null", "none", "nan", "-", "--", "n/a", "无", "暂无", "\\n", "0", "未填写", "未知"})
CREDENTIALS_ARE_NOBODY: Final = frozenset({"CREDENTIAL", "IP_ADDRESS"})


class Table:
    """Counts one table into a tally."""

    def __init__(
        self,
        head: Rows,
        *,
        tally: Tally,
        threshold: float,
        read_cell: Callable[[str, Place], Sequence[Value]],
        finds_names: bool,
    ) -> None:
        """Take the table's name, columns and place from its first rows.

        Args:
            read_cell: the full path, for cells of running text; counts what it finds at a place with a column.
            finds_names: whether PERSON and ADDRESS are looked for.
        """
        self.head = head
        self.tally = tally
        self.threshold = threshold
        self.read_cell = read_cell
        self.finds_names = finds_names
        self.held: list[tuple[int, tuple[str, ...]]] = []
        self.columns: list[Column] | None = None
        self.places: list[Place] = []

    def feed(self, piece: Rows) -> None:
        """Take some rows."""
        for offset, row in enumerate(piece.rows):
            line = piece.first_line + offset
            if self.columns is None:
                self.held.append((line, row))
                if len(self.held) >= SAMPLE_ROWS:
                    self.decide()
            else:
                self.count(line, row)

    def finish(self) -> None:
        """Decide on what there is, if that has not been."""
        if self.columns is None:
            self.decide()

    def decide(self) -> None:
        """Decide the columns, then count what was held back."""
        samples: list[list[str]] = []
        for index in range(len(self.head.columns)):
            distinct: dict[str, None] = {}
            for _, row in self.held:
                value = row[index].strip() if index < len(row) else ""
                if value.lower() not in NOTHING:
                    distinct.setdefault(value, None)
                if len(distinct) >= SAMPLE_VALUES:
                    break
            samples.append(list(distinct))
        self.columns = decide(self.head.table, self.head.columns, self.head.comments, samples)
        where = self.head.place
        self.places = [
            Place(table=self.head.table or where.table, column=name, member=where.member, page=where.page)
            for name in self.head.columns
        ]
        held, self.held = self.held, []
        for line, row in held:
            self.count(line, row)

    def count(self, line: int, row: tuple[str, ...]) -> None:
        """Count one row, and the person whose it is."""
        keys: dict[str, int] = {}
        address = ""
        for column, place, cell in zip(self.columns or (), self.places, row, strict=False):
            if not cell or (column.entity is None and not column.mixed):
                continue
            if column.mixed:
                here = replace(place, line=line)
                if cell.strip().lower() not in NOTHING:
                    for value in self.read_cell(cell, here):
                        if value.person:
                            keys.setdefault(value.entity, self.tally.fingerprints.of(value.entity, value.normal))
                continue
            entry = self.judge(column, cell)
            if entry is None:
                continue
            fingerprint = self.tally.add(entry, place, line)
            if entry.person:
                keys.setdefault(entry.entity, fingerprint)
                if entry.entity == "ADDRESS":
                    address = entry.normal
        self.count_person(keys, address)

    def judge(self, column: Column, cell: str) -> Value | None:
        """A cell of a decided column; None for a placeholder, or a name when names are not looked for."""
        entity = column.entity or ""
        value = to_plain(cell).text.strip()
        if value.lower() in NOTHING or column.score < self.threshold:
            return None
        if entity in ("PERSON", "ADDRESS"):
            if not self.finds_names:
                return None
            normal = "".join(value.split()).lower()
            return Value(
                entity=entity,
                text=value,
                normal=normal,
                score=column.score,
                nature="masked" if "*" in value else "personal",
            )
        detector = by_entity()[entity]
        if entity == "CN_RESIDENT_ID":
            value = value.strip("'\"`\t ")
        return Value(
            entity=entity, text=value, normal=detector.normalise(value), score=column.score,
            nature=nature_of(detector, value),
        )  # fmt: skip

    def count_person(self, keys: dict[str, int], address: str) -> None:
        """The row's person, by the strongest identifier in it; a name alone or with an address comes last."""
        for entity in IDENTIFIERS:
            if entity in keys and entity != "PERSON":
                self.tally.add_person(keys[entity])
                return
        if "PERSON" in keys:
            key = keys["PERSON"]
            if address:
                key = self.tally.fingerprints.of("PERSON+ADDRESS", f"{key}\0{address}")
            self.tally.add_person(key)


def nature_of(detector: Detector, value: str) -> Nature:
    """What stands behind a cell of a decided column; 400 and 800 numbers are an organisation's."""
    if "*" in value:
        return "masked"
    if detector.entity in CREDENTIALS_ARE_NOBODY:
        return "organisation"
    digits = detector.normalise(value) if detector.entity == "PHONE_NUMBER" else ""
    return "organisation" if len(digits) == 10 and digits[:3] in ("400", "800") else "personal"
