"""Duties that no incident starts, over all stores: when they are due next, as far as stores tell.

Every store tells eleven of them with each report of its health, and a chain has thousands of stores: what is decoded is
these alone, without the checks that were done when the report came in, and nothing is made of a store but its name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Text, cast, select
from sqlalchemy.orm import Session

from central.law import Standing, standing
from central.models import Snapshot, Store

NO_DAY: Final = 0
NAMED: Final = 3
"""Stores that a line names; the rest is counted."""
DAY: Final = 86_400
EPOCH: Final = date(1970, 1, 1).toordinal()


class _Duty(msgspec.Struct, frozen=True, gc=False):
    """`central.documents.StandingDuty`, as it was kept."""

    key: str
    reached: bool | None = None
    due: str | None = None
    done_at: str | None = None


class _Health(msgspec.Struct, frozen=True, gc=False):
    standing: tuple[_Duty, ...] = ()


_DECODER: Final = msgspec.json.Decoder(_Health)


class Named(NamedTuple):
    """A store that a line names; sorted as they are named."""

    name: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Coming:
    """A standing duty that some stores have to do by a day (None: they do not know a day). `named` are the first."""

    duty: Standing
    due: date | None
    stores: int
    named: tuple[Named, ...]


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """What all stores that somebody may see have to do again; `coming` by day, those without one last.

    `done` counts stores by the key of a duty that was done once; `told` of `stores` tell of such duties.
    """

    coming: tuple[Coming, ...]
    done: dict[str, int]
    told: int
    stores: int


def calendar_of(session: Session, condition: ColumnElement[bool], zone: ZoneInfo) -> Calendar:
    """The calendar of stores under a condition on `Store`, its days in `zone`."""
    known = {duty.key: duty for duty in standing()}
    told = sorted(_told(session, condition), key=itemgetter(0))
    day_of = _Days(zone)
    found: defaultdict[tuple[str, date | None], list[int]] = defaultdict(list)
    done: Counter[str] = Counter()
    for place, (_named, duties) in enumerate(told):
        for entry in duties:
            if entry.reached is False:
                continue
            if entry.done_at is not None:
                done[entry.key] += 1
            if entry.due is not None:
                found[entry.key, day_of[entry.due]].append(place)
            elif entry.reached is None or entry.done_at is None:
                found[entry.key, None].append(place)
    coming = [
        Coming(duty=known[key], due=day, stores=len(places), named=tuple(told[place][0] for place in places[:NAMED]))
        for (key, day), places in found.items()
        if key in known
    ]
    coming.sort(key=lambda item: (item.due or date.max, item.duty.key))
    return Calendar(
        coming=tuple(coming), done=done, told=sum(bool(duties) for _named, duties in told), stores=len(told)
    )  # fmt: skip


def _told(session: Session, condition: ColumnElement[bool]) -> Iterator[tuple[Named, tuple[_Duty, ...]]]:
    """Stores with their duties, in no order: the database would carry all documents through its sorting.

    What cannot be read (an older head office kept it) counts as nothing told.
    """
    rows: Any = session.execute(
        select(Store.name, Store.id, cast(Snapshot.document, Text))
        .join(Snapshot, Snapshot.store_id == Store.id)
        .where(Snapshot.kind == "health", condition)
    )
    for name, store_id, document in rows:
        try:
            yield Named(name, store_id), _DECODER.decode(document).standing
        except msgspec.DecodeError:
            yield Named(name, store_id), ()


class _Days:
    """Days of times (RFC 3339) in a zone. A hundred thousand times are not parsed: on a day of UTC the zone's next day
    begins at one minute, and the texts are compared with it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[str, tuple[str, date, date]] = {}

    def __getitem__(self, told: str) -> date:
        if told[-1] != "Z":
            told = datetime.fromisoformat(told).astimezone(UTC).isoformat()
        known = self._known.get(told[:10])
        if known is None:
            known = self._known[told[:10]] = self._day(told[:10])
        edge, before, after = known
        return before if told[11:16] < edge else after

    def _day(self, text: str) -> tuple[str, date, date]:
        begin = datetime.fromisoformat(text).replace(tzinfo=UTC)
        before = begin.astimezone(self._zone).date()
        after = before + timedelta(days=1)
        edge = datetime.combine(after, time(), self._zone).astimezone(UTC)
        return f"{edge:%H:%M}" if edge.date() == begin.date() else "24:00", before, after
