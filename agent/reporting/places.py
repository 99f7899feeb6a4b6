"""What lies where, as head office sees it: files with their findings, worst first, cut into sections.

A place's identifier is a keyed digest of its path; the key stays on the store, for a digest of a path could be tried
like any other low-entropy value. A section holds the places whose identifiers begin alike and is told whole, so that
neither the order of reports nor a repeated one can spoil it, and only sections that changed are told.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from agent.console import printable
from agent.inventory.document import stored_document
from agent.inventory.models import AlertRow, ItemRow, RunRow
from agent.inventory.overview import Words
from agent.inventory.records import StoredItem
from agent.inventory.subjects import names_of, subject_of_item
from config.errors import ClocheError
from containment.atomic import create_file

if TYPE_CHECKING:
    from agent.wiring import Agent

MOST: Final = 10_000
"""Places that are told one by one; all are counted."""
KEY: Final = "places.key"
KEY_BYTES: Final = 32
MOST_CAUSES: Final = 64
MOST_GROUPS: Final = 256
MOST_ENTITIES: Final = 64
LONGEST_PATH: Final = 400
REMEMBERED: Final = 4 * MOST


@dataclass(kw_only=True)
class _Place:
    """A file with what was found in it, in its members and its tables."""

    path: bytes
    kind: str
    state: str
    level: int = 1
    persons: int = 0
    entities: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Anybody who may read the file reads the customers."""
        return self.state == "plain"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All that the inventory says. `sections` by the first two digits of their places' identifiers."""

    places: int
    sealed: int
    exposed: int
    causes: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    sections: dict[str, list[dict[str, Any]]] = field(repr=False)
    omitted: int

    def digests(self) -> dict[str, str]:
        """Digest of each section."""
        return {name: section_digest(places) for name, places in self.sections.items()}


def section_digest(places: list[dict[str, Any]]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a section's canonical JSON (sorted keys, no blanks)."""
    text = json.dumps(places, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def draw(agent: Agent) -> Picture:
    """The picture as it is now: reads the whole inventory.

    Raises:
        ClocheError: the inventory cannot be read, or there is no key for identifiers.
    """
    places: dict[bytes, _Place] = {}
    kinds: dict[bytes, str] = {}
    causes: Counter[str] = Counter()
    for item in agent.inventory.items():
        if item.state == "gone":
            continue
        if item.container is None:
            kinds[item.path] = item.kind
        if item.status in ("unread", "partial") and item.state == "plain":
            causes[item.reason or item.status] += 1
        if item.findings:
            _add(places, item)
    for place in places.values():
        place.kind = kinds.get(place.path, place.kind)
    return Picture(
        places=len(places),
        sealed=sum(place.state in ("sealed", "vault") for place in places.values()),
        exposed=sum(place.is_open for place in places.values()),
        causes=[{"reason": reason, "items": count} for reason, count in causes.most_common(MOST_CAUSES)],
        groups=_groups(places.values())[:MOST_GROUPS],
        sections=_sections(agent, places.values()),
        omitted=max(0, len(places) - MOST),
    )


def moment_of(agent: Agent) -> str:
    """Says whether the inventory may have changed since: cheap, and the same as long as nothing did.

    Runs, how many items are in which state, and what tells one set of them from another.
    """
    totals = select(
        ItemRow.state, func.count(), func.sum(ItemRow.id), func.sum(ItemRow.persons), func.sum(ItemRow.level)
    )
    with agent.inventory.reading() as session:
        runs = session.execute(select(func.max(RunRow.id), func.max(RunRow.ended_at))).one()
        states = session.execute(totals.group_by(ItemRow.state).order_by(ItemRow.state)).all()
        alerts = session.scalar(select(func.max(AlertRow.id)))
    facts = [str(runs), [list(row) for row in states], alerts, agent.text.language, version("cloche")]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:32]


def _add(places: dict[bytes, _Place], item: StoredItem) -> None:
    """Count an item with the file it lies in; persons of its parts may overlap, so the fullest part counts."""
    path = item.container or item.path
    place = places.setdefault(path, _Place(path=path, kind=item.kind, state=item.state))
    place.level, place.persons = max(place.level, item.level), max(place.persons, item.persons)
    place.entities.update(item.entities)
    document = stored_document(item)
    place.subjects.add(subject_of_item(document, names_of(document)))


def _groups(places: Iterable[_Place]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, int], Counter[str]] = {}
    for place in places:
        sealed = int(place.state in ("sealed", "vault"))
        groups.setdefault((place.kind, place.level), Counter()).update(items=1, persons=place.persons, sealed=sealed)
    return [
        {
            "kind": kind, "level": level, "items": count["items"], "persons": count["persons"],
            "sealed": count["sealed"],
        }
        for (kind, level), count in sorted(groups.items(), key=lambda entry: (-entry[0][1], -entry[1]["persons"]))
    ]  # fmt: skip


def _sections(agent: Agent, places: Iterable[_Place]) -> dict[str, list[dict[str, Any]]]:
    worst = heapq.nsmallest(
        MOST, places, key=lambda place: (not place.is_open, -place.level, -place.persons, place.path)
    )
    key, words = _key(agent), Words(agent.text)
    if len(agent.reporting.masked) > REMEMBERED:
        agent.reporting.masked.clear()
    sections: dict[str, list[dict[str, Any]]] = {}
    for place in worst:
        name = place_id(key, place.path)
        subject = next(iter(place.subjects)) if len(place.subjects) == 1 else ""
        sections.setdefault(name[:2], []).append({
            "id": name, "path": _masked(agent, place.path), "label": agent.mask(words.subject(subject))[:LONGEST_PATH],
            "kind": place.kind, "level": place.level, "persons": place.persons, "state": place.state,
            "entities": sorted(place.entities)[:MOST_ENTITIES],
        })  # fmt: skip
    return {name: sorted(sections[name], key=lambda place: str(place["id"])) for name in sorted(sections)}


def place_id(key: bytes, path: bytes) -> str:
    """A place's identifier: a keyed digest, 16 hexadecimal digits."""
    return hmac.digest(key, path, hashlib.sha256).hex()[:16]


def paths_of(agent: Agent, wanted: Iterable[str]) -> dict[str, bytes]:
    """The paths behind identifiers that head office names; what is not there (any more) is left out.

    Raises:
        ClocheError: the inventory cannot be read.
    """
    names, key = set(wanted), _key(agent)
    found: dict[str, bytes] = {}
    for item in agent.inventory.items():
        path = item.container or item.path
        if item.state != "gone" and item.findings and path not in found.values():
            name = place_id(key, path)
            if name in names:
                found[name] = path
    return found


def _masked(agent: Agent, path: bytes) -> str:
    known = agent.reporting.masked.get(path)
    if known is None:
        known = agent.reporting.masked[path] = agent.mask(printable(path))[:LONGEST_PATH]
    return known


def _key(agent: Agent) -> bytes:
    """The key of identifiers, made when first needed.

    Raises:
        ClocheError: the file is no key.
    """
    path = agent.home.keys / KEY
    try:
        if not path.exists():
            agent.home.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                create_file(path, secrets.token_bytes(KEY_BYTES), 0o600)
        key = path.read_bytes()
    except OSError as error:
        raise ClocheError(f"{path}: cannot be read or made: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise ClocheError(f"{path}: not a key ({len(key)} bytes where {KEY_BYTES} belong)")
    return key
