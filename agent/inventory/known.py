"""What need not be read again: files unchanged since they were read in full, with the same recipe."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import version

from agent.inventory.records import StoredItem
from agent.inventory.store import Inventory
from config.schema import Settings
from scanners.records import FileIdentity, Item


def recipe_of(settings: Settings, *, names: bool) -> str:
    """Names how files are read: whoever changes a detection setting, or installs another Cloche, reads all again."""
    limits = settings.scan.model_dump_json(include={"max_archive_depth", "max_expansion", "max_expanded_mb"})
    facts = "\n".join((version("cloche"), settings.detecting.model_dump_json(), limits, str(names)))
    return hashlib.sha256(facts.encode("utf-8")).hexdigest()[:16]


class Known:
    """Answers for a file out of the inventory, and counts how often it did. Without one it knows nothing."""

    def __init__(self, inventory: Inventory | None, recipe: str) -> None:
        self._inventory = inventory
        self._recipe = recipe
        self.used = 0

    def __call__(self, path: bytes, identity: FileIdentity) -> tuple[Item, ...] | None:
        """The file's items as read before, the file first, or None if it must be read.

        One that was renamed or has another name by now is read again, so that its members get their new names.
        """
        file = self._inventory.known(path, identity, self._recipe) if self._inventory else None
        if file is None or self._inventory is None:
            return None
        inside = [item for item in self._inventory.items_of(file.key) if item.container == path]
        if any(item.status != "read" for item in inside):
            return None
        self.used += 1
        return (replace(as_item(file), identity=identity), *(as_item(item) for item in inside))


def as_item(stored: StoredItem) -> Item:
    """A stored item as a scan would list it, without samples and keys."""
    return Item(
        path=stored.path, kind=stored.kind, status=stored.status, reason=stored.reason, encoding=stored.encoding,
        size=stored.size, level=stored.level, score=stored.score, about=stored.about, records=stored.records,
        persons=stored.persons, findings=stored.findings,
    )  # fmt: skip
