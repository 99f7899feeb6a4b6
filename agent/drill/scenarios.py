"""Scenarios are data: one TOML file each under `config/data/drill`, and `plan.toml` with how they are judged."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.drill.records import MeasureName
from agent.incident.records import Kind
from config.errors import UsageError
from config.packs import read_pack
from config.schema import Role
from config.text import Language

PLAN: Final = "plan.toml"


class Frozen(BaseModel):
    """A table of a pack: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Words(Frozen):
    """A scenario in one language. `summary` is what a person reports, `points` what people talk through."""

    title: str
    story: str
    summary: str = ""
    points: tuple[str, ...]


class Scenario(Frozen):
    """What happens. `target` is the folder of the made-up store that is attacked, `named` what a person names.

    `targets` are bounds of measures: seconds, files, persons.
    """

    id: str = Field(pattern=r"^[a-z][a-z_]{1,30}$")
    kind: Kind
    actor: Literal["copy", "encrypt", "vendor", "none"]
    via: Literal["process", "samba"] = "process"
    target: str = ""
    declared_by: Literal["behaviour", "person"]
    named: tuple[str, ...] = ()
    head_office: Literal["absent", "unreachable"] = "absent"
    absent: tuple[Role, ...] = ()
    backup: bool = False
    asked: tuple[Role, ...]
    chinese: Words = Field(alias="zh-CN")
    english: Words = Field(alias="en")
    targets: dict[MeasureName, float]

    def words(self, language: Language) -> Words:
        """In this language."""
        return self.chinese if language == "zh-CN" else self.english


class Basis(Frozen):
    """The rule that asks for drills."""

    source: str
    date: str
    verified: bool


class Interval(Frozen):
    """How often."""

    months: int = Field(gt=0)


class Judging(Frozen):
    """How a measure becomes points."""

    half_within: float = Field(ge=1)
    passed_from: float = Field(ge=0, le=100)
    acknowledge_minutes: float = Field(gt=0)


class Stage(Frozen):
    """A reminder, `days` after a drill is due."""

    stage: str
    days: int
    to: tuple[Role, ...]


class Plan(Frozen):
    """How drills are judged, and when they are due."""

    basis: Basis
    interval: Interval
    points: dict[MeasureName, float]
    judging: Judging
    reminders: tuple[Stage, ...]


@cache
def load_plan() -> Plan:
    """How drills are judged."""
    return Plan.model_validate(read_pack("drill", PLAN))


@cache
def load_scenarios() -> dict[str, Scenario]:
    """Every scenario by id, the one that is tried first at the head."""
    names = sorted(entry.name for entry in files("config").joinpath("data", "drill").iterdir())
    found = [
        Scenario.model_validate(read_pack("drill", name)) for name in names if name.endswith(".toml") and name != PLAN
    ]
    return {scenario.id: scenario for scenario in sorted(found, key=lambda scenario: scenario.id != "insider")}


def find_scenario(scenario_id: str) -> Scenario:
    """The scenario of this id.

    Raises:
        UsageError: there is none.
    """
    try:
        return load_scenarios()[scenario_id]
    except KeyError:
        raise UsageError(f"--scenario: {scenario_id!r} is none of {', '.join(load_scenarios())}") from None
