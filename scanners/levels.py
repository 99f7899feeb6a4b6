"""Levels 1 to 4 and scores 0 to 100 of an item, by the versioned pack `config/data/detect/levels.toml`.

The score is `100 * (1 - product(1 - weight)) * reach`: every further entity raises it, so a record with name, phone and
id outranks an id alone. `reach` grows with the logarithm of the number of persons, from 0.5 for one to 1.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load_levels() -> dict[str, Any]:
    """The pack."""
    return tomllib.loads(files("config").joinpath("data", "detect", "levels.toml").read_text(encoding="utf-8"))


def grade(entities: Mapping[str, bool], persons: int) -> tuple[int, float]:
    """Level and score of an item.

    Args:
        entities: what was accepted in it, and whether a person stands behind at least one value of it.
        persons: how many distinct persons.
    """
    pack = load_levels()
    level, rest = 1, 1.0
    for entity, personal in entities.items():
        rule = pack["entities"].get(entity, pack["other"])
        most = 4 if personal else pack["persons"]["masked_level"]
        level = max(level, min(rule["level"], most))
        rest *= 1 - rule["weight"] * (1.0 if personal else pack["persons"]["masked_share"])
    present = {entity for entity, personal in entities.items() if personal}
    record = pack["record"]
    if persons >= record["persons"] and all(present.intersection(group) for group in record["groups"]):
        level = max(level, record["level"])
    if persons >= pack["persons"]["raise_at"] and level > 1:
        level = min(4, level + 1)
    reach = 0.5 + 0.5 * min(1.0, math.log10(max(1, persons)) / math.log10(pack["persons"]["full"]))
    return level, round(100 * (1 - rest) * reach, 1)
