"""Tell persons apart in records of many files: the same mobile, mailbox, document or member number is the same person.

Records are 64-bit keyed fingerprints (`scanners.person_records`), kept as columns of numpy: 60 bytes a distinct record,
equal ones once. Records that share a key are joined (connected components by hooking and pointer jumping, Shiloach and
Vishkin 1982: every round at least halves what is apart, so that no file can make it slow).

A contact that stands beside many different people (the shop's own number typed in for everybody, `test@…`) would make
one person of thousands and hide them: beyond `SHARED` other identities, or `SHARED_NAMES` names, it joins nobody.
Limit: two people who share a mobile and have nothing else are one; so is whoever is told.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.distinct import Distinct, Fingerprinted
from scanners.fingerprints import Numbers
from scanners.person_records import (
    CUSTOMER,
    DOCUMENT,
    MAIL,
    MASKED,
    MEMBER,
    MOST_TYPES,
    OTHER_PHONE,
    PERSON,
    PHONE,
    SLOTS,
    STAFF,
    STRONG,
    SUPPLIER,
    VIRTUAL,
    WEAK,
    WEAKER,
    Records,
)

SHARED: Final = 8
SHARED_NAMES: Final = 24
MOST_RECORDS: Final = 6_000_000
"""Distinct records that are kept (400 MB); beyond, persons are only estimated, and that is said."""
MOST_SETS: Final = 1 << 16
_PENDING: Final = 1 << 16
_REACHED: Final = (PHONE, OTHER_PHONE, MAIL)
FIRST: Final = ((PHONE, OTHER_PHONE), (DOCUMENT,), (MAIL,), (MEMBER,))
"""What a person is known by at another store, the strongest first."""
_GROUPS: Final = ((PHONE, OTHER_PHONE), (MAIL,), (DOCUMENT,), (MEMBER,))

Rows = NDArray[np.int32]
Together = Sequence[Sequence[frozenset[str]]]


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Distinct persons. `customers`, `staff` and `suppliers` add up to `persons`; a customer is none of the others.

    `sensitive` of `persons` have a type that the level pack calls sensitive; `types` counts persons by type.
    `virtual` and `masked` are numbers, no persons. `reachable` customers have a number or a mailbox. `exact` is False
    when there were more distinct records than are kept.
    """

    persons: int = 0
    customers: int = 0
    staff: int = 0
    suppliers: int = 0
    sensitive: int = 0
    reachable: int = 0
    virtual: int = 0
    masked: int = 0
    exact: bool = True
    types: dict[str, int] = field(default_factory=dict)


class Columns:
    """Distinct records, column by column.

    Room for `MOST_RECORDS` is asked for at once: zeros that nobody touched take no memory (calloc(3) gives pages of
    mmap(2)), and a column that never grows is never there twice.
    """

    def __init__(self) -> None:
        """None yet."""
        self.count = 0
        self._keys = [np.zeros(MOST_RECORDS, np.uint64) for _ in SLOTS]
        self._sets = np.zeros(MOST_SETS, np.uint64)
        self._number = {0: 0}
        self._types = np.zeros(MOST_RECORDS, np.uint16)
        self._side = np.zeros(MOST_RECORDS, np.uint8)

    def key(self, slot: int) -> Numbers:
        """The keys of one slot."""
        return self._keys[slot][: self.count]

    def types(self, places: Rows | slice) -> Numbers:
        """The types of some."""
        found: Numbers = self._sets[self._types[: self.count][places]]
        return found

    def add_types(self, places: Rows, types: Numbers) -> None:
        """Further types of records that are there."""
        self._types[places] = self._numbered(self.types(places) | types)

    def _numbered(self, types: Numbers) -> NDArray[np.uint16]:
        """Sets of types by number: there are few of them. The last number stands for all beyond `MOST_SETS`."""
        found, places = np.unique(types, return_inverse=True)
        numbers = np.zeros(len(found), np.uint16)
        for at, types_ in enumerate(found.tolist()):
            number = self._number.get(types_)
            if number is None:
                number = min(len(self._number), MOST_SETS - 1)
                if number < MOST_SETS - 1:
                    self._number[types_] = number
                self._sets[number] |= np.uint64(types_)
            numbers[at] = number
        return numbers[places]

    @property
    def side(self) -> NDArray[np.uint8]:
        """Whose they are."""
        return self._side[: self.count]

    def append(self, rows: Records) -> None:
        """More of them; the caller keeps to the room. Columns that hold nothing so far stay untouched."""
        new = slice(self.count, self.count + len(rows))
        for slot, column in enumerate(self._keys):
            if rows["keys"][:, slot].any():
                column[new] = rows["keys"][:, slot]
        self._types[new], self._side[new] = self._numbered(rows["types"]), rows["side"]
        self.count = new.stop


class Identities:
    """Takes records as they come, and says who they are. Memory is bounded by `MOST_RECORDS`."""

    def __init__(self, never: Sequence[int] = ()) -> None:
        """Nobody yet; records with a phone or mailbox of `never` (fingerprints) are left out."""
        self._never = np.array(sorted(never), np.uint64)
        self._entities: list[str] = []
        self._columns = Columns()
        self._known = np.zeros(0, np.uint64)  # digests of distinct records in ascending order
        self._places = np.zeros(0, np.int32)
        self._pending: list[Records] = []
        self._waiting = 0
        self._virtual = Fingerprinted()
        self._masked = Fingerprinted()
        self._beyond: Distinct | None = None
        self.left_out = 0

    def add(self, entities: Sequence[str], records: Records) -> None:
        """Some records; `entities` says what the bits of their types are."""
        keys, what = records["keys"], records["what"]
        for known, of in ((self._virtual, VIRTUAL), (self._masked, MASKED)):
            if (numbers := keys[what == of, PHONE]).size:
                known.add_many(np.ascontiguousarray(numbers))
        kept = what == PERSON
        if self._never.size:
            own = np.isin(keys[:, _REACHED], self._never).any(axis=1)
            self.left_out += int((kept & own).sum())
            kept &= ~own
        some = records[kept]
        if not len(some):
            return
        if list(entities) != self._entities:
            some["types"] = self._translated(entities, some["types"])
        if self._beyond is not None:
            self._beyond.add_many(_first_key(some))
            return
        self._pending.append(some)
        self._waiting += len(some)
        if self._waiting > _PENDING:
            self._settle()

    def _translated(self, entities: Sequence[str], types: Numbers) -> Numbers:
        """Bits of this object's own list: workers of other settings have other ones."""
        if not self._entities:
            self._entities = list(entities)
            return types
        made = np.zeros(len(types), np.uint64)
        for bit, entity in enumerate(entities):
            if entity not in self._entities:
                self._entities.append(entity)
            place = min(self._entities.index(entity), MOST_TYPES - 1)
            made |= ((types >> np.uint64(bit)) & np.uint64(1)) << np.uint64(place)
        return made

    def _settle(self) -> None:
        """Put what waits to the rest, equal records once."""
        if not self._waiting:
            return
        rows = np.concatenate(self._pending)
        self._pending, self._waiting = [], 0
        digests = rows["side"].astype(np.uint64)
        for slot in range(len(SLOTS)):
            digests = (digests ^ rows["keys"][:, slot]) * np.uint64(0x9E3779B97F4A7C15 + 2 * slot)
        order = np.argsort(digests, kind="stable")
        digests = digests[order]
        first = np.append(True, digests[1:] != digests[:-1])
        types = np.bitwise_or.reduceat(rows["types"][order], np.flatnonzero(first))
        digests, rows = digests[first], rows[order[first]]
        rows["types"] = types
        at = np.searchsorted(self._known, digests)
        old = np.zeros(len(rows), np.bool_)
        inside = at < len(self._known)
        old[inside] = self._known[at[inside]] == digests[inside]
        self._columns.add_types(self._places[at[old]], rows["types"][old])
        digests, rows = digests[~old], rows[~old]
        room = MOST_RECORDS - self._columns.count
        if len(rows) > room:
            self._beyond = Distinct()
            self._beyond.add_many(_first_key(rows[room:]))
            digests, rows = digests[:room], rows[:room]
        places = np.arange(self._columns.count, self._columns.count + len(rows), dtype=np.int32)
        self._columns.append(rows)
        at = np.searchsorted(self._known, digests)
        self._known = np.insert(self._known, at, digests)
        self._places = np.insert(self._places, at, places)
        del rows, order, first, types, at, old, digests, places
        give_back()

    def join(self) -> Joined:
        """Who they are, by what came so far. The last call: what told records apart is let go."""
        self._settle()
        self._known, self._places = np.zeros(0, np.uint64), np.zeros(0, np.int32)
        return Joined(self._columns, self._entities, self)

    def numbers(self) -> tuple[int, int, int | None]:
        """Virtual numbers, starred ones, and persons beyond those kept (None: everybody is kept)."""
        return len(self._virtual), len(self._masked), self._beyond.count if self._beyond else None


class Joined:
    """Persons by number, from 0. `people[row]` is the person of a record."""

    def __init__(self, columns: Columns, entities: Sequence[str], source: Identities) -> None:
        """Join the records."""
        self._entities = entities
        self._source = source
        self._columns = columns
        self.people, self.count = join([columns.key(slot) for slot in range(len(SLOTS))])
        self.types = np.zeros(self.count, np.uint64)
        for low in range(0, columns.count, _PENDING):
            some = slice(low, low + _PENDING)
            np.bitwise_or.at(self.types, self.people[some], columns.types(some))
        self.side = np.full(self.count, CUSTOMER, np.uint8)
        for side in (SUPPLIER, STAFF):  # who is staff is told as staff, whatever else they are
            self.side[self.people[columns.side == side]] = side
        self.reachable = np.zeros(self.count, np.bool_)
        for slot in _REACHED:
            self.reachable[self.people[columns.key(slot) != 0]] = True

    def names(self, types: int) -> tuple[str, ...]:
        """The entities of a person's bits."""
        return tuple(entity for bit, entity in enumerate(self._entities[:MOST_TYPES]) if types >> bit & 1)

    def totals(self, sensitive: frozenset[str], together: Together = ()) -> Totals:
        """Count them; `sensitive` are the entities that the level pack calls so, alone or `together`."""
        virtual, masked, beyond = self._source.numbers()
        customers = self.side == CUSTOMER
        return Totals(
            persons=self.count + (beyond or 0), customers=int(customers.sum()) + (beyond or 0),
            staff=int((self.side == STAFF).sum()), suppliers=int((self.side == SUPPLIER).sum()),
            sensitive=int(self.is_sensitive(sensitive, together).sum()),
            reachable=int((customers & self.reachable).sum()),
            virtual=virtual, masked=masked, exact=beyond is None,
            types={
                entity: number
                for bit, entity in enumerate(self._entities[:MOST_TYPES])
                if (number := int(((self.types >> np.uint64(bit)) & np.uint64(1)).sum()))
            },
        )  # fmt: skip

    def is_sensitive(self, sensitive: frozenset[str], together: Together = ()) -> NDArray[np.bool_]:
        """Which persons have a sensitive type, or types that are so together (one of each group)."""
        found: NDArray[np.bool_] = self._have(sensitive)
        for groups in together:
            found |= np.logical_and.reduce([self._have(group) for group in groups])
        return found

    def _have(self, entities: frozenset[str]) -> NDArray[np.bool_]:
        bits = sum(1 << bit for bit, entity in enumerate(self._entities[:MOST_TYPES]) if entity in entities)
        found: NDArray[np.bool_] = (self.types & np.uint64(bits)) != 0
        return found

    def first_identities(self) -> tuple[Numbers, NDArray[np.uint8]]:
        """The identity that each person is known by elsewhere, and of which kind it is (a place in `FIRST` from 1).

        The strongest kind that a person has, and of several values of it the smallest. A value that stands beside
        several people (the till's placeholder) is nobody's, but of whoever has nothing else. Kind 0: nothing but a
        name, by which nobody can be told apart elsewhere.
        """
        found = np.zeros(self.count, np.uint64)
        kinds = np.zeros(self.count, np.uint8)
        for kind, slots in enumerate((*FIRST, (WEAK,)), start=1):
            self._identify(found, kinds, kind, slots, own=True)
        self._identify(found, kinds, len(FIRST) + 1, (*STRONG, WEAK), own=False)
        by_name = (kinds > len(FIRST)) & ~self._have(frozenset(WEAKER) - {"PERSON"})
        kinds[by_name] = 0
        return found, kinds

    def _identify(
        self, found: Numbers, kinds: NDArray[np.uint8], kind: int, slots: Sequence[int], *, own: bool
    ) -> None:
        """Give whoever has no identity yet one of these slots."""
        rows = [np.flatnonzero((self._columns.key(slot) != 0) & (kinds[self.people] == 0)) for slot in slots]
        keys = np.concatenate([self._columns.key(slot)[some] for slot, some in zip(slots, rows, strict=True)])
        people = np.concatenate([self.people[some] for some in rows])
        if not len(keys):
            return
        if own:
            order = np.argsort(keys, kind="stable")
            keys, people = keys[order], people[order]
            same = keys[1:] == keys[:-1]
            groups = np.concatenate([np.zeros(1, np.int64), np.cumsum(~same)])
            of_several = np.zeros(int(groups[-1]) + 1, np.bool_)
            of_several[groups[1:][same & (people[1:] != people[:-1])]] = True
            keys, people = keys[~of_several[groups]], people[~of_several[groups]]
        least = np.full(self.count, np.iinfo(np.uint64).max, np.uint64)
        np.minimum.at(least, people, keys)
        kinds[people] = kind
        found[people] = least[people]

    def contacts(self) -> tuple[Numbers, Rows]:
        """Every fingerprint of a number or mailbox in ascending order, each once, and whose it is."""
        there = [self._columns.key(slot) != 0 for slot in _REACHED]
        keys = np.concatenate([self._columns.key(slot)[rows] for slot, rows in zip(_REACHED, there, strict=True)])
        people = np.concatenate([self.people[rows] for rows in there])
        found, places = np.unique(keys, return_index=True)
        return found, people[places]


def give_back() -> None:
    """Let the C library return what was freed: else 90 MB of a million records stay with it (malloc_trim(3))."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _first_key(rows: Records) -> Numbers:
    keys = rows["keys"]
    return np.ascontiguousarray(keys[np.arange(len(keys)), (keys != 0).argmax(axis=1)])


def join(keys: Sequence[Numbers]) -> tuple[Rows, int]:
    """Number of the person of each record (`keys` has a column a slot), and how many persons there are."""
    count = len(keys[0])
    parent = np.arange(count, dtype=np.int32)
    known = np.zeros(count, np.bool_)  # by a contact or number that is one person's
    for group in _GROUPS:
        rows: Rows = np.concatenate([np.flatnonzero(keys[slot]).astype(np.int32) for slot in group])
        values = np.concatenate([keys[slot][keys[slot] != 0] for slot in group])
        order = np.argsort(values, kind="stable").astype(np.int32)
        rows = rows[order]
        values = values[order]
        del order
        usable = ~_shared(keys, rows, values, group)
        known[rows[usable]] = True
        same = np.flatnonzero((values[1:] == values[:-1]) & usable[1:])
        parent = _hook(parent, rows[same], rows[same + 1])
        del rows, values, usable, same
        give_back()
    alone = np.flatnonzero(~known).astype(np.int32)
    weak = keys[WEAK][alone]
    for slot in STRONG:  # a contact of many and no name: one person, whoever that is
        weak = np.where(weak == 0, keys[slot][alone], weak)
    sorting = np.argsort(weak, kind="stable")
    alone, weak = alone[sorting], weak[sorting]
    same = np.flatnonzero(weak[1:] == weak[:-1])
    parent = _hook(parent, alone[same], alone[same + 1])
    roots = parent == np.arange(count, dtype=np.int32)
    numbers = np.cumsum(roots, dtype=np.int32) - 1
    return numbers[parent].astype(np.int32), int(roots.sum())


def _hook(parent: Rows, left: Rows, right: Rows) -> Rows:
    """Join the trees of each pair; `parent` is flat before and after."""
    while len(left):
        a, b = parent[left], parent[right]
        apart = a != b
        if not apart.any():
            break
        left, right, a, b = left[apart], right[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while True:
            above = parent[parent]
            if np.array_equal(above, parent):
                break
            parent = above
    return parent


def _shared(keys: Sequence[Numbers], rows: Rows, values: Numbers, group: Sequence[int]) -> NDArray[np.bool_]:
    """Which of some sorted values stand beside too many different people."""
    shared = np.zeros(len(values), np.bool_)
    many = values[SHARED:]
    often = np.unique(many[many == values[: len(many)]])  # those that stand there more than `SHARED` times
    others = [slot for slot in STRONG if slot not in group]
    starts, ends = np.searchsorted(values, often), np.searchsorted(values, often, side="right")
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        beside = rows[start:end]
        apart = any(_distinct(keys[slot][beside]) > SHARED for slot in others)
        if apart or _distinct(keys[WEAK][beside]) > SHARED_NAMES:
            shared[start:end] = True
    return shared


def _distinct(column: Numbers) -> int:
    found = np.unique(column)
    return len(found) - int(found[0] == 0) if len(found) else 0
