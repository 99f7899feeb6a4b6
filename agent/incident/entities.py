"""In whose name a report goes out, and to which office: the legal entity that answers for the data, and its province.

A store may hold the information of more than one: its own guests' and the members' of the brand. Which entity answers
for a file follows from the folders that the settings give it; without any, everything is the store's own entity's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.incident.law import Duty, Words
from agent.incident.records import Incident
from config.packs import read_pack
from config.schema import LegalEntity, Settings

if TYPE_CHECKING:
    from agent.wiring import Agent


class Province(BaseModel):
    """A province with its cyberspace office."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    english: str
    office: Words


class Offices(BaseModel):
    """`config/data/authority/cn-provinces.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    verified: bool
    zone: str
    provinces: tuple[Province, ...]


@cache
def load_offices() -> Offices:
    """The offices that ship with Cloche."""
    return Offices.model_validate(read_pack("authority", "cn-provinces.toml"))


def province_named(words: str) -> Province | None:
    """`上海`, `上海市` or `Shanghai`; None for what is no province."""
    wanted = words.strip().casefold()
    if not wanted:
        return None
    for province in load_offices().provinces:
        if wanted in (province.name.casefold(), province.english.casefold()):
            return province
    starts = [province for province in load_offices().provinces if len(wanted) > 1 and province.name.startswith(wanted)]
    return starts[0] if len(starts) == 1 else None


@dataclass(frozen=True, kw_only=True)
class Concerned:
    """A legal entity with what of its data an incident touches; `persons` "at most", summed over its files."""

    entity: LegalEntity
    files: int
    persons: int

    @property
    def key(self) -> str:
        """Its code, else its name."""
        return self.entity.code or self.entity.name


def store_entity(settings: Settings) -> LegalEntity:
    """The entity named under `store`; its registered name is not known there."""
    store = settings.store
    return LegalEntity.model_construct(
        name=store.name, code=store.legal_entity, province=store.province, address="", contact="", data=()
    )


def concerned(agent: Agent, incident: Incident) -> list[Concerned]:
    """The entities that an incident concerns, the one with most persons first; at least one."""
    entities = list(agent.settings.entities) or [store_entity(agent.settings)]
    others = next((entity for entity in entities if not entity.data), None)
    if others is None:
        others = store_entity(agent.settings)
        entities.append(others)
    files: dict[int, int] = {}
    persons: dict[int, int] = {}
    for item in incident.items:
        owner = next((entity for entity in entities if _holds(entity, item.path)), others)
        files[id(owner)] = files.get(id(owner), 0) + 1
        persons[id(owner)] = persons.get(id(owner), 0) + item.persons
    found = [
        Concerned(entity=entity, files=files[id(entity)], persons=persons[id(entity)])
        for entity in entities
        if id(entity) in files
    ]
    return sorted(found, key=lambda one: -one.persons) or [Concerned(entity=others, files=0, persons=0)]


def office_of(duty: Duty, entity: LegalEntity) -> Words:
    """Who a duty is owed to, by name where the entity's province tells; else as the law words it."""
    province = province_named(entity.province)
    if duty.office == "province" and province is not None:
        return province.office
    return duty.authority


def _holds(entity: LegalEntity, path: bytes) -> bool:
    return any(path.startswith(os.fsencode(folder.rstrip("/")) + b"/") for folder in entity.data)
