"""Regimes and their duties as data: `config/data/law/<regime>.toml`. A new regime needs no code.

Every duty says where it was read and whether that was verified; whatever shows a duty shows the flag. Cloche assists:
which duty applies is for the lawyer to decide.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.incident.records import Phase
from config.schema import Role
from config.text import Language

Words = dict[Language, str]
Start = Literal["discovered_at", "handling_ended_at"]


class Record(BaseModel):
    """A table of a pack: unknown keys are refused, so that a misspelt deadline is no silent one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Grade(Record):
    """A level of incident; bounds are inclusive. `loss_cny` is for grading by hand."""

    id: str
    name: Words
    persons: int
    loss_cny: int
    persons_verified: bool
    loss_verified: bool


class Duty(Record):
    """Something owed to somebody. `hours` None: no hours are named, so the clock counts up.

    `from_grade`: owed only from that grade on. `applies` `if_listed`: only where the settings list `<regime>/<duty>`
    or `<regime>`.
    """

    id: str
    title: Words
    start: Start
    hours: float | None = Field(None, gt=0)
    from_grade: str | None = None
    applies: Literal["always", "if_listed"] = "always"
    authority: Words
    channel: Words
    note: Words | None = None
    verified: bool
    contents_verified: bool = True
    contents: tuple[Words, ...]


class Regime(Record):
    """One law, rule or plan. `date` is the day its text took effect (or was read, for a plan)."""

    id: str
    name: Words
    source: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    grades: tuple[Grade, ...] = ()
    duties: tuple[Duty, ...]


def parse_regime(name: str, text: str) -> Regime:
    """A regime from TOML; its id is the file's name.

    Raises:
        ValueError: the pack is not as `Regime` says, or a duty names a grade that is not there.
    """
    regime = Regime.model_validate({"id": name, **tomllib.loads(text)})
    known = {grade.id for grade in regime.grades}
    for duty in regime.duties:
        if duty.from_grade is not None and duty.from_grade not in known:
            raise ValueError(f"{name}: duty {duty.id}: no grade {duty.from_grade!r}")
    return regime


@cache
def load_regimes() -> tuple[Regime, ...]:
    """All regimes that ship with Cloche, by id."""
    folder = files("config").joinpath("data", "law")
    return tuple(
        parse_regime(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    )


class PlanDuty(BaseModel):
    """What people with one of `roles` do in a phase of the emergency plan."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    phase: Phase
    roles: tuple[Role, ...]
    chinese: str = Field(alias="zh-CN")
    english: str = Field(alias="en")

    def text(self, language: Language) -> str:
        """In one language."""
        return self.chinese if language == "zh-CN" else self.english


@cache
def load_plan() -> tuple[PlanDuty, ...]:
    """What the plan asks of people, phase by phase."""
    pack = files("config").joinpath("data", "plan", "duties.toml").read_text(encoding="utf-8")
    return tuple(PlanDuty.model_validate(duty) for duty in tomllib.loads(pack)["duties"])
