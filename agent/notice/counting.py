"""One pass over an incident's files: who is in them, and what could not be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.incident.records import Affected
from agent.notice.never import MAIL, PHONE, Never
from agent.notice.sources import NotReadableError, opened
from config.schema import LevelPack
from scanners.levels import load_levels

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.keys import Unlocker
    from scanners.person_records import Records, Values
    from scanners.wire import Gathered

LARGE = 3


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A file, or a part of one, that was not read whole. `name` is masked."""

    name: str
    reason: str


@dataclass(kw_only=True)
class Pass:
    """What one reading of all files needs; `on_records` gets the number of the file besides what a worker says."""

    agent: Agent
    items: Sequence[Affected]
    unlocker: Unlocker | None
    run_key: bytes = field(repr=False)
    gathered: Gathered
    on_records: Callable[[int, tuple[str, ...], Records, tuple[Values, ...]], None]
    on_file: Callable[[int], None] = lambda _number: None
    unread: list[Unreadable] = field(default_factory=list)

    def run(self) -> None:
        """Read each file once.

        Raises:
            ClocheError: a worker does not start.
        """
        from scanners.persons import PersonsReader, PersonsRequest

        agent = self.agent
        number = 0

        def take(entities: tuple[str, ...], records: Records, values: tuple[Values, ...]) -> None:
            self.on_records(number, entities, records, values)

        request = PersonsRequest(
            scan=agent.settings.scan, detect=agent.settings.detect, run_key=self.run_key, gathered=self.gathered,
            on_records=take, on_worker=lambda pid: (agent.watch.exempt(pid), None)[1],
        )  # fmt: skip
        with PersonsReader(request) as reader:
            for number, item in enumerate(self.items):
                try:
                    with opened(agent, item, self.unlocker) as source:
                        for part in reader.read(source):
                            name = os.fsdecode(item.path + part.suffix.encode("iso-8859-1"))
                            self.unread.append(Unreadable(name=agent.mask(name), reason=part.reason or "malformed"))
                except NotReadableError as error:
                    self.unread.append(Unreadable(name=item.name, reason=error.reason))
                self.on_file(number + 1)


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
