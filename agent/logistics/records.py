"""The nouns of logistics. All of it stands on the incident's timeline; what a person typed is masked before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

NeedKind = Literal["material", "people"]
NEED_KINDS: Final[tuple[NeedKind, ...]] = ("material", "people")
Stage = Literal["scene", "recovery"]
STAGES: Final[tuple[Stage, ...]] = ("scene", "recovery")
NeedState = Literal["needed", "assigned", "done"]
Reply = Literal["yes", "no", "na"]
REPLIES: Final[tuple[Reply, ...]] = ("yes", "no", "na")


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something or somebody that is needed; `number` counts within an incident."""

    number: int
    kind: NeedKind
    what: str
    quantity: int
    stage: Stage
    where: str
    asked_at: datetime
    asked_by: str
    state: NeedState = "needed"
    assigned_to: str = ""
    due: str = ""
    ended_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The last answer to a line of the checklist."""

    code: str
    reply: Reply
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A picture as it came: `sha256` of its bytes, kept sealed as `file` of an evidence bundle.

    `taken_at` is what the camera wrote into it (no zone, '' where it wrote nothing): a claim of the camera's clock.
    """

    number: int
    what: str
    by: str
    at: datetime
    sha256: str
    size: int
    taken_at: str
    bundle: str
    file: str
    line: str = ""


@dataclass(frozen=True, kw_only=True)
class Handover:
    """One item from one hand to the next. `given_at` is when it was handed over, `at` when that was recorded."""

    item: str
    serial: str
    giver: str
    taker: str
    given_at: datetime
    where: str
    condition: str
    seal: str
    at: datetime
    by: str
    gap: str = ""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """All hands that an item went through. `problems` are keys of texts: what does not fit."""

    item: str
    serial: str
    handovers: tuple[Handover, ...]
    problems: tuple[str, ...] = ()

    @property
    def holder(self) -> str:
        """Who has it now."""
        return self.handovers[-1].taker


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the checklist in both languages."""

    code: str
    stage: Stage
    photo: bool
    texts: dict[str, str] = field(repr=False)

    def text(self, language: str) -> str:
        """What is to be done."""
        return self.texts[language]


@dataclass(frozen=True, kw_only=True)
class Logistics:
    """Where the logistics of an incident stand."""

    incident: str
    needs: tuple[Need, ...]
    lines: tuple[Line, ...]
    checked: dict[str, Checked]
    photos: tuple[Photo, ...]
    chains: tuple[Chain, ...]

    @property
    def open_needs(self) -> tuple[Need, ...]:
        """What has not come yet."""
        return tuple(need for need in self.needs if need.state != "done")

    @property
    def open_lines(self) -> tuple[Line, ...]:
        """Lines that nobody has answered, or that were answered with no."""
        return tuple(
            line for line in self.lines if line.code not in self.checked or self.checked[line.code].reply == "no"
        )
