"""One pass over an incident's files: who is in them, and what could not be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agent.incident.records import Affected
from agent.notice.never import MAIL, PHONE, Never
from agent.notice.sources import NotReadableError, opened
from config.schema import LevelPack
from scanners.levels import load_levels

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.keys import Unlocker
    from scanners.person_records import Records, Values

LARGE = 3


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A file, or a part of one, that was not read whole. `name` is masked."""

    name: str
    reason: str


OnRecords = Callable[[int, tuple[str, ...], "Records", "tuple[Values, ...]"], None]
"""Gets the number of the file, and what a worker says: see `scanners.persons.OnRecords`."""


class FilesReader:
    """Reads all files of an incident, as often as it is asked to, with one worker; a context."""

    def __init__(self, agent: Agent, items: Sequence[Affected], unlocker: Unlocker | None, run_key: bytes) -> None:
        """Start nothing yet; `unlocker` opens what is sealed."""
        from scanners.persons import PersonsReader, PersonsRequest

        self._agent = agent
        self._items = items
        self._unlocker = unlocker
        request = PersonsRequest(
            scan=agent.settings.scan, detect=agent.settings.detect, run_key=run_key,
            on_worker=lambda pid: (agent.watch.exempt(pid), None)[1],
        )  # fmt: skip
        self._reader = PersonsReader(request)

    def __enter__(self) -> Self:
        """As a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the worker."""
        self._reader.__exit__(kind, error, trace)

    def rest(self) -> None:
        """End the worker; the next reading starts another one. What joins a million persons needs its memory."""
        self._reader.__exit__(None, None, None)

    def read(
        self, on_records: OnRecords, *, values: bool = False, on_file: Callable[[int], None] = lambda _done: None
    ) -> list[Unreadable]:
        """Read each file once; what was not read whole.

        Raises:
            ClocheError: a worker does not start.
        """
        unread = []
        mask = self._agent.mask
        for number, item in enumerate(self._items):
            try:
                with opened(self._agent, item, self._unlocker) as source:
                    for part in self._reader.read(source, partial(on_records, number), values=values):
                        name = os.fsdecode(item.path + part.suffix.encode("iso-8859-1"))
                        unread.append(Unreadable(name=mask(name), reason=part.reason or "malformed"))
            except NotReadableError as error:
                unread.append(Unreadable(name=item.name, reason=error.reason))
            on_file(number + 1)
        return unread


def never_prints(never: Never, run_key: bytes) -> list[int]:
    """Fingerprints, in one run, of contacts that are no customer's."""
    from scanners.fingerprints import Fingerprints

    fingerprints = Fingerprints(run_key)
    return [fingerprints.of(entity, normal) for entity, normal in never.contacts if entity in (PHONE, MAIL)]


def sensitive_entities(pack: LevelPack) -> frozenset[str]:
    """Types that make a person's information sensitive, by the pack; packs that grade otherwise defer to GB/T 35273."""
    levels = load_levels(pack)
    if "sensitive" not in levels.names:
        levels = load_levels("gbt-35273")
    return frozenset(entity for entity, rule in levels.rules.items() if rule.grade == "sensitive")


def sensitive_together(pack: LevelPack) -> tuple[tuple[frozenset[str], ...], ...]:
    """Types that are sensitive together: the pack's records of the highest level.

    Of the last group only what has level 3 by itself: a date of birth beside a name and a number is no such record.
    """
    levels = load_levels(pack)
    found = []
    for record in levels.records:
        last = frozenset(entity for entity in record.groups[-1] if levels.rule(entity).level >= LARGE)
        if record.level == max(other.level for other in levels.records) and last:
            found.append((*record.groups[:-1], last))
    return tuple(found)
