"""Detection, put together: what a worker calls on the text and rows of one item."""

from __future__ import annotations

from dataclasses import dataclass, field

from config.schema import DetectSettings, ItemKind
from scanners.records import Chunk, Finding, Rows, Span


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What one item holds. `person_keys` are 64-bit fingerprints under the run's key, never to be written."""

    findings: tuple[Finding, ...] = ()
    persons: int = 0
    person_keys: frozenset[int] = field(default=frozenset(), repr=False, compare=False)
    level: int = 1
    score: float = 0.0


class ItemAnalysis:
    """Takes one item piece by piece."""

    def feed(self, piece: Chunk | Rows) -> None:
        """Look at one piece."""
        raise NotImplementedError

    def finish(self) -> Analysis:
        """All findings of the item; the object is used up."""
        raise NotImplementedError


class Analyser:
    """Finds entities. One a worker; not safe for threads."""

    def __init__(self, settings: DetectSettings, *, names: bool, run_key: bytes) -> None:
        """Make ready; the name model is loaded at first need."""

    def detect(self, text: str) -> list[Span]:
        """Accepted spans of a text, sorted by start; offsets in characters of `text`."""
        raise NotImplementedError

    def begin(self, name: str, kind: ItemKind) -> ItemAnalysis:
        """Start on an item called `name` (its path for people, used as context only)."""
        raise NotImplementedError
