"""Levels 1 to 4 and scores 0 to 100 of an item, by a versioned pack of `config/data/detect/levels/`, one a standard.

The score is `100 * (1 - product(1 - weight)) * reach`: every further entity raises it, so a record with name, phone and
id outranks an id alone. `reach` grows with the logarithm of the number of persons, from 0.5 for one to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, get_args

from config.packs import read_pack
from config.schema import LevelPack

PACKS: Final[tuple[LevelPack, ...]] = get_args(LevelPack)
DEFAULT: Final[LevelPack] = "gbt-35273"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What one entity weighs. `grade` is the standard's own; `always` holds whoever stands behind the value."""

    level: int
    weight: float
    grade: str
    always: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Entities that lie together: one of each group, of at least so many persons, has this level."""

    groups: tuple[frozenset[str], ...]
    level: int
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """One standard's file. `names` are its own grades in Chinese and English, the lowest first."""

    version: int
    title: str
    verified: bool
    names: Mapping[str, Mapping[str, str]]
    raises: tuple[tuple[int, str], ...]
    rules: Mapping[str, Rule]
    other: Rule
    records: tuple[Record, ...]
    raise_at: int
    full: int
    nobody_level: int
    nobody_share: float

    def rule(self, entity: str) -> Rule:
        """The entity's, or that of entities of other countries."""
        return self.rules.get(entity, self.other)


@cache
def load_levels(name: LevelPack = DEFAULT) -> Pack:
    """A pack.

    Raises:
        KeyError: the pack lacks a part, or names a grade that it does not define.
    """
    facts = read_pack("detect", "levels", f"{name}.toml")
    names = {grade["id"]: grade["name"] for grade in facts["grades"]}
    rules = {entity: Rule(**rule) for entity, rule in facts["entities"].items()}
    raises = tuple((entry["persons"], entry["grade"]) for entry in facts.get("raises", ()))
    for used in (*(rule.grade for rule in rules.values()), *(grade for _, grade in raises)):
        names[used]
    persons = facts["persons"]
    return Pack(
        version=facts["version"],
        title=facts["sources"][0]["id"],
        verified=all(source["verified"] for source in facts["sources"]),
        names=names,
        raises=raises,
        other=rules.pop("other"),
        rules=rules,
        records=tuple(
            Record(groups=tuple(map(frozenset, entry["groups"])), level=entry["level"], persons=entry["persons"])
            for entry in facts["records"]
        ),
        raise_at=persons["raise_at"],
        full=persons["full"],
        nobody_level=persons["nobody_level"],
        nobody_share=persons["nobody_share"],
    )


def grade(entities: Mapping[str, bool], persons: int, name: LevelPack = DEFAULT) -> tuple[int, float]:
    """Level and score of an item.

    Args:
        entities: what was accepted in it, and whether a person stands behind at least one value of it.
        persons: how many distinct persons.
        name: the pack, as in the setting `detect.levels`.
    """
    pack = load_levels(name)
    level, rest = 1, 1.0
    for entity, personal in entities.items():
        rule = pack.rule(entity)
        counts = personal or rule.always
        level = max(level, rule.level if counts else min(rule.level, pack.nobody_level))
        rest *= 1 - rule.weight * (1.0 if counts else pack.nobody_share)
    present = {entity for entity, personal in entities.items() if personal}
    for record in pack.records:
        if persons >= record.persons and all(present & group for group in record.groups):
            level = max(level, record.level)
    if persons >= pack.raise_at and level > 1:
        level = min(4, level + 1)
    reach = 0.5 + 0.5 * min(1.0, math.log10(max(1, persons)) / math.log10(pack.full))
    return level, round(100 * (1 - rest) * reach, 1)


def own_grade(entities: Iterable[str], persons: int, name: LevelPack) -> str:
    """The standard's own grade of what lies together, an id of `Pack.names`: the highest of any; '' of nothing."""
    pack = load_levels(name)
    order = list(pack.names)
    found = [order.index(pack.rule(entity).grade) for entity in entities]
    if not found:
        return ""
    found += [order.index(raised) for least, raised in pack.raises if persons >= least]
    return order[max(found)]
