"""Adding findings up: per entity, place and nature a count, distinct values, the best score, three masked samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from config.schema import LevelPack
from scanners.distinct import Distinct, Fingerprinted
from scanners.fingerprints import Fingerprints, Numbers
from scanners.levels import grade
from scanners.masking import mask_value
from scanners.records import Finding, Nature, Place, Subject

SAMPLES: Final = 3
SAMPLED: Final = 64  # samples come from the first values of a sum: `******` would be looked for to the end
MOST_KEYS: Final = 2_000_000
# From the strongest identifier of a person to the weakest; a name alone comes last.
IDENTIFIERS: Final = (
    "PHONE_NUMBER", "CN_RESIDENT_ID", "CN_PASSPORT", "EMAIL_ADDRESS", "CREDIT_CARD", "CN_LICENSE_PLATE", "PERSON",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One accepted value in its normal form, on its way into the tally."""

    entity: str
    text: str = field(repr=False)
    normal: str = field(repr=False)
    score: float
    nature: Nature = "personal"

    @property
    def person(self) -> bool:
        """Somebody stands behind it."""
        return self.nature == "personal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Values of one entity, place and nature. `texts` are the first of them, as many as samples may come from."""

    entity: str
    nature: Nature
    score: float
    fingerprints: Numbers = field(repr=False)
    texts: Sequence[str] = field(repr=False)


@dataclass(kw_only=True)
class Sum:
    """All of one entity and nature at one place."""

    place: Place
    subject: Subject
    count: int = 0
    confidence: float = 0.0
    distinct: Distinct = field(default_factory=Distinct)
    samples: list[str] = field(default_factory=list)

    def take(self, texts: Iterable[str], mask: Callable[[str], str]) -> None:
        """Masked samples, as many as are wanted."""
        for text in texts:
            if len(self.samples) >= SAMPLES:
                return
            masked = mask(text)
            if masked not in self.samples:
                self.samples.append(masked)


class Persons:
    """Distinct persons: the keys of two million at most, and how many there are, estimated when there are more."""

    def __init__(self) -> None:
        """Nobody yet."""
        self.keys = Fingerprinted()
        self._all: Distinct | None = None
        self._unseen = 0

    def add_many(self, keys: Numbers) -> None:
        """Somebody, for each key."""
        if self._all is not None:
            self._all.add_many(keys)
            return
        self.keys.add_many(keys)
        self._watch(len(keys))

    def _watch(self, more: int) -> None:
        """Stop keeping keys when there are too many; looked at once in a while, for a look costs a sort."""
        self._unseen += more
        if self._unseen > MOST_KEYS // 4:
            self._unseen = 0
            everybody = self.keys.settled()
            if len(everybody) > MOST_KEYS:
                self.keys, self._all = Fingerprinted(everybody[:MOST_KEYS].copy()), Distinct()
                self._all.add_many(everybody)

    @property
    def count(self) -> int:
        """How many."""
        return max(len(self.keys), self._all.count if self._all else 0)


class Tally:
    """Adds up one item. Memory is bounded by entities and places, 200,000 fingerprints each, two million persons."""

    def __init__(self, fingerprints: Fingerprints, mask: Callable[[str, str], str] = mask_value) -> None:
        """Count under the key of this run; `mask` gives what may be shown of a value of an entity."""
        self.fingerprints = fingerprints
        self.mask = mask
        self.sums: dict[tuple[str, Place, Nature], Sum] = {}
        self.personal: dict[str, bool] = {}
        self.in_text: dict[str, Persons] = {}
        self.in_rows = Persons()

    def add_many(self, batch: Batch, place: Place, line: int | None, subject: Subject) -> None:
        """Count many values at once; `line` is that of the first."""
        known = self._sum(batch.entity, batch.nature, place, line, subject)
        known.take(batch.texts[: max(0, SAMPLED - known.count)], partial(self.mask, batch.entity))
        known.count += len(batch.fingerprints)
        known.confidence = max(known.confidence, batch.score)
        known.distinct.add_many(batch.fingerprints)

    def _sum(self, entity: str, nature: Nature, place: Place, line: int | None, subject: Subject) -> Sum:
        known = self.sums.get((entity, place, nature))
        if known is None:
            known = self.sums[entity, place, nature] = Sum(place=replace(place, line=line), subject=subject)
            self.personal[entity] = self.personal.get(entity, False) or nature == "personal"
        return known

    def wants_samples(self, entity: str, place: Place, nature: Nature) -> int:
        """How many texts `add_many` would look at for samples."""
        known = self.sums.get((entity, place, nature))
        return SAMPLED if known is None else max(0, SAMPLED - known.count)

    def add_in_text(self, batch: Batch, place: Place, line: int | None) -> None:
        """Values of running text: whose they are cannot be told, so persons are the most of any one identifier."""
        self.add_many(batch, place, line, "unknown")
        if batch.nature == "personal" and batch.entity in IDENTIFIERS:
            self.in_text.setdefault(batch.entity, Persons()).add_many(batch.fingerprints)

    def persons(self) -> tuple[int, AbstractSet[int]]:
        """How many, and the keys of at most two million of those in rows and as many in text."""
        best = Persons()
        for entity in IDENTIFIERS:
            named = self.in_text.get(entity, best)
            if named.count > best.count:
                best = named
        everybody = Fingerprinted(self.in_rows.keys.settled())
        everybody.add_many(best.keys.settled())
        beyond = sum(persons.count - len(persons.keys) for persons in (self.in_rows, best))
        return len(everybody) + beyond, everybody

    def findings(self) -> tuple[Finding, ...]:
        """All sums, by place and entity."""
        found = [
            Finding(
                entity=entity, count=known.count, distinct=known.distinct.count, confidence=round(known.confidence, 3),
                place=known.place, samples=tuple(known.samples), nature=nature, subject=known.subject,
            )
            for (entity, _, nature), known in self.sums.items()
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda f: (f.place.table or "", f.place.page or 0, -f.count, f.entity)))

    def grade(self, persons: int, levels: LevelPack) -> tuple[int, float]:
        """Level and score, by the pack `levels`."""
        return grade(self.personal, persons, levels)


class Unheard(Tally):
    """Adds nothing up: for a reading that gathers persons, where nobody asks for findings."""

    def add_many(self, batch: Batch, place: Place, line: int | None, subject: Subject) -> None:
        """Nothing."""

    def add_in_text(self, batch: Batch, place: Place, line: int | None) -> None:
        """Nothing."""

    def wants_samples(self, entity: str, place: Place, nature: Nature) -> int:  # noqa: ARG002  as in Tally
        """None."""
        return 0
