"""What lies where on a store: counts, and places with their paths masked."""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta, field

from central.documents.parts import Count, Line, Part, Timed, When, Word

SectionName = Annotated[str, Meta(min_length=2, max_length=2)]
SectionDigest = Annotated[str, Meta(min_length=16, max_length=16)]
_HEX: Final = re.compile("[0-9a-f]*")


class Coverage(Part, frozen=True, kw_only=True):
    """How much of what was listed could be read."""

    listed: Count = 0
    read: Count = 0
    partial: Count = 0
    unread: Count = 0
    skipped: Count = 0
    bytes: Count = 0


class Group(Part, frozen=True, kw_only=True):
    """Items of one kind and level."""

    kind: Word
    level: Annotated[int, Meta(ge=1, le=4)]
    items: Count
    persons: Count
    sealed: Count = 0


class Location(Part, frozen=True, kw_only=True):
    """A file or table with what was found in it. `id` is a keyed digest (the key stays on the store), `path` is masked,
    `label` is what people call it."""

    path: Line
    kind: Word
    level: Annotated[int, Meta(ge=1, le=4)]
    persons: Count
    state: Word
    entities: Annotated[tuple[Word, ...], Meta(max_length=64)] = ()
    id: Word = ""
    label: Line = ""


class Cause(Part, frozen=True, kw_only=True):
    """Why some items could not be read, and how many."""

    reason: Word
    items: Count


class Inventory(Timed, frozen=True, kw_only=True):
    """Counts of what lies where. `sections` are the ones that head office does not have yet, `section_digests` what it
    is to have after this report; an older agent sends its `worst` places instead."""

    scanned_at: When | None = None
    persons: Count = 0
    places: Count = 0
    sealed: Count = 0
    exposed: Count = 0
    coverage: Coverage = Coverage()
    causes: Annotated[tuple[Cause, ...], Meta(max_length=64)] = ()
    groups: Annotated[tuple[Group, ...], Meta(max_length=256)] = ()
    worst: Annotated[tuple[Location, ...], Meta(max_length=500)] = ()
    omitted: Count = 0
    sections: dict[SectionName, tuple[Location, ...]] = field(default_factory=dict)
    section_digests: dict[SectionName, SectionDigest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Names and digests are hexadecimal: looked at together, for a pattern each is half of a report's time."""
        Timed.__post_init__(self)
        if not _HEX.fullmatch("".join((*self.sections, *self.section_digests, *self.section_digests.values()))):
            raise ValueError("section_digests: not hexadecimal")
        for name, places in self.sections.items():
            for place in places:
                if place.id[:2] != name:
                    raise ValueError("sections: a place in another's section")
