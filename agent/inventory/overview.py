"""What people want to know of a scan, worked out from its document: who, where, the worst, what was missed.

A *place* is a file that holds more than nothing (level 2 and above): members of an archive and tables of a database
count with the file they lie in. The worst is of the highest level and, of those, has the highest score, which weighs
what is in it and how many people it concerns. Names are masked and fit for a terminal when they leave here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.console import printable
from agent.inventory.paths import file_of, unescape
from agent.inventory.subjects import names_of, records_of, subject_of_item, unit_of
from config.text import Text, load_packs
from scanners.levels import PACKS, load_levels, own_grade

SHOWN_PARTS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Part:
    """A table or member of a place that holds something."""

    name: str
    subject: str
    records: int
    persons: int
    values: int


@dataclass(frozen=True, kw_only=True)
class PlaceView:
    """A file that holds something. `path` is masked; `is_plain` says that masking changed nothing of it."""

    path: str
    is_plain: bool
    kind: str
    subject: str
    level: int
    score: float
    records: int
    persons: int
    values: int
    entities: tuple[str, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class LevelView:
    """Places of one level; people may be in several, so they are not added up over places."""

    level: int
    places: int
    values: int
    entities: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UnreadView:
    """Items not read in full for one reason, with a few of their masked paths."""

    reason: str
    status: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StandardView:
    """What one standard calls the gravest of it: `names` by language. `verified`: its clauses were read here."""

    title: str
    names: Mapping[str, str]
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything that the summary and the page show."""

    persons: int
    values: int
    sealed: int
    places: tuple[PlaceView, ...]
    levels: tuple[LevelView, ...]
    entities: tuple[tuple[str, int], ...]
    unread: tuple[UnreadView, ...]
    not_read: int
    roots: tuple[str, ...]
    standards: tuple[StandardView, ...]

    @property
    def sensitive(self) -> int:
        """Places of level 3 and above."""
        return sum(place.level >= 3 for place in self.places)


def overview(document: Mapping[str, Any], mask: Callable[[str], str]) -> Overview:
    """Work it out from a `cloche.scan/1` document.

    Args:
        document: as `scan` answers.
        mask: hides what paths and names carry.
    """
    files: dict[str, list[Mapping[str, Any]]] = {}
    for item in document["items"]:
        if item["findings"]:
            files.setdefault(file_of(item["path"]), []).append(item)
    tops = {item["path"]: item for item in document["items"] if item["path"] in files}
    places = [_place(path, tops.get(path), items, mask) for path, items in files.items()]
    places = [place for place in places if place.level > 1]
    places.sort(key=lambda place: (-place.level, -place.score, -place.persons, -place.values, place.path))
    entities: Counter[str] = Counter()
    for items in files.values():
        entities.update(_entities(items))
    unread = _unread(document["items"], mask)
    return Overview(
        persons=document["persons"],
        values=sum(entities.values()),
        sealed=sum(item["kind"] == "sealed" for item in document["items"]),
        places=tuple(places),
        levels=tuple(_levels(places)),
        entities=tuple(entities.most_common()),
        unread=unread,
        not_read=sum(group.count for group in unread),
        roots=tuple(mask(printable(root)) for root in document["roots"]),
        standards=tuple(_standards(document)),
    )


def _standards(document: Mapping[str, Any]) -> Iterable[StandardView]:
    """Each item by itself, as the standards weigh what lies together; the highest of all."""
    for name in PACKS:
        pack = load_levels(name)
        order = list(pack.names)
        grades = [
            own_grade({f["entity"] for f in item["findings"] if _is_personal(f)}, item["persons"], name)
            for item in document["items"]
        ]
        if any(grades):
            highest = max(filter(None, grades), key=order.index)
            yield StandardView(title=pack.title, names=pack.names[highest], verified=pack.verified)


def _is_personal(finding: Mapping[str, Any]) -> bool:
    """Somebody stands behind its values."""
    return bool(finding.get("nature", "personal") == "personal")


def _place(
    path: str, top: Mapping[str, Any] | None, items: list[Mapping[str, Any]], mask: Callable[[str], str]
) -> PlaceView:
    real = unescape(path.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    everything = items if top is None else [top, *items]
    fullest = max(items, key=lambda item: (item["persons"], _values([item])))
    shown = mask(printable(real))
    subject = subject_of_item(fullest, names_of(fullest))
    parts = _parts(items, mask)
    if len({part.subject for part in parts}) > 1:
        subject = ""  # a database of many things is called a database
    return PlaceView(
        path=shown,
        is_plain=shown == real,
        kind=(top or items[0])["kind"],
        subject=subject,
        level=max(item["level"] for item in everything),
        score=max(item["score"] for item in everything),
        records=records_of(fullest, subject) if subject else 0,
        persons=max(item["persons"] for item in everything),
        values=_values(items),
        entities=tuple(entity for entity, _count in _entities(items).most_common()),
        parts=parts,
    )


def _parts(items: list[Mapping[str, Any]], mask: Callable[[str], str]) -> tuple[Part, ...]:
    """The fullest tables, sheets or members, where the file has any."""
    parts: dict[str, Part] = {}
    for item in items:
        inside = re.split(r"[!#]", item["path"])[1:]
        tables: dict[str, list[Mapping[str, Any]]] = {}
        for finding in item["findings"]:
            tables.setdefault(finding["place"]["table"] or "", []).append(finding)
        for table, findings in tables.items():
            name = inside[-1] if inside else table
            if name:
                alone = item["persons"] if len(tables) == 1 else max(finding["distinct"] for finding in findings)
                shown = mask(printable(unescape(name.encode("utf-8", "replace")).decode("utf-8", "replace")))
                part = {**item, "findings": findings} if len(tables) == 1 else {"findings": findings}
                subject = subject_of_item(part, (table, name))
                parts[name] = Part(
                    name=shown, subject=subject, records=records_of(part, subject), persons=alone,
                    values=sum(finding["count"] for finding in findings),
                )  # fmt: skip
    ordered = sorted(parts.values(), key=lambda part: (-part.persons, -part.values, part.name))
    return tuple(ordered[:SHOWN_PARTS])


def _levels(places: Iterable[PlaceView]) -> Iterable[LevelView]:
    groups: dict[int, list[PlaceView]] = {}
    for place in places:
        groups.setdefault(place.level, []).append(place)
    for level in sorted(groups, reverse=True):
        seen = dict.fromkeys(entity for place in groups[level] for entity in place.entities)
        yield LevelView(
            level=level,
            places=len(groups[level]),
            values=sum(place.values for place in groups[level]),
            entities=tuple(seen),
        )


def _unread(items: Iterable[Mapping[str, Any]], mask: Callable[[str], str]) -> tuple[UnreadView, ...]:
    groups: dict[tuple[str, str], list[str]] = {}
    for item in items:
        if item["status"] in ("unread", "partial"):
            groups.setdefault((item["reason"], item["status"]), []).append(item["path"])
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(
        UnreadView(
            reason=reason, status=status, count=len(paths),
            examples=tuple(mask(printable(path)) for path in sorted(paths)[:3]),
        )
        for (reason, status), paths in ordered
    )  # fmt: skip


def _entities(items: Iterable[Mapping[str, Any]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for item in items:
        for finding in item["findings"]:
            counts[finding["entity"]] += finding["count"]
    return counts


def _values(items: Iterable[Mapping[str, Any]]) -> int:
    return sum(_entities(items).values())


@dataclass(frozen=True)
class Words:
    """Names of entities, kinds, subjects and causes in the reader's language."""

    text: Text

    def entity(self, entity: str) -> str:
        """An entity's name for people; its identifier where we have none (a national recognizer of Presidio)."""
        key = f"scan.entity_{entity}"
        return self.text(key) if key in load_packs() else entity

    def entities(self, entities: Iterable[str], most: int = 4) -> str:
        """The first few entities, in words."""
        names = [self.entity(entity) for entity in entities]
        ending = self.text("scan.others") if len(names) > most else ""
        return self.text("scan.joiner").join(names[:most]) + (f" {ending}" if ending else "")

    def kind(self, kind: str) -> str:
        """A kind of item."""
        return self.text(f"scan.kind_{kind}")

    def subject(self, subject: str, otherwise: str = "") -> str:
        """What a table is about."""
        return self.text(f"scan.place_{subject}") if subject else otherwise

    def holds(self, view: PlaceView | Part) -> str:
        """How much of it, in what one counts there: 1,204 单, 986 人."""
        unit = unit_of(view.subject)
        if unit == "guests" and view.persons:
            return self.text("scan.count_guests", count=f"{view.persons:,}")
        counted = self.counted(view)
        if not counted:
            return self.amount(view.persons, view.values)
        people = [self.amount(view.persons, 0)] if view.persons else []
        return self.text("scan.joiner").join([counted, *people])

    def counted(self, view: PlaceView | Part) -> str:
        """Rows that are no people: 1,204 单; '' where there are none."""
        return self.text(f"scan.count_{unit_of(view.subject)}", count=f"{view.records:,}") if view.records else ""

    def amount(self, persons: int, values: int) -> str:
        """How many people, or values where nobody can be told apart."""
        if persons:
            return self.text("scan.persons", count=f"{persons:,}")
        return self.text("scan.values", count=f"{values:,}")


def size_words(size: float) -> str:
    """Bytes in a unit that people read (decimal, as file managers show them)."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
