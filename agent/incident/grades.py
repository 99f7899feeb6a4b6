"""Grades as data: the plan's levels and the law's grades, and what counts reach.

Both are lower bounds by number; whose data it is and what was sensitive is counted elsewhere (`agent.notice.persons`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict

from agent.incident.law import Grade, load_regimes
from config.packs import read_pack
from config.schema import Role
from config.text import Language

GRADED_BY: Final = "cn-incident-reporting"


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
    """The levels of the plan, lowest first."""
    return tuple(Level.model_validate(level) for level in read_pack("plan", "levels.toml")["levels"])


@cache
def load_grades() -> tuple[Grade, ...]:
    """The grades of the law, lowest first."""
    return next(regime.grades for regime in load_regimes() if regime.id == GRADED_BY)


@dataclass(frozen=True, kw_only=True)
class Graded:
    """`level` by the plan, `law` by the law ('' below its lowest grade)."""

    level: str
    law: str


def graded(persons: int, sensitive: int, *, level_floor: str = "", law_floor: str = "", loss_cny: int = 0) -> Graded:
    """The levels that counts and a lawyer's word reach.

    Args:
        persons: distinct, customers and others alike; no virtual numbers.
        sensitive: those among them of whom something sensitive leaked.
        level_floor: a plan level set by hand.
        law_floor: a grade of the law set by hand.
        loss_cny: direct loss in yuan, by hand.
    """
    levels, grades = load_levels(), load_grades()
    reached = [level.id for level in levels if persons >= level.persons or (sensitive and sensitive >= level.sensitive)]
    order = [level.id for level in levels]
    level = max([*reached, *([level_floor] if level_floor else [])], key=order.index)
    by_law = [grade.id for grade in grades if persons >= grade.persons or (loss_cny and loss_cny >= grade.loss_cny)]
    ranks = [grade.id for grade in grades]
    law = max([*by_law, *([law_floor] if law_floor else [])], key=ranks.index, default="")
    return Graded(level=level, law=law)
