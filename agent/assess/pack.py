"""Weights, thresholds, risks and rows of the measures: `config/data/assess/measures.toml`."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel, ConfigDict, Field

from agent.assess.records import Risk
from config.packs import read_pack
from config.text import Language


class Weighed(BaseModel):
    """A measure's data. `limits` are numbers that the measure knows by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    row: str
    weight: float = Field(gt=0)
    risks: tuple[Risk, ...]
    limits: dict[str, float] = {}


class Attestable(BaseModel):
    """Something that only a person can see; their word holds for `days`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    row: str
    days: float = Field(gt=0)
    title: dict[Language, str]


class Channel(BaseModel):
    """Where customers hand over information, with the types that usually come that way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: dict[Language, str]
    entities: tuple[str, ...]


class Pack(BaseModel):
    """The whole pack; `version` stands in every assessment that was made with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    measures: tuple[Weighed, ...]
    attestations: tuple[Attestable, ...]
    channels: tuple[Channel, ...]
    bases: tuple[str, ...]
    blind_kinds: tuple[str, ...]

    def weighed(self, measure: str) -> Weighed:
        """A measure's data.

        Raises:
            KeyError: the pack does not know it: a defect, caught by a test.
        """
        return {entry.id: entry for entry in self.measures}[measure]

    def attestable(self, subject: str) -> Attestable | None:
        """What may be attested under that name."""
        return next((entry for entry in self.attestations if entry.id == subject), None)

    def channel(self, channel: str) -> Channel | None:
        """A collection channel by its id."""
        return next((entry for entry in self.channels if entry.id == channel), None)


@cache
def load_pack() -> Pack:
    """The pack that ships with Cloche.

    Raises:
        ValueError: it is not as `Pack` says.
    """
    return Pack.model_validate(read_pack("assess", "measures.toml"))
