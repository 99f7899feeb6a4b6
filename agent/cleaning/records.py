"""The nouns of a clean-up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

Decision = Literal["release", "purge", "evidence", "restore", "leave"]
DECISIONS: Final[tuple[Decision, ...]] = ("release", "purge", "evidence", "restore", "leave")
"""Back to its place; destroyed; kept in the vault as evidence; brought from a copy; left where it is, or gone."""
Where = Literal["readable", "governed", "fenced", "vault", "sealed", "gone", "settled"]
"""Where an item is now: `governed` is a live database that the guard keeps to the till's own programs, `settled` one
that was released or restored by decision."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What was decided about one item. `proof` says how it was carried out; no customer's value, no plain digest."""

    path: bytes = field(repr=False)
    decision: Decision
    by: str
    at: datetime
    reason: str
    done_at: datetime | None = None
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Risk:
    """One residual risk: whose it is, and the day by which it is looked at again. '' as `risk`: none remains."""

    risk: str
    owner: str
    until: date | None
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RiskAssessment:
    """The risk assessment of an incident: when it was last written, and all that remains."""

    at: datetime
    risks: tuple[Risk, ...]
