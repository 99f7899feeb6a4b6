"""Vectors of detectors: each test file holds a table, a text a line, by what is to be found in it.

The value stands in «»; a line without is all value. `found` names a person, `masked`, `virtual` and `organisation` are
the other natures; of `left` nothing may be accepted.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scanners.detectors import Detector
from scanners.masking import by_entity
from scanners.written import to_plain

ACCEPTED = 0.5
NATURES = {"found": "personal"}


def lines(table: Mapping[str, str]) -> list[tuple[str, str]]:
    """(verdict, text) of each line."""
    return [(verdict, line) for verdict, block in table.items() for line in block.strip("\n").split("\n")]


def answer(detector: Detector, text: str) -> list[tuple[int, int, str]]:
    """What is accepted: of candidates that overlap the best."""
    plain = to_plain(text)
    kept: list[tuple[int, int, str]] = []
    candidates = sorted(detector.find(plain.text, 0, len(plain.text)), key=lambda c: (-c.score, c.start - c.end))
    for c in candidates:
        if c.score >= ACCEPTED and not any(c.start < end and start < c.end for start, end, _ in kept):
            kept.append((c.start, c.end, c.nature))
    return sorted((*plain.span(start, end), nature) for start, end, nature in kept)


def agrees(detector: Detector, vector: tuple[str, str]) -> bool:
    """Whether a detector answers as the table says."""
    verdict, marked = vector
    text = marked.replace("«", "").replace("»", "")
    if verdict == "left":
        return answer(detector, text) == []
    start = max(0, marked.find("«"))
    end = marked.index("»") - 1 if "»" in marked else len(marked)
    return answer(detector, text) == [(start, end, NATURES.get(verdict, verdict))]


def load_tables() -> dict[str, list[tuple[str, str]]]:
    """The vectors of every detector, read from the test files beside this one."""
    tables = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        names = runpy.run_path(str(file), run_name="vectors") if "VECTORS" in file.read_text(encoding="utf-8") else {}
        if "ENTITY" in names:
            tables[names["ENTITY"]] = lines(names["VECTORS"])
    return tables


@pytest.fixture
def check() -> Callable[[str, Mapping[str, str]], None]:
    """Fails unless the entity's detector answers as its table says; names all lines where it does not."""

    def checked(entity: str, table: Mapping[str, str]) -> None:
        detector = by_entity()[entity]
        vectors = lines(table)
        assert "left" in table
        assert len(table) > 1
        assert not [v for v in vectors if not agrees(detector, v)]

    return checked


@pytest.fixture(scope="session")
def tables() -> dict[str, list[tuple[str, str]]]:
    """All vectors by entity."""
    return load_tables()


@pytest.fixture(scope="session")
def agreement() -> Callable[[Detector, tuple[str, str]], bool]:
    """`agrees`, for tests that change a detector's facts."""
    return agrees
