"""Tables: each column is decided once, from a sample, and then its cells are counted without the slow path.

The first rows are held back until the sample is full (or the table ends), so nothing is read twice. Decided columns
are counted a batch of rows at a time (`scanners.forms`); cells that are written oddly one by one, with the same
result. Cells of mixed and free-text columns take the full path; cells of a decided column that do not look like it
are still counted as it, for a wrong check digit in a column called 身份证 is an id all the same. Empty cells and
placeholders are nothing. Nothing is looked for in a column whose sample holds nothing, but for cells that are much
longer than those of the sample. A column that was empty so far, or comes later, is decided when it holds something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.cell_values import NAMES, NOTHING, judge_cell
from scanners.cells import Cells, Grid, ValueGrid
from scanners.columns import Column, decide
from scanners.detectors import DETECTORS, Allowed, Detector
from scanners.fingerprints import Numbers
from scanners.forms import NATURES, NOBODY, PERSONAL, UNKNOWN, Codes, judge_column
from scanners.held_rows import SAMPLE_ROWS, SMALL, HeldRows, HeldTotal
from scanners.records import Nature, Place, Rows
from scanners.row_persons import RowPersons
from scanners.tally import Batch, Tally, Value
from scanners.written import to_plain

SAMPLE_VALUES: Final = 60
SAMPLE_CHARACTERS: Final = 500  # of a value
REMEMBERED: Final = 20_000  # odd values of a table that are not looked at again

_SETTLED: Final = 8  # decisions that look at all columns again
_USUAL: Final = 60
_UTF8: Final = ("utf-8", "surrogatepass")
_LAYOUTS: Final = 32  # lists of columns of one table that are kept apart

ReadCells = Callable[[Sequence[str]], Sequence[Sequence[Value]]]


@dataclass(frozen=True, kw_only=True)
class Counting:
    """What every table of an item is counted with.

    `read_cells` is the full path, for cells of running text: what each of them holds. `finds_names` says whether PERSON
    and ADDRESS are looked for, `detectors` are those of the settings, `allowed` the values that are no findings, and
    `excluded` the entities that are not looked for. `begin_rows` makes what is told whose the rows of a batch are.
    """

    tally: Tally
    threshold: float
    read_cells: ReadCells
    finds_names: bool
    detectors: Sequence[Detector] = DETECTORS
    allowed: Allowed | None = None
    excluded: frozenset[str] = frozenset()
    held: HeldTotal = field(default_factory=HeldTotal)
    begin_rows: Callable[[int], RowPersons] = RowPersons


class Tables:
    """The tables of one item. A table may come in several lists of columns, and may widen as it goes."""

    def __init__(self, counting: Counting) -> None:
        """Begin with none."""
        self._counting = counting
        self._known: dict[tuple[str, Place], list[Table]] = {}

    def feed(self, piece: Rows) -> None:
        """Take some rows of one of them."""
        layouts = self._known.setdefault((piece.table, piece.place), [])
        for table in layouts:
            if table.widen(piece.columns):
                table.feed(piece)
                return
        if len(layouts) >= _LAYOUTS:
            layouts.pop(0).finish()
        layouts.append(Table(piece, self._counting))
        layouts[-1].feed(piece)

    def finish(self) -> None:
        """Count what is held back."""
        for layouts in self._known.values():
            for table in layouts:
                table.finish()


class Table:
    """Counts one table into a tally."""

    def __init__(self, head: Rows, counting: Counting) -> None:
        """Take the table's name, columns and place from its first rows."""
        self.table = head.table
        self.names: tuple[str, ...] = ()
        self.comments = head.comments
        self.where = head.place
        self.counting = counting
        self.tally = counting.tally
        self.held = HeldRows(counting.held)
        self.decided = False
        self.columns: list[Column] = []
        self.settled = 0
        self.open: set[int] = set()  # columns that held nothing yet
        self.samples: list[dict[str, None]] = []
        self.usual: list[int] = []  # bytes of a cell that is no surprise
        self.seen: dict[tuple[int, bytes], tuple[int, int]] = {}
        self.widen(head.columns)

    def widen(self, names: tuple[str, ...]) -> bool:
        """Take columns that came later; False if these are another list, and no beginning of this one."""
        if names == self.names[: len(names)]:
            return True
        if names[: len(self.names)] != self.names:
            return False
        more = range(len(self.names), len(names))
        self.names = names
        self.samples += [{} for _ in more]
        self.usual += [_USUAL for _ in more]
        self.open.update(more)
        self.columns += [Column() for _ in more]
        return True

    def feed(self, piece: Rows) -> None:
        """Take some rows."""
        if not len(piece.rows):
            return
        grid = piece.rows if isinstance(piece.rows, Grid) else ValueGrid(piece.rows)
        if self.decided and len(grid) >= SMALL and not self.held:
            self.count(grid, piece.first_line)
        elif self.held.add(grid, piece.first_line):
            self.finish()

    def finish(self) -> None:
        """Decide on what there is, if that has not been, and count what was held back."""
        if not self.decided:
            self.decide()
        for grid, line in self.held.release(len(self.names)):
            self.count(grid, line)

    def decide(self) -> None:
        """Decide the columns."""
        rows = SAMPLE_ROWS
        for grid in self.held:
            for index in sorted(self.open):
                self._sample(index, grid.column(index), rows)
            rows -= len(grid)
        self.decided = True
        self._settle(sorted(self.open))

    def _sample(self, index: int, cells: Cells, most: int) -> None:
        """Take distinct values of the first `most` cells."""
        sample = self.samples[index]
        for row in np.flatnonzero(cells.ends[: max(0, most)] > cells.starts[: max(0, most)]).tolist():
            if len(sample) >= SAMPLE_VALUES:
                return
            value = cells.text(row).strip()[:SAMPLE_CHARACTERS]
            if value.lower() not in NOTHING:
                sample.setdefault(value, None)

    def _settle(self, indexes: Sequence[int]) -> None:
        """Decide some columns in the company of all; when that comes too often, by themselves."""
        self.settled += 1
        company = range(len(self.names)) if self.settled <= _SETTLED else indexes
        decided = decide(
            self.table,
            [self.names[index] for index in company],
            [self.comments[index] if index < len(self.comments) else "" for index in company],
            [list(self.samples[index]) for index in company],
            self.counting.detectors,
        )
        for index, column in zip(company, decided, strict=True):
            if index in self.open:
                self.columns[index] = column
                self.usual[index] = max(
                    _USUAL, 2 * max((len(v.encode(*_UTF8)) for v in self.samples[index]), default=0)
                )
            if self.samples[index]:
                self.open.discard(index)

    def count(self, grid: Grid, first_line: int) -> None:
        """Count a batch of rows, and the persons whose they are."""
        cells: dict[int, Cells] = {}
        for index in sorted(self.open):
            cells[index] = grid.column(index)
            self._sample(index, cells[index], SAMPLE_ROWS)
        if fresh := [index for index in self.open if self.samples[index]]:
            self._settle(fresh)
        rows = self.counting.begin_rows(len(grid))
        for index, column in enumerate(self.columns):
            if column.mixed:
                self._read(index, cells.get(index) or grid.column(index), first_line, rows)
            elif column.entity is None:
                self._read_long(index, cells.get(index) or grid.column(index), first_line, rows)
            elif column.score >= self.counting.threshold and self._is_wanted(column.entity):
                self._judge(index, cells.get(index) or grid.column(index), first_line, rows)
        keys = rows.keys(self.tally.fingerprints)
        if len(keys):
            self.tally.in_rows.add_many(keys)

    def _is_wanted(self, entity: str) -> bool:
        return entity not in self.counting.excluded and (self.counting.finds_names or entity not in NAMES)

    def _place(self, index: int) -> Place:
        return Place(
            table=self.table or self.where.table,
            column=self.names[index],
            member=self.where.member,
            page=self.where.page,
        )

    def _judge(self, index: int, cells: Cells, first_line: int, rows: RowPersons) -> None:
        """The cells of a decided column."""
        column = self.columns[index]
        entity = column.entity or ""
        found, codes = judge_column(entity, cells, self.tally.fingerprints)
        for row in np.flatnonzero(codes == UNKNOWN).tolist():
            found[row], codes[row] = self._judge_odd(index, cells.raw(row))
        if self.counting.allowed:
            codes[self._are_allowed(self.counting.allowed, entity, cells, found, codes)] = NOBODY
        place = self._place(index)
        for code in range(len(NATURES)):
            those = np.flatnonzero(codes == code)
            if not len(those):
                continue
            few = those[: self.tally.wants_samples(entity, place, NATURES[code])]
            texts = [to_plain(cells.text(row)).text.strip() for row in few.tolist()]
            batch = Batch(
                entity=entity, nature=NATURES[code], score=column.score, fingerprints=found[those], texts=texts
            )
            self.tally.add_many(batch, place, first_line + int(those[0]), column.subject)
        rows.add(entity, found, codes == PERSONAL)
        rows.note(entity, cells, (found, codes), column.subject)

    def _are_allowed(
        self, allowed: Allowed, entity: str, cells: Cells, found: Numbers, codes: Codes
    ) -> NDArray[np.bool_]:
        """Which cells hold a value that the settings say is no finding."""
        prints = [self.tally.fingerprints.of(entity, normal) for normal in allowed.normal_forms(entity)]
        covered = np.isin(found, np.array(prints, np.uint64))
        for row in np.flatnonzero(codes >= 0).tolist() if allowed.patterns else ():
            covered[row] = covered[row] or allowed.matches(to_plain(cells.text(row)).text.strip())
        return covered

    def _judge_odd(self, index: int, raw: bytes) -> tuple[int, int]:
        """Fingerprint and code of a cell that is looked at by itself."""
        known = self.seen.get((index, raw))
        if known is None:
            value = judge_cell(self.columns[index], raw.decode("utf-8", "surrogatepass"))
            if value is None:
                known = (0, NOBODY)
            else:
                known = (self.tally.fingerprints.of(value.entity, value.normal), NATURES.index(value.nature))
            if len(self.seen) >= REMEMBERED:
                self.seen.clear()
            self.seen[index, raw] = known
        return known

    def _read_long(self, index: int, cells: Cells, first_line: int, rows: RowPersons) -> None:
        """Cells of a column that holds nothing by its sample, but that are much longer than those were."""
        long = cells.ends - cells.starts > self.usual[index]
        if long.any():
            only = Cells(cells.buffer, cells.starts, np.where(long, cells.ends, cells.starts))
            self._read(index, only, first_line, rows)

    def _read(self, index: int, cells: Cells, first_line: int, rows: RowPersons) -> None:
        """The cells of a column of running text: each text once, however often it stands there."""
        subject = self.columns[index].subject
        texts: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(cells.ends > cells.starts).tolist():
            texts.setdefault(cells.raw(row), []).append(row)
        written = {raw: raw.decode("utf-8", "surrogatepass") for raw in texts}
        asked = [raw for raw, text in written.items() if text.strip().lower() not in NOTHING]
        answers = self.counting.read_cells([written[raw] for raw in asked])
        found: dict[tuple[str, Nature], list[tuple[Value, list[int]]]] = {}
        for raw, values in zip(asked, answers, strict=True):
            for value in values:
                found.setdefault((value.entity, value.nature), []).append((value, texts[raw]))
        place = self._place(index)
        for (entity, nature), hits in found.items():
            places = np.concatenate([where for _, where in hits])
            order = np.argsort(places, kind="stable")
            which = np.repeat(np.arange(len(hits)), [len(where) for _, where in hits])[order]
            prints = np.array([self.tally.fingerprints.of(entity, value.normal) for value, _ in hits], np.uint64)[which]
            few = which[: self.tally.wants_samples(entity, place, nature)].tolist()
            batch = Batch(
                entity=entity, nature=nature, score=max(value.score for value, _ in hits), fingerprints=prints,
                texts=[hits[hit][0].text for hit in few],
            )  # fmt: skip
            self.tally.add_many(batch, place, first_line + int(places.min()), subject)
            if nature == "personal":
                rows.add_hits(entity, places[order], prints)
            rows.note_hits(entity, nature, (places[order], prints), partial(_values_of, hits, which), subject)


def _values_of(hits: Sequence[tuple[Value, list[int]]], which: NDArray[np.int64]) -> list[Value]:
    return [hits[hit][0] for hit in which.tolist()]
