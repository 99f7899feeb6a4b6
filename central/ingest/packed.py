"""A report of an inventory as it waits to be written: its places as the JSON that the database will hold.

Places are checked as objects, and what is checked is written out at once, for a hundred objects take four times the
room: kept until their transaction came, they had left the processor's caches, and to write and to free them took an
eighth of a report's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from central.documents import Inventory, Location, encode_document

Places = Sequence[Location]
_PLACES: Final = msgspec.json.Decoder(tuple[Location, ...])


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedInventory:
    """`counts` is the report without its `sections`, `snapshot` the JSON of it and `digests` that of its
    `section_digests`; `names` are the sections that it brought, `places` the JSON of all their places, in that order,
    and `number` how many."""

    counts: Inventory = field(repr=False)
    snapshot: str = field(repr=False)
    digests: str = field(repr=False)
    names: frozenset[str]
    places: bytes = field(repr=False)
    number: int

    def sections(self) -> Mapping[str, Places]:
        """Places by section."""
        found: dict[str, list[Location]] = {name: [] for name in self.names}
        for place in read_places(self.places):
            found[place.id[:2]].append(place)
        return found


def pack(document: Inventory) -> PackedInventory:
    """Pack it up."""
    places = list(chain.from_iterable(document.sections.values()))
    counts = _without_sections(document)
    return PackedInventory(
        counts=counts, snapshot=encode_document(counts).decode(),
        digests=encode_document(document.section_digests).decode(), names=frozenset(document.sections),
        places=encode_document(places), number=len(places),
    )  # fmt: skip


def read_places(document: bytes) -> tuple[Location, ...]:
    """Places out of their JSON."""
    return _PLACES.decode(document)


def _without_sections(document: Inventory) -> Inventory:
    """A copy, made below `replace`: that one would check everything again."""
    light = copy(document)
    force_setattr(light, "sections", {})
    return light
