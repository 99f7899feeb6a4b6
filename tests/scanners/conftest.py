"""What tests of extraction share: read bytes as a worker would, and see what an analyser is given."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from config.schema import ItemKind
from scanners.extract.api import Budget, Source
from scanners.extract.formats import EXTRACTORS
from scanners.reading import ItemReport, Reader
from scanners.records import Chunk, Finding, Rows


@dataclass
class Recorded:
    """An analysis that keeps what it is fed; it finds nothing."""

    name: str
    kind: ItemKind
    chunks: list[Chunk] = field(default_factory=list)
    tables: list[Rows] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()
    persons: int = 0
    person_keys: frozenset[int] = frozenset()
    level: int = 1
    score: float = 0.0
    fail: bool = False

    def feed(self, piece: Chunk | Rows) -> None:
        if self.fail:
            raise ValueError("a detector's defect")
        if isinstance(piece, Rows):
            assert all(len(row) == len(piece.columns) for row in piece.rows)
            self.tables.append(piece)
        else:
            self.chunks.append(piece)

    def finish(self) -> Recorded:
        return self

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        return [row for piece in self.tables for row in piece.rows]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.tables[-1].columns if self.tables else ()


@dataclass
class Reading:
    """All that came of one file."""

    reports: list[ItemReport] = field(default_factory=list)
    analyses: list[Recorded] = field(default_factory=list)
    fail: bool = False

    def begin(self, name: str, kind: ItemKind) -> Recorded:
        analysis = Recorded(name=name, kind=kind, fail=self.fail)
        self.analyses.append(analysis)
        return analysis

    @property
    def top(self) -> ItemReport:
        return self.report("")

    def report(self, suffix: str) -> ItemReport:
        (one,) = [report for report in self.reports if report.suffix == suffix.encode()]
        return one

    def of(self, name: str) -> Recorded:
        (one,) = [analysis for analysis in self.analyses if analysis.name == name]
        return one

    @property
    def suffixes(self) -> list[str]:
        return [report.suffix.decode() for report in sorted(self.reports, key=lambda report: report.order)]


Read = Callable[..., Reading]


@pytest.fixture
def read() -> Read:
    """Read bytes under a name: `read("a.csv", b"…")`."""

    def run(
        name: str, data: bytes, *, depth: int = 4, budget: int = 1 << 26, seconds: float = 60.0, fail: bool = False
    ) -> Reading:
        reading = Reading(fail=fail)
        reader = Reader(analyser=reading, extractors=EXTRACTORS, max_depth=depth, emit=reading.reports.append)
        source = Source(name=name, stream=io.BytesIO(data), size=len(data), seekable=True, budget=Budget(budget))
        reader.read(source, seconds)
        return reading

    return run
