"""Levels by the plan and grades by the law, from counted persons and the lawyer's word. Bounds are data, inclusive.

Until persons were counted once each, their number is "at most". The earliest plausible reading wins: a number that
may be too high still starts the clock of its grade. Virtual numbers of delivery platforms are no persons and do not
come in here; sensitive persons are counted apart and have bounds of their own (`When.sensitive`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.incident.law import Grade, Regime, load_regimes
from agent.incident.records import Incident
from config.errors import UsageError
from config.packs import read_pack
from config.schema import Role
from config.text import Language


class Level(BaseModel):
    """A level of the plan; bounds are inclusive, either reaches it. `tell` are the roles that are woken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: dict[Language, str]
    persons: int
    sensitive: int
    tell: tuple[Role, ...]


@cache
def load_levels() -> tuple[Level, ...]:
    """The levels of the plan (`config/data/plan/levels.toml`), lowest first."""
    return tuple(Level.model_validate(level) for level in read_pack("plan", "levels.toml")["levels"])


def level_of(incident: Incident) -> Level:
    """The level of the plan that persons, sensitive persons or the lawyer's word reach."""
    sensitive = incident.sensitive or 0

    def is_reached(level: Level) -> bool:
        by_count = incident.persons >= level.persons or (sensitive > 0 and sensitive >= level.sensitive)
        return by_count or level.id == incident.level_by_hand

    return next(level for level in reversed(load_levels()) if is_reached(level))


@dataclass(frozen=True, kw_only=True)
class Graded:
    """A grade with its reason. `exact` False: by persons that are "at most" so far."""

    grade: Grade
    by: Literal["persons", "loss", "hand"]
    exact: bool
    verified: bool


def grade_of(grades: Sequence[Grade], incident: Incident) -> Graded | None:
    """The highest grade that persons, loss or the lawyer's word give; None below the lowest."""
    found: list[Graded] = []
    by_persons = by_count(grades, incident.persons)
    if by_persons is not None:
        found.append(
            Graded(
                grade=by_persons, by="persons", exact=incident.counted_at is not None,
                verified=by_persons.persons_verified,
            )
        )  # fmt: skip
    by_loss = highest(grades, lambda grade: (incident.loss_cny or 0) >= grade.loss_cny)
    if by_loss is not None:
        found.append(Graded(grade=by_loss, by="loss", exact=True, verified=by_loss.loss_verified))
    by_hand = next((grade for grade in grades if grade.id == incident.law_by_hand), None)
    if by_hand is not None:
        found.append(Graded(grade=by_hand, by="hand", exact=True, verified=True))
    order = {grade.id: number for number, grade in enumerate(grades)}
    return max(found, key=lambda graded: (order[graded.grade.id], graded.exact), default=None)


def by_count(grades: Sequence[Grade], persons: int) -> Grade | None:
    """The grade of so many persons; None below the lowest."""
    return highest(grades, lambda grade: persons >= grade.persons)


def highest(grades: Sequence[Grade], reached: Callable[[Grade], bool]) -> Grade | None:
    """The last grade, in the pack's order, that `reached` says yes to."""
    return next((grade for grade in reversed(grades) if reached(grade)), None)


def graded_regime() -> Regime:
    """The regime whose grades an incident has: the one pack with grades.

    Raises:
        UsageError: no pack has any.
    """
    for regime in load_regimes():
        if regime.grades:
            return regime
    raise UsageError("no pack of law has grades")


def law_grade(incident: Incident) -> Graded | None:
    """The incident's grade by the law that ships with Cloche."""
    return grade_of(graded_regime().grades, incident)
