"""Regimes, duties and grades in the reader's language, from the law packs that ship with Cloche.

Stores tell a duty by its key (`<regime>/<duty>`) with words in their own language; here the same is said in the
reader's. A key that no pack knows (a store with a newer pack) keeps the store's words. What no source was seen for is
marked and stays marked: Cloche assists, it gives no legal advice.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from config.packs import read_pack
from config.text import Language

GENERAL: Final = "general"


@dataclass(frozen=True, kw_only=True)
class Duty:
    """One duty of a regime. `verified`: deadline, contents and threshold were all seen in a source."""

    key: str
    regime: dict[str, str]
    title: dict[str, str]
    authority: dict[str, str]
    channel: dict[str, str]
    source: str
    date: str
    verified: bool
    office: str = ""
    """Whose name follows from the legal entity: `province`, `police` or nobody's."""


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A grade of an incident by law; bounds are inclusive."""

    id: str
    name: dict[str, str]
    persons: int
    loss_cny: int
    persons_verified: bool
    loss_verified: bool


@dataclass(frozen=True, kw_only=True)
class Grading:
    """The regime whose grades incidents have, lowest first."""

    regime: dict[str, str]
    source: str
    date: str
    grades: tuple[Grade, ...]

    def of(self, persons: int) -> Grade | None:
        """The grade of so many persons; None below the lowest."""
        return next((grade for grade in reversed(self.grades) if persons >= grade.persons), None)

    def named(self, grade_id: str) -> Grade | None:
        """A grade by its id."""
        return next((grade for grade in self.grades if grade.id == grade_id), None)


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of the plan; either bound (inclusive) reaches it. The chain sets them: `verified` is False."""

    id: str
    name: dict[str, str]
    persons: int
    sensitive: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A duty that no incident starts: keep, repeat, file."""

    key: str
    regime: dict[str, str]
    title: dict[str, str]
    authority: dict[str, str]
    note: dict[str, str]
    how: str
    days: int | None
    source: str
    date: str
    verified: bool


@cache
def _packs() -> tuple[tuple[str, dict[str, Any]], ...]:
    folder = files("config").joinpath("data", "law")
    return tuple(
        (entry.name.removesuffix(".toml"), tomllib.loads(entry.read_text(encoding="utf-8")))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    )


@cache
def duties() -> dict[str, Duty]:
    """Every duty by its key."""
    return {
        f"{name}/{duty['id']}": Duty(
            key=f"{name}/{duty['id']}", regime=pack["name"], title=duty["title"], authority=duty["authority"],
            channel=duty["channel"], source=pack["source"], date=pack["date"], office=duty.get("office", ""),
            verified=duty["verified"] and duty.get("contents_verified", True) and duty.get("threshold_verified", True),
        )
        for name, pack in _packs()
        for duty in pack.get("duties", ())
    }  # fmt: skip


@cache
def _offices() -> dict[str, dict[str, str]]:
    provinces = read_pack("authority", "cn-provinces.toml")["provinces"]
    return {name: province["office"] for province in provinces for name in province["office"].values()}


def office_named(told: str, duty: Duty | None, language: Language) -> str:
    """The office that a store told, in the reader's language where a pack knows it; else as told."""
    if told in _offices():
        return _offices()[told][language]
    if duty is not None and told in duty.authority.values():
        return duty.authority[language]
    return told


@cache
def standing() -> tuple[Standing, ...]:
    """Every duty that no incident starts, by regime."""
    return tuple(
        Standing(
            key=f"{name}/{duty['id']}", regime=pack["name"], title=duty["title"], authority=duty["authority"],
            note=duty.get("note", {}), how=duty["how"], days=_days(duty), source=pack["source"], date=pack["date"],
            verified=duty["verified"],
        )
        for name, pack in _packs()
        for duty in pack.get("standing", ())
    )  # fmt: skip


def _days(duty: dict[str, Any]) -> int | None:
    """How long to keep, or when to repeat at the latest, as stores count it."""
    if duty.get("every_months"):
        return int(duty["every_months"]) * 365 // 12
    if duty.get("keep_years"):
        return int(duty["keep_years"]) * 366
    if duty.get("keep_months"):
        return int(duty["keep_months"]) * 31
    return int(duty["keep_days"]) if duty.get("keep_days") else None


@cache
def grading() -> Grading:
    """The one regime with grades.

    Raises:
        LookupError: no pack has any: a defect of the distribution.
    """
    for _name, pack in _packs():
        if pack.get("grades"):
            grades = tuple(Grade(**grade) for grade in pack["grades"])
            return Grading(regime=pack["name"], source=pack["source"], date=pack["date"], grades=grades)
    raise LookupError("no pack of law has grades")


@cache
def levels() -> tuple[Level, ...]:
    """The levels of the plan, lowest first."""
    return tuple(
        Level(id=level["id"], name=level["name"], persons=level["persons"], sensitive=level["sensitive"])
        for level in read_pack("plan", "levels.toml")["levels"]
    )


def level_of(persons: int, sensitive: int) -> Level:
    """The level that so many persons reach together."""
    return next(
        level
        for level in reversed(levels())
        if persons >= level.persons or (sensitive > 0 and sensitive >= level.sensitive)
    )


def level_name(level_id: str, language: Language) -> str:
    """A level of the plan by name; '' for none."""
    return next((level.name[language] for level in levels() if level.id == level_id), "")


def grade_name(grade_id: str, language: Language) -> str:
    """A grade by law by name; '' for none."""
    grade = grading().named(grade_id)
    return grade.name[language] if grade else ""
