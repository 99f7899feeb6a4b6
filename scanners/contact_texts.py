"""Gather persons in running text: an entry with one number, one mailbox, one document at most is one person's.

An entry is a paragraph (lines without an empty one between them: a form filled in line by line), or, where that holds
several people, a line of it; a line that still holds several is split, a person a contact. What else stands in such a
line is counted for each of them. Names alone are persons only in an item that holds nothing else to know them by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scanners.contacts import NO_VALUES, VALUE_OF, Gathering
from scanners.person_records import (
    CUSTOMER,
    LONGEST_VALUES,
    MASKED,
    NAME_VALUE,
    PERSON,
    PHONE,
    PHONE_VALUE,
    RECORD,
    SLOT_OF,
    VIRTUAL,
    WEAK,
    WEAKER,
    Values,
)
from scanners.records import Nature

MOST_NAMES: Final = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A value of a text: its line, what it is, its fingerprint. `text` is there only where a list is made."""

    line: int
    entity: str
    nature: Nature
    print: int
    text: str

    def __repr__(self) -> str:
        """Nothing of the value."""
        return f"Hit({self.entity}, {self.nature})"


class TextContacts:
    """The running text of one item, chunk by chunk."""

    def __init__(self, gathering: Gathering) -> None:
        """Begin with nobody."""
        self._gathering = gathering
        self._names: dict[int, str] = {}
        self._someone = False

    def add(self, hits: Iterable[Hit], empty_lines: Sequence[int]) -> None:
        """All values of a chunk; `empty_lines` are its lines that hold nothing, in ascending order."""
        by_line: dict[int, list[Hit]] = defaultdict(list)
        for hit in hits:
            by_line[hit.line].append(hit)
        if not by_line:
            return
        lines = np.array(sorted(by_line))
        paragraphs = np.searchsorted(np.asarray(empty_lines, np.int64), lines)
        for number in np.unique(paragraphs).tolist():
            inside = [by_line[line] for line in lines[paragraphs == number].tolist()]
            together = [hit for line in inside for hit in line]
            for entry in [together] if _is_one(together) else inside:
                self._entry(entry)

    def finish(self) -> None:
        """The item ends: names alone count if nobody else was found."""
        if not self._someone and self._names:
            bit = self._gathering.bit("PERSON")
            for print_, name in self._names.items():
                self._emit({WEAK: print_}, int(bit), PERSON, ("", "", "", name))
        self._names = {}

    def _entry(self, hits: Sequence[Hit]) -> None:
        types = 0
        for hit in hits:
            if hit.nature != "organisation" or hit.entity == "CREDENTIAL":
                types |= int(self._gathering.bit(hit.entity))
        personal = [hit for hit in hits if hit.nature == "personal"]
        contacts = [hit for hit in personal if hit.entity in SLOT_OF]
        names = [hit for hit in personal if hit.entity == "PERSON"]
        name = names[0].text if len({hit.print for hit in names}) == 1 else ""
        if contacts:
            self._someone = True
            if _is_one(hits):
                keys = {SLOT_OF[hit.entity]: hit.print for hit in reversed(contacts)}
                self._emit(keys, types, PERSON, _values(contacts, name))
            else:
                for print_, hit in {hit.print: hit for hit in contacts}.items():
                    self._emit({SLOT_OF[hit.entity]: print_}, types, PERSON, _values([hit], ""))
            return
        weak = next((hit for entity in WEAKER[:-1] for hit in personal if hit.entity == entity), None)
        lent = {hit.print for hit in hits if hit.nature == "virtual"}
        starred = {hit.print for hit in hits if hit.nature == "masked" and hit.entity in SLOT_OF}
        if weak is not None and not lent:
            self._someone = True
            self._emit({WEAK: weak.print}, types, PERSON, ("", "", "", name))
        for prints, what in ((lent, VIRTUAL), (starred if not lent else set(), MASKED)):
            for print_ in prints:
                self._emit({PHONE: print_}, types, what, NO_VALUES)
        if not lent and weak is None:
            for hit in names:
                if len(self._names) < MOST_NAMES:
                    self._names.setdefault(hit.print, hit.text[: LONGEST_VALUES[NAME_VALUE]])

    def _emit(self, keys: dict[int, int], types: int, what: int, values: Values) -> None:
        made = np.zeros(1, RECORD)
        for slot, print_ in keys.items():
            made["keys"][0, slot] = print_
        made["types"], made["side"], made["what"] = types, CUSTOMER, what
        self._gathering.add(made, [values] if self._gathering.wants_values else [])


def _is_one(hits: Sequence[Hit]) -> bool:
    """One number, one mailbox, one document at most, and one name."""
    for slot in {SLOT_OF[hit.entity] for hit in hits if hit.entity in SLOT_OF}:
        found = {hit.print for hit in hits if SLOT_OF.get(hit.entity) == slot and hit.nature != "organisation"}
        if len(found) > 1:
            return False
    return len({hit.print for hit in hits if hit.entity == "PERSON"}) <= 1


def _values(hits: Sequence[Hit], name: str) -> Values:
    values = ["", "", "", name[: LONGEST_VALUES[NAME_VALUE]]]
    for hit in reversed(hits):
        place = VALUE_OF.get(hit.entity)
        if place in (PHONE_VALUE, VALUE_OF["EMAIL_ADDRESS"]):
            values[place] = hit.text[: LONGEST_VALUES[place]]
    return values[0], values[1], values[2], values[3]
