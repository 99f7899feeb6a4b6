"""Regimes and their duties as data: `config/data/law/<regime>.toml`. A new regime needs no code.

Every duty says where it was read and whether that was verified; whatever shows a duty shows the flag. Cloche assists:
which duty applies is for the lawyer to decide.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.incident.records import Kind, Phase
from config.forms import FieldName
from config.packs import pack_names, pack_text, read_pack
from config.schema import Role
from config.text import Language

Words = dict[Language, str]
Start = Literal["discovered_at", "learned_at", "discovered_or_learned", "handling_ended_at", "ordered"]
"""`learned_at`: when the report came in. `discovered_or_learned`: the earlier of the two. `ordered`: an authority's."""
Office = Literal["province", "police"]


class Record(BaseModel):
    """A table of a pack: unknown keys are refused, so that a misspelt deadline is no silent one."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Grade(Record):
    """A level of incident; bounds are inclusive. `loss_cny` is for grading by hand."""

    id: str
    name: Words
    persons: int
    loss_cny: int
    persons_verified: bool
    loss_verified: bool


class When(Record):
    """Conditions. `kinds` and `card_data` say whether a duty is shown at all; of the bounds (inclusive) one is enough.

    `persons` and `sensitive` are those that the incident touches, `held_persons` all whose data this store holds.
    """

    kinds: tuple[Kind, ...] = ()
    card_data: bool = False
    persons: int | None = Field(None, gt=0)
    sensitive: int | None = Field(None, gt=0)
    faces: int | None = Field(None, gt=0)
    held_persons: int | None = Field(None, gt=0)


class Content(Record):
    """What a report must say. `fields` fill it; without any, people write it. `first`: may go before the rest."""

    chinese: str = Field(alias="zh-CN")
    english: str = Field(alias="en")
    fields: tuple[FieldName, ...] = ()
    first: bool = False
    optional: bool = False

    def __getitem__(self, language: Language) -> str:
        """In one language."""
        return self.chinese if language == "zh-CN" else self.english


class Duty(Record):
    """Something owed to somebody. Neither `hours` nor `working_days`: nothing is named, so the clock counts up.

    `from_grade`: owed only from that grade on. `applies` `if_listed`: only where the settings list `<regime>/<duty>`
    or `<regime>`. `fulfilled_by`: a recorded submission, the customers' notice, or the report after the event.
    `office`: whose name follows from the legal entity. `owners` are reminded; else those of `plan/reminders.toml`.
    """

    id: str
    title: Words
    form: Words | None = None
    start: Start
    hours: float | None = Field(None, gt=0)
    working_days: int | None = Field(None, gt=0)
    calendar: str = "CN"
    from_grade: str | None = None
    applies: Literal["always", "if_listed"] = "always"
    when: When = When()
    fulfilled_by: Literal["submission", "notice", "final"] = "submission"
    office: Office | None = None
    owners: tuple[Role, ...] = ()
    authority: Words
    channel: Words
    note: Words | None = None
    verified: bool
    contents_verified: bool = True
    threshold_verified: bool = True
    contents: tuple[Content, ...]

    @property
    def timed(self) -> bool:
        """It has a deadline."""
        return self.hours is not None or self.working_days is not None


class Standing(Record):
    """A duty that no incident starts: keep something so long, do it again after so many months, file it in time.

    `subject` is what it is about, for whoever keeps or measures that: logs, drill, training, video, assessments, …
    """

    id: str
    subject: str
    title: Words
    how: Literal["keep", "repeat", "file", "do"]
    keep_days: int | None = Field(None, gt=0)
    keep_months: int | None = Field(None, gt=0)
    keep_years: int | None = Field(None, gt=0)
    every_months: int | None = Field(None, gt=0)
    working_days: int | None = Field(None, gt=0)
    calendar: str = "CN"
    when: When = When()
    authority: Words
    note: Words | None = None
    verified: bool
    contents: tuple[Content, ...] = ()

    @property
    def days(self) -> int | None:
        """How long to keep, never less than meant (a month has 31 days), or when to repeat at the latest."""
        if self.every_months:
            return self.every_months * 365 // 12
        if self.keep_years:
            return self.keep_years * 366
        return self.keep_months * 31 if self.keep_months else self.keep_days


class Regime(Record):
    """One law, rule or plan. `date` is the day its text took effect (or was read, for a plan).

    `zone` is the official time of its authorities; '' where they have none in common.
    """

    id: str
    name: Words
    source: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    zone: str = ""
    grades: tuple[Grade, ...] = ()
    duties: tuple[Duty, ...] = ()
    standing: tuple[Standing, ...] = ()


def parse_regime(name: str, text: str) -> Regime:
    """A regime from TOML; its id is the file's name.

    Raises:
        ValueError: the pack is not as `Regime` says, a duty names a grade that is not there, or two deadlines.
    """
    regime = Regime.model_validate({"id": name, **tomllib.loads(text)})
    known = {grade.id for grade in regime.grades}
    for duty in regime.duties:
        if duty.from_grade is not None and duty.from_grade not in known:
            raise ValueError(f"{name}: duty {duty.id}: no grade {duty.from_grade!r}")
        if duty.hours is not None and duty.working_days is not None:
            raise ValueError(f"{name}: duty {duty.id}: hours and working_days exclude each other")
    ids = [*(duty.id for duty in regime.duties), *(duty.id for duty in regime.standing)]
    if len(ids) != len(set(ids)):
        raise ValueError(f"{name}: an id is given twice")
    return regime


def standing_about(subject: str) -> tuple[tuple[Regime, Standing], ...]:
    """Standing duties about something, of every regime that ships with Cloche."""
    return tuple((regime, duty) for regime in load_regimes() for duty in regime.standing if duty.subject == subject)


@cache
def load_regimes() -> tuple[Regime, ...]:
    """All regimes that ship with Cloche, by id."""
    return tuple(parse_regime(name.removesuffix(".toml"), pack_text("law", name)) for name in pack_names("law"))


def duty_title(key: str, language: Language) -> str:
    """What a duty `<regime>/<duty>` is called; the key itself where no pack has it any more."""
    regime_id, _, duty_id = key.partition("/")
    for regime in load_regimes():
        for duty in regime.duties:
            if (regime.id, duty.id) == (regime_id, duty_id):
                return duty.title[language]
    return key


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
    return tuple(PlanDuty.model_validate(duty) for duty in read_pack("plan", "duties.toml")["duties"])
