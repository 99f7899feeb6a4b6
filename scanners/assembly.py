"""Put a file's item and the items in it together, from what a worker said.

A container tells the whole: its level and score are the highest of what is in it, its persons are counted once each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from scanners.discover import Found
from scanners.records import Item, Reason
from scanners.wire import ItemMessage


def assemble(found: Found, messages: Sequence[tuple[ItemMessage, frozenset[int]]], failure: Reason) -> list[Item]:
    """The items of one listed path: the file first, the rest in the order of listing.

    Args:
        failure: why the file as a whole was not (or not surely) read; '' if it was.
    """
    items: dict[str, Item] = {}
    for message, keys in sorted(messages, key=lambda pair: pair[0].order):
        suffix = message.suffix
        repeat = 1
        while suffix in items:  # an archive may have two members of one name
            repeat += 1
            suffix = f"{message.suffix}%7E{repeat}"
        items[suffix] = _item(found, message, suffix, keys)
    top = items.pop("", None) or _missing(found, failure, some=bool(items))
    if failure and top.status == "read":
        top = replace(top, status="partial", reason=failure)
    _roll_up(items)
    whole = _total(top, list(items.values()))
    return [whole, *items.values()]


def _item(found: Found, message: ItemMessage, suffix: str, keys: frozenset[int]) -> Item:
    return Item(
        path=found.path + suffix.encode("iso-8859-1"),
        kind=message.kind,
        status=message.status,
        reason=message.reason,
        encoding=message.encoding,
        size=found.identity.size if not suffix and found.identity else message.size,
        level=message.level,
        score=message.score,
        about=message.about,
        records=message.records,
        persons=message.persons,
        findings=tuple(finding.record() for finding in message.findings),
        identity=None if suffix else found.identity,
        person_keys=keys,
    )


def _missing(found: Found, failure: Reason, *, some: bool) -> Item:
    """The file's own item where no worker told of it."""
    if found.descriptor < 0:
        return Item(
            path=found.path,
            kind=found.kind,
            status=found.status,
            reason=found.reason,
            size=found.identity.size if found.identity else 0,
            identity=found.identity,
        )
    return Item(
        path=found.path,
        kind="other",
        status="partial" if some else "unread",
        reason=failure or "crashed",
        size=found.identity.size if found.identity else 0,
        identity=found.identity,
    )


def _roll_up(items: dict[str, Item]) -> None:
    """Containers within the file get what is in them."""
    inside: dict[str, list[Item]] = {}
    for suffix, item in items.items():
        for mark in re.finditer(r"[!#]", suffix[1:]):
            inside.setdefault(suffix[: mark.start() + 1], []).append(item)
    for suffix, parts in inside.items():
        if suffix in items:
            items[suffix] = _total(items[suffix], parts)


def _total(item: Item, parts: Sequence[Item]) -> Item:
    if not parts:
        return item
    keys = item.person_keys.union(*(part.person_keys for part in parts))
    return replace(
        item,
        level=max(item.level, *(part.level for part in parts)),
        score=max(item.score, *(part.score for part in parts)),
        persons=max(len(keys), item.persons, *(part.persons for part in parts)),
        person_keys=keys,
    )
