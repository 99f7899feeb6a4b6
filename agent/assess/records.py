"""The nouns of an assessment. Evidence is a text key with values, so that it reads in either language; all masked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Risk = Literal["attack", "mistake", "storage", "vendor"]
RISKS: Final[tuple[Risk, ...]] = ("attack", "mistake", "storage", "vendor")
"""The four risks of 顾客信息保护预案 二: 网络攻击, 内部人员失误, 信息存储不当, 第三方服务商."""
State = Literal["good", "partial", "bad", "unknown", "not_applicable"]
Value = str | int | float


@dataclass(frozen=True, kw_only=True)
class Saying:
    """A text of `config/data/text/assess.toml` with its values. A value that begins with `@` is a text key itself."""

    key: str
    values: dict[str, Value] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"key": self.key, "values": self.values}


def say(key: str, /, **values: Value) -> Saying:
    """Short for a saying."""
    return Saying(key=key, values=values)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a measure found. `score` 0 to 1; `command` is what to type next, '' where nothing is left to do."""

    state: State
    score: float
    evidence: tuple[Saying, ...]
    command: str = ""

    def __post_init__(self) -> None:
        """A result that contradicts itself would be a score that nobody can explain.

        Raises:
            ValueError: a score out of range, points for what is unknown, or no evidence.
        """
        if not 0 <= self.score <= 1 or not self.evidence:
            raise ValueError(f"a result of {self.score} with {len(self.evidence)} pieces of evidence")
        if (self.state in ("unknown", "bad") and self.score) or (self.state == "good" and self.score < 1):
            raise ValueError(f"{self.state} with a score of {self.score}")


def good(*evidence: Saying) -> Result:
    """Done, as far as can be seen."""
    return Result(state="good", score=1.0, evidence=evidence)


def bad(command: str, *evidence: Saying) -> Result:
    """Not done."""
    return Result(state="bad", score=0.0, evidence=evidence, command=command)


def partial(score: float, command: str, *evidence: Saying) -> Result:
    """Done in part: strictly between 0 and 1."""
    return Result(state="partial", score=min(max(score, 0.01), 0.99), evidence=evidence, command=command)


def unknown(command: str, *evidence: Saying) -> Result:
    """Nobody knows: no points, and what would make it known."""
    return Result(state="unknown", score=0.0, evidence=evidence, command=command)


def not_applicable(*evidence: Saying) -> Result:
    """Does not apply to this store, for a reason that is on record: counts neither way."""
    return Result(state="not_applicable", score=0.0, evidence=evidence)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure of one assessment. `points` of `weight`; `row` is the row of the plan."""

    id: str
    row: str
    risks: tuple[Risk, ...]
    weight: float
    result: Result

    @property
    def points(self) -> float:
        """What it adds to the sum."""
        return self.weight * self.result.score

    @property
    def missing(self) -> float:
        """What it could add; 0 where it does not apply."""
        return 0.0 if self.result.state == "not_applicable" else self.weight - self.points

    def document(self) -> dict[str, Any]:
        """As JSON, without words."""
        return {
            "id": self.id, "row": self.row, "risks": list(self.risks), "state": self.result.state,
            "score": round(self.result.score, 4), "weight": self.weight, "points": round(self.points, 2),
            "evidence": [saying.document() for saying in self.result.evidence], "command": self.result.command,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """All measures at one moment. Scores are 0 to 100; None where nothing applies."""

    at: datetime
    actor: str
    pack: str
    measured: tuple[Measured, ...]

    @property
    def score(self) -> float | None:
        """In all."""
        return share_of(self.measured)

    def risk(self, risk: Risk) -> float | None:
        """Of one risk: the measures that stand against it."""
        return share_of(tuple(one for one in self.measured if risk in one.risks))

    @property
    def next(self) -> tuple[Measured, ...]:
        """What to do next, by what it adds: heaviest first, in the order of the list where equal."""
        left = [one for one in self.measured if one.missing > 0 and one.result.command]
        return tuple(sorted(left, key=lambda one: -one.missing))

    def document(self) -> dict[str, Any]:
        """`cloche.assessment/1` without words: what is kept, and what a picture and a report are made from."""
        return {
            "schema": "cloche.assessment/1", "at": self.at.isoformat(timespec="seconds"), "actor": self.actor,
            "pack": self.pack, "score": self.score, "risks": {risk: self.risk(risk) for risk in RISKS},
            "measures": [one.document() for one in self.measured],
        }  # fmt: skip


def share_of(measured: tuple[Measured, ...]) -> float | None:
    """Points of what applies, in per cent of what could be had, to one decimal."""
    whole = sum(one.weight for one in measured if one.result.state != "not_applicable")
    return round(100 * sum(one.points for one in measured) / whole, 1) if whole else None
