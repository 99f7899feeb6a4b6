"""How many different persons some incidents touch together, for pages: exact, or with its error, or only a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.models import PersonSegment
from config.text import Text

KEPT: Final = 64
ASKED: Final = 400


@dataclass(frozen=True, kw_only=True)
class Touched:
    """An incident with the persons that it touches at most."""

    store: str
    incident: str
    persons: int
    sensitive: int


@dataclass(frozen=True, kw_only=True)
class Together:
    """`persons` together. `error` is relative (0 exact); of `missing` incidents all persons are counted once more.

    `is_known` False: nobody sent what is compared, so it is the sum.
    """

    persons: int
    sensitive: int
    error: float
    missing: int
    is_known: bool

    def words(self, text: Text) -> str:
        """In a sentence, with what is uncertain about it."""
        if not self.is_known:
            return text("hq_incident.persons_unknown", persons=f"{self.persons:,}")
        if self.error:
            told = text("hq_incident.persons_sketched", persons=f"{self.persons:,}", error=f"{self.error * 100:.1f}")
        else:
            told = text("hq_incident.persons_distinct", persons=f"{self.persons:,}")
        if self.missing:
            told += " " + text("hq_incident.persons_missing", count=self.missing)
        return told


_Stamp = tuple[int, datetime | None]


class TogetherCounts:
    """Counts persons of several incidents, each once, and keeps the last results: a page that refreshes itself must not
    compare millions of marks every few seconds. A count is used again only while no new mark has come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Touched, ...], tuple[_Stamp, Together]] = OrderedDict()

    def of(self, session: Session, touched: Sequence[Touched]) -> Together:
        """Together; `session` reads."""
        key = tuple(sorted(touched, key=lambda one: (one.store, one.incident)))
        stamp = _stamp(session, key)
        with self._lock:
            known = self._kept.get(key)
            if known is not None and known[0] == stamp:
                self._kept.move_to_end(key)
                return known[1]
        found = _count(session, key)
        with self._lock:
            self._kept[key] = (stamp, found)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found


def _stamp(session: Session, touched: Sequence[Touched]) -> _Stamp:
    count, newest = 0, None
    stores = sorted({one.store for one in touched})
    for start in range(0, len(stores), ASKED):
        row = session.execute(
            select(func.count(), func.max(PersonSegment.received_at)).where(
                PersonSegment.store_id.in_(stores[start : start + ASKED])
            )
        ).one()
        count += row[0]
        newest = max(filter(None, (newest, row[1])), default=None)
    return count, newest


def _count(session: Session, touched: Sequence[Touched]) -> Together:
    from central.persons.count import distinct  # numpy with it: loaded when persons are counted

    found = distinct(session, [(one.store, one.incident) for one in touched])
    without = set(found.missing)
    added = [one for one in touched if one.store in without]
    return Together(
        persons=found.persons + sum(one.persons for one in added),
        sensitive=found.sensitive + sum(one.sensitive for one in added),
        error=found.error, missing=len(added), is_known=len(added) < len(touched),
    )  # fmt: skip
