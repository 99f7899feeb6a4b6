"""The nouns of a drill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

MeasureName = Literal[
    "detect", "contain", "report_draft", "notify_draft", "left_files", "left_persons", "damaged", "acknowledged",
    "restored", "recorded", "queued", "escalated", "traced",
]  # fmt: skip
SECONDS: Final[frozenset[MeasureName]] = frozenset({"detect", "contain", "report_draft", "notify_draft"})
AT_MOST: Final[frozenset[MeasureName]] = SECONDS | {"left_files", "left_persons", "damaged"}
"""Measures that are better the smaller they are; the others are shares from 0 to 1."""
State = Literal["running", "done", "cut", "failed"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that was measured. `value` None: it did not come about. `points` of `worth`."""

    name: MeasureName
    value: float | None
    target: float
    points: float
    worth: float
    met: bool


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """A person of the plan said during the drill: I am there. `how`: account, code, link or phone."""

    person: str
    at: datetime
    how: str


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One drill as stored. `result` is what came of it (`cloche.drill/1`), {} while it runs and where it was cut.

    `asked` are the people who were to acknowledge until `ack_until`. `live`: they were asked by real messages.
    """

    id: str
    scenario: str
    state: State
    by: str
    at: datetime
    ended_at: datetime | None
    live: bool
    asked: tuple[str, ...]
    ack_until: datetime
    result: Mapping[str, Any] = field(default_factory=dict)
    acknowledged: tuple[Acknowledged, ...] = ()
    score: float = 0.0
    passed: bool = False
    measures: tuple[Measure, ...] = ()
