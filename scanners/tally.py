"""Adding findings up: per entity and place a count, distinct values, the best score, three masked samples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from scanners.distinct import Distinct, Fingerprints
from scanners.levels import grade
from scanners.masking import mask_value
from scanners.records import Finding, Nature, Place

SAMPLES: Final = 3
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


@dataclass(kw_only=True)
class Sum:
    """All of one entity at one place."""

    place: Place
    count: int = 0
    confidence: float = 0.0
    distinct: Distinct = field(default_factory=Distinct)
    samples: list[str] = field(default_factory=list)


class Tally:
    """Adds up one item. Memory is bounded by entities and places, 200,000 fingerprints each, two million persons."""

    def __init__(self, fingerprints: Fingerprints) -> None:
        """Count under the key of this run."""
        self.fingerprints = fingerprints
        self.sums: dict[tuple[str, Place], Sum] = {}
        self.personal: dict[str, bool] = {}
        self.in_text: dict[str, set[int]] = {}
        self.keys: set[int] = set()
        self.beyond = Distinct()

    def add(self, value: Value, place: Place, line: int | None) -> int:
        """Count one value at `place` (without a line); gives its fingerprint. The first `line` is kept."""
        known = self.sums.get((value.entity, place))
        if known is None:
            known = self.sums[value.entity, place] = Sum(place=replace(place, line=line))
        known.count += 1
        known.confidence = max(known.confidence, value.score)
        fingerprint = self.fingerprints.of(value.entity, value.normal)
        known.distinct.add(fingerprint)
        if len(known.samples) < SAMPLES:
            masked = mask_value(value.entity, value.text)
            if masked not in known.samples:
                known.samples.append(masked)
        self.personal[value.entity] = self.personal.get(value.entity, False) or value.person
        return fingerprint

    def add_in_text(self, value: Value, place: Place, line: int | None) -> None:
        """A value of running text: whose it is cannot be told, so persons are the most of any one identifier."""
        fingerprint = self.add(value, place, line)
        if value.person and value.entity in IDENTIFIERS:
            keys = self.in_text.setdefault(value.entity, set())
            if len(keys) < MOST_KEYS:
                keys.add(fingerprint)

    def add_person(self, key: int) -> None:
        """Somebody, by the fingerprint of the strongest identifier of a row."""
        if len(self.keys) < MOST_KEYS:
            self.keys.add(key)
        else:
            self.beyond.add(key)

    def persons(self) -> tuple[int, frozenset[int]]:
        """How many, and their keys."""
        best: set[int] = set()
        for entity in IDENTIFIERS:
            keys = self.in_text.get(entity, set())
            if len(keys) > len(best):
                best = keys
        everybody = frozenset(self.keys | best)
        return len(everybody) + self.beyond.count, everybody

    def findings(self) -> tuple[Finding, ...]:
        """All sums, by place and entity."""
        found = [
            Finding(
                entity=entity, count=known.count, distinct=known.distinct.count, confidence=round(known.confidence, 3),
                place=known.place, samples=tuple(known.samples),
            )
            for (entity, _), known in self.sums.items()
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda f: (f.place.table or "", f.place.page or 0, -f.count, f.entity)))

    def grade(self, persons: int) -> tuple[int, float]:
        """Level and score."""
        return grade(self.personal, persons)
