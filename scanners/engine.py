"""Detection, put together: what a worker calls on the text and rows of one item.

Arrays → places → detectors and judge → names and addresses → best of each entity → counts. Every step is linear in the
text; windows and repeats are bounded. Offsets are characters of the text as given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from config.schema import DetectSettings, ItemKind
from scanners.cell_texts import read_together
from scanners.columns import decide
from scanners.contact_texts import Hit, TextContacts
from scanners.contacts import Gathering
from scanners.cutting import cut_text
from scanners.detectors import Allowed, detectors_for
from scanners.fingerprints import Fingerprints
from scanners.held_rows import HeldTotal
from scanners.levels import load_levels
from scanners.masking import mask_value
from scanners.name_places import NamePlaces
from scanners.records import Chunk, Finding, Place, Rows, Span
from scanners.row_persons import RowPersons
from scanners.search import Search
from scanners.spots import Located, Spots, settle
from scanners.tabular import Counting, Tables
from scanners.tally import Batch, Tally, Unheard, Value
from scanners.units import Units, read_units

if TYPE_CHECKING:
    from scanners.names import NameFinder
    from scanners.presidio import NationalRecognizers


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What one item holds. `person_keys` are 64-bit fingerprints under the run's key, never to be written.

    `persons` counts distinct persons: in tables by the strongest identifier of each row, in running text the most
    distinct values of any one identifying entity. Masked values and organisations' numbers are nobody.
    """

    findings: tuple[Finding, ...] = ()
    persons: int = 0
    person_keys: AbstractSet[int] = field(default=frozenset(), repr=False, compare=False)
    level: int = 1
    score: float = 0.0


class Analyser:
    """Finds entities. One a worker; not safe for threads.

    The networks for names (7 MB of weights) are loaded at the first piece of text that needs them, Presidio's national
    recognizers at construction, and only when `settings.countries` names some.
    """

    def __init__(self, settings: DetectSettings, *, names: bool, run_key: bytes) -> None:
        """Make ready. `gathering` is set by who wants persons besides findings.

        Raises:
            UsageError: `settings.countries` names a country that Presidio has no recognizer for, or see
                `scanners.detectors.detectors_for`.
        """
        self.threshold = settings.threshold
        self.levels = settings.levels
        self.fingerprints = Fingerprints(run_key)
        self.held = HeldTotal()
        self.finder: NameFinder | None = None
        if names:
            from scanners.names import NameFinder  # the rules and networks: 40 MB that --no-names spares

            self.finder = NameFinder()
        self.places = NamePlaces()
        self.national: NationalRecognizers | None = None
        national: set[str] = set()
        if settings.countries:
            from scanners.presidio import NationalRecognizers

            self.national = NationalRecognizers(settings.countries)
            national = self.national.entities
        every = detectors_for(settings)
        self.detectors = {detector.entity: detector for detector in every}
        self.allowed = Allowed(settings, every)
        self.entities = sorted({"PERSON", "ADDRESS", *self.detectors, *national})
        self.masks: list[Callable[[str], str]] = [partial(self.mask, entity) for entity in self.entities]
        for entity, detector in self.detectors.items():
            self.masks[self.entities.index(entity)] = detector.mask
        self.unwanted = frozenset[str](settings.exclude)
        self.excluded = np.array([entity in self.unwanted for entity in self.entities])
        self.search = Search(every, self.entities, self.threshold)
        self.gathering: Gathering | None = None

    def warm_up(self) -> None:
        """Read every pack and the model now: a sandboxed worker may not open files later."""
        load_levels(self.levels)
        decide("", ["name"], [], [["warm"]])
        mask_value("PERSON", "warm")
        for text in ("预热，", "🙂，"):  # the codecs of both widths
            self.detect(text)
        if self.finder is not None:
            self.finder.find(["预热"])

    def detect(self, text: str) -> list[Span]:
        """Accepted spans of a text, sorted by start; offsets in characters of `text`."""
        spans: list[Span] = []
        for cut in cut_text(text):
            units = read_units(text[cut.before : cut.after])
            spots = self.locate(units)
            starts, ends = spots.starts, spots.ends
            if units.offsets is not None:
                starts, ends = units.offsets[starts], units.offsets[ends - 1] + 1
            columns = (
                spots.kinds.tolist(),
                (starts + cut.before).tolist(),
                (ends + cut.before).tolist(),
                np.round(spots.scores, 3).tolist(),
                spots.starts.tolist(),
                spots.ends.tolist(),
            )
            spans += [
                Span(self.entities[kind], start, end, score, self.masks[kind](units.cut(first, last)))
                for kind, start, end, score, first, last in zip(*columns, strict=True)
                if cut.low <= start < cut.high
            ]
        return spans

    def mask(self, entity: str, plain: str) -> str:
        """The masked form of a value in its plain form."""
        detector = self.detectors.get(entity)
        return detector.mask(plain) if detector else mask_value(entity, plain)

    def begin(self, name: str, kind: ItemKind) -> ItemAnalysis:
        """Start on an item called `name` (its path for people: a hint, never a finding)."""
        if kind != "table":
            self.held.bytes = 0  # of a file that failed nothing is held any more
        return ItemAnalysis(self, name=name, kind=kind)

    def locate(self, units: Units, *, strict: bool = False) -> Spots:
        """What is accepted in a chunk, by start; `strict` with names, as in cells of tables."""
        spots = self.search.find(units)
        others: list[Located] = []
        if self.national:
            results = self.national.find(units.text)
            others += [Located(*result) for result in results if result[3] >= self.threshold]
        if self.finder is not None and not units.given.isascii():
            bounds = [(spot.start, spot.end) for spot in (*spots, *others)]
            others += self.named(units.text, sorted(bounds), strict=strict)
        if others:
            spots = spots.join(Spots.of(self.entities, others))
        return self.without_allowed(units, settle(spots))

    def without_allowed(self, units: Units, spots: Spots) -> Spots:
        """Without entities that are excluded and values that are allowed."""
        if self.excluded.any():
            spots = spots.pick(~self.excluded[spots.kinds])
        if not self.allowed:
            return spots
        values = [(spot.entity, units.cut(spot.start, spot.end)) for spot in spots]
        covered = [self.allowed.covers(entity, value, self.normalise(entity, value)) for entity, value in values]
        return spots.pick(~np.array(covered, dtype=bool))

    def normalise(self, entity: str, plain: str) -> str:
        """The same for all written forms of one value."""
        detector = self.detectors.get(entity)
        return detector.normalise(plain) if detector else "".join(plain.split()).lower()

    def named(self, text: str, findings: Sequence[tuple[int, int]], *, strict: bool) -> list[Located]:
        """Names and addresses, in the pieces where they can be."""
        pieces = self.places.choose(text, findings, strict=strict)
        if not pieces or self.finder is None:
            return []
        found = []
        answers = self.finder.find([text[low:high] for low, high in pieces])
        for (low, _), names in zip(pieces, answers, strict=True):
            found += [
                Located(n.entity, low + n.start, low + n.end, n.score) for n in names if n.score >= self.threshold
            ]
        return found


class ItemAnalysis:
    """Takes one item piece by piece: text as chunks, tables as rows, in any mixture."""

    def __init__(self, analyser: Analyser, *, name: str, kind: ItemKind) -> None:
        """Begin with nothing."""
        self.analyser = analyser
        self.name = name
        self.kind = kind
        self.tally = (Unheard if analyser.gathering else Tally)(analyser.fingerprints, analyser.mask)
        self.contacts = TextContacts(analyser.gathering) if analyser.gathering else None
        counting = Counting(
            tally=self.tally,
            threshold=analyser.threshold,
            read_cells=self.read_cells,
            finds_names=analyser.finder is not None,
            held=analyser.held,
            detectors=tuple(analyser.detectors.values()),
            allowed=analyser.allowed,
            excluded=analyser.unwanted,
            begin_rows=analyser.gathering.begin_rows if analyser.gathering else RowPersons,
        )
        self.tables = Tables(counting)

    def feed(self, piece: Chunk | Rows) -> None:
        """Look at one piece."""
        if isinstance(piece, Chunk):
            self.read_text(piece.text, piece.place)
            return
        self.tables.feed(piece)

    def read_text(self, text: str, place: Place) -> None:
        """Count what is in a running text at `place`."""
        units = read_units(text)
        where = replace(place, line=None)
        spots = self.analyser.locate(units)
        lines = np.searchsorted(units.line_ends, spots.starts) + (place.line or 1)
        hits: list[Hit] = []
        for entity, nature, those in spots.groups():
            bounds = zip(spots.starts[those].tolist(), spots.ends[those].tolist(), strict=True)
            values = [units.cut(start, end) for start, end in bounds]
            normal = [self.analyser.normalise(entity, value) for value in values]
            batch = Batch(
                entity=entity,
                nature=nature,
                score=float(spots.scores[those].max()),
                fingerprints=self.tally.fingerprints.of_values(entity, normal),
                texts=values,
            )
            self.tally.add_in_text(batch, where, int(lines[those[0]]))
            if self.contacts:
                shown = normal if entity == "PHONE_NUMBER" else values
                hits += [
                    Hit(line=line, entity=entity, nature=nature, print=print_, text=text)
                    for line, print_, text in zip(
                        lines[those].tolist(), batch.fingerprints.tolist(), shown, strict=True
                    )
                ]
        if self.contacts and hits:
            first = place.line or 1
            empty = [first + number for number, line in enumerate(units.given.split("\n")) if not line.strip()]
            self.contacts.add(hits, empty)

    def read_cells(self, cells: Sequence[str]) -> list[list[Value]]:
        """What each cell of a column of running text holds; the table counts it."""
        return read_together(cells, self.in_cells)

    def in_cells(self, text: str) -> list[tuple[int, Value]]:
        """Values in cells that stand apart in one text, with their starts in it."""
        units = read_units(text)
        located = self.analyser.locate(units, strict=True)
        return [(units.span(found.start, found.end)[0], self.value_of(units, found)) for found in located]

    def value_of(self, units: Units, found: Located) -> Value:
        """What was located in a chunk, for the tally."""
        value = units.cut(found.start, found.end)
        normal = self.analyser.normalise(found.entity, value)
        return Value(entity=found.entity, text=value, normal=normal, score=found.score, nature=found.nature)

    def finish(self) -> Analysis:
        """All findings of the item; the object is used up."""
        self.tables.finish()
        if self.contacts:
            self.contacts.finish()
        persons, keys = self.tally.persons()
        level, score = self.tally.grade(persons, self.analyser.levels)
        return Analysis(findings=self.tally.findings(), persons=persons, person_keys=keys, level=level, score=score)
