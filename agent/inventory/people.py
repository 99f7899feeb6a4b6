"""How many people a file concerns, and the whole scan: each counted once.

Person keys are fingerprints under a key of this run. They are joined here, in memory, and go with the scan: nothing
of them is written, and two runs cannot be compared by them. A file whose results are taken from the inventory brings
a number instead of keys; such numbers are added up, so the whole is an upper bound then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from agent.inventory.paths import container_of
from scanners.records import Item


@dataclass(frozen=True, kw_only=True)
class FileGroup:
    """A file and what lies in it, the file first."""

    items: tuple[Item, ...]

    @property
    def file(self) -> Item:
        """The file itself."""
        return self.items[0]

    @cached_property
    def person_keys(self) -> frozenset[int]:
        """Of the file and everything in it."""
        return frozenset().union(*(item.person_keys for item in self.items))

    @property
    def persons(self) -> int:
        """Distinct persons in the file, whatever table or member they are in."""
        return max(len(self.person_keys), *(item.persons for item in self.items), 0)

    def persons_of(self, item: Item) -> int:
        """Of the whole file for the file, else of the one member or table."""
        return self.persons if item is self.file else item.persons

    def container_of(self, item: Item) -> bytes | None:
        """The file's path for what lies in it, None for the file."""
        return None if item is self.file else self.file.path

    def with_persons(self, item: Item) -> Item:
        """The item as it is recorded."""
        return replace(item, persons=self.persons_of(item))


class People:
    """Everybody met in a scan, each once."""

    def __init__(self) -> None:
        self._keys: set[int] = set()
        self._unkeyed = 0

    def add(self, group: FileGroup) -> None:
        """Take a file's people."""
        if group.person_keys:
            self._keys |= group.person_keys
        else:
            self._unkeyed += group.persons

    @property
    def count(self) -> int:
        """How many so far."""
        return len(self._keys) + self._unkeyed


def by_file(items: Iterable[Item]) -> Iterator[FileGroup]:
    """Group a scan's items, which come as a file followed by what lies in it."""
    group: list[Item] = []
    for item in items:
        if group and container_of(item, group[0].path) is None:
            yield FileGroup(items=tuple(group))
            group = []
        group.append(item)
    if group:
        yield FileGroup(items=tuple(group))
