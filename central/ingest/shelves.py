"""How a store's places lie in the database: in rows of about a hundred, whatever their number.

A store tells sections of places by the first two digits of their identifiers. A row a section would be 80 rows for a
store with 100 places (measured: ten times the time of the whole report); a row a store would rewrite megabytes for one
changed place. So a small store has one shelf (`all`), a larger one 16, a large one 256. What lies on a shelf is known
by its sections' digests: a section is taken from whatever report brings it, if its digest is the one that the newest
report names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final

import msgspec
from sqlalchemy import select

from central.database.bulk import Row
from central.documents import Location, encode_document
from central.ingest.batch import Batch, Figures, table_of
from central.ingest.packed import PackedInventory, Places, read_places
from central.models import Section

ONE: Final = 256
SIXTEEN: Final = 4096
"""Most places on one shelf, and on sixteen."""
WORST: Final = "*"

_DIGESTS: Final = msgspec.json.Decoder(dict[str, str])
_TABLE: Final = table_of(Section)


def shelf_of(section: str, places: int) -> str:
    """The shelf that a section lies on in a store with so many places."""
    if places <= ONE:
        return "all"
    return section[:1] if places <= SIXTEEN else section


def put_worst(batch: Batch, store_id: str, number: int, worst: Places) -> None:
    """The worst places that an older agent tells instead of sections."""
    _drop(batch, store_id, keep={WORST})
    if worst:
        _put(batch, store_id, WORST, number, {}, [worst])
    else:
        _drop(batch, store_id, keep=set())


def put_sections(
    batch: Batch, figures: Figures, number: int, packed: PackedInventory, wanted: Mapping[str, str]
) -> bool:  # fmt: skip
    """Lay down what a report brings; True if something is still lacking of what the newest one names.

    Args:
        batch: the transaction.
        figures: of the store whose it is; how many places it has now says how they lie.
        number: of the report.
        packed: what it says; a section counts if its digest there is the wanted one.
        wanted: digest by section, of the newest report.
    """
    told = packed.counts.section_digests
    is_whole = told is wanted and packed.names and packed.names == wanted.keys()
    if is_whole and figures.places <= ONE:
        _drop(batch, figures.id, keep={"all"})
        _lay(batch, (figures.id, "all", number, packed.digests, packed.number, packed.places))
        return False
    given = {
        name: places for name, places in packed.sections().items() if name in wanted and told.get(name) == wanted[name]
    }
    if len(given) == len(wanted):
        _replace_all(batch, figures, number, wanted, given)
        return False
    return _merge(batch, figures, number, wanted, given)


def _replace_all(
    batch: Batch, figures: Figures, number: int, wanted: Mapping[str, str], given: Mapping[str, Places]
) -> None:
    store_id, count = figures.id, figures.places
    shelves: dict[str, list[str]] = {}
    for name in sorted(given):
        shelves.setdefault(shelf_of(name, count), []).append(name)
    _drop(batch, store_id, keep=set(shelves))
    for shelf, names in shelves.items():
        _put(batch, store_id, shelf, number, {name: wanted[name] for name in names}, [given[name] for name in names])


def _merge(batch: Batch, figures: Figures, number: int, wanted: Mapping[str, str], given: Mapping[str, Places]) -> bool:
    store_id, count = figures.id, figures.places
    there = _digests(batch, store_id)
    held = {name: digest for digests in there.values() for name, digest in digests.items()}
    news = {name: places for name, places in given.items() if held.get(name) != wanted[name]}
    gone = {name for name in held if name not in wanted}
    is_moved = any(shelf_of(name, count) != shelf for shelf, digests in there.items() for name in digests)
    changed = {shelf_of(name, count) for name in (*news, *gone)}
    if is_moved:
        changed = {shelf_of(name, count) for name in (*news, *held)}
    touched = set(there) if is_moved else {shelf for shelf in there if shelf in changed or shelf == WORST}
    contents: dict[str, Places] = {}
    for places in _documents(batch, store_id, touched - {WORST}):
        by_section: dict[str, list[Location]] = {}
        for place in places:
            by_section.setdefault(place.id[:2], []).append(place)
        contents.update(by_section)
    for shelf in touched:
        for name in there[shelf]:
            contents.setdefault(name, ())
    known = {name: digest for name, digest in held.items() if name in contents and name not in gone}
    contents.update(news)
    known.update({name: wanted[name] for name in news})
    shelves: dict[str, list[str]] = {}
    for name in sorted(known):
        shelves.setdefault(shelf_of(name, count), []).append(name)
    _drop(batch, store_id, keep=(set(there) - touched) | set(shelves))
    for shelf, names in shelves.items():
        _put(batch, store_id, shelf, number, {name: known[name] for name in names}, [contents[name] for name in names])
    after = {name: digest for name, digest in held.items() if name not in gone} | known
    return any(after.get(name) != digest for name, digest in wanted.items())


def _put(
    batch: Batch, store_id: str, shelf: str, number: int, digests: Mapping[str, str], parts: Iterable[Places]
) -> None:
    places = list(chain.from_iterable(parts))
    _lay(batch, (store_id, shelf, number, encode_document(digests).decode(), len(places), encode_document(places)))


def _lay(batch: Batch, row: Row) -> None:
    store_id, shelf, number = row[:3]
    batch.sections_gone.discard((store_id, shelf))
    batch.shelves.setdefault(store_id, {})[shelf] = number
    batch.sections[store_id, shelf] = row


def _drop(batch: Batch, store_id: str, keep: set[str]) -> None:
    for shelf in [name for name in batch.shelves.get(store_id, {}) if name not in keep]:
        del batch.shelves[store_id][shelf]
        batch.sections.pop((store_id, shelf), None)
        batch.sections_gone.add((store_id, shelf))


def _digests(batch: Batch, store_id: str) -> dict[str, dict[str, str]]:
    """Digests of the sections on each shelf, as this transaction leaves them so far."""
    query = select(_TABLE.c.section, _TABLE.c.digests).where(_TABLE.c.store_id == store_id)
    found: dict[str, dict[str, str]] = {
        shelf: digests
        for shelf, digests in batch.connection.execute(query)
        if (store_id, shelf) not in batch.sections_gone
    }
    for (owner, shelf), row in batch.sections.items():
        if owner == store_id:
            found[shelf] = _DIGESTS.decode(row[3])
    return found


def _documents(batch: Batch, store_id: str, shelves: set[str]) -> list[Places]:
    inside = [row[5] for (owner, shelf), row in batch.sections.items() if owner == store_id and shelf in shelves]
    asked = sorted(shelf for shelf in shelves if (store_id, shelf) not in batch.sections)
    stored: list[Any] = []
    if asked:
        query = select(_TABLE.c.document).where(_TABLE.c.store_id == store_id, _TABLE.c.section.in_(asked))
        stored = list(batch.connection.execute(query).scalars())
    return [read_places(document) for document in (*inside, *stored)]
