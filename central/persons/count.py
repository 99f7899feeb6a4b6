"""Distinct persons across stores: exact as long as that can be done in bounded memory, else by merged sketches.

Marks are uniform random numbers, so a range of their first word holds a known share of them: what does not fit into
memory at once is counted range by range. Persons of whom only sketches are known make the whole an estimate.

Limits, all to the safe side for a threshold of the law (nobody is left out, somebody may be counted twice): a person is
one across stores if both know the same first identity of theirs (mobile, else document, mailbox, member number); who is
known by a name alone is one a store.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.models import PersonSegment
from central.persons.keys import MARK_BYTES
from central.persons.segments import as_rows
from central.persons.sketch import ERROR, Sketch

AT_ONCE: Final = 10_000_000
"""Marks in memory together: 160 MB."""
EXACT: Final = 50_000_000
"""Marks, those of one person at several stores counted each, that are compared one by one."""
QUICK: Final = 500_000
"""Marks that are compared in less time than it is worth to remember the answer."""
_PIECES: Final = 32
_ASKED: Final = 200

Words = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Distinct:
    """How many different persons. `exact`: each was compared, and no store's part is missing.

    `error` is the relative standard error of `persons` and `sensitive`, 0 where marks were compared. `missing` names
    the store of each incident whose persons are not in it: not told yet, told in part, or under other keys.
    """

    exact: bool
    persons: int
    sensitive: int
    error: float
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A segment without its content."""

    store: str
    incident: str
    part: int
    parts: int
    round: int
    key_id: str
    persons: int
    sensitive: int
    marks: int | None
    has_sketch: bool
    received: datetime

    @property
    def is_sensitive(self) -> bool:
        """All persons of it are."""
        return 0 < self.sensitive == self.persons


_TURN: Final = threading.Lock()
_ANSWERS: Final[dict[tuple[tuple[tuple[str, str], ...], tuple[_Part, ...]], Distinct]] = {}
"""What was counted lately: the same parts of the same counts have the same answer."""
_REMEMBERED: Final = 64


def distinct(session: Session, incidents: Sequence[tuple[str, str]]) -> Distinct:
    """Count the persons of these incidents (store, incident), each once.

    Args:
        session: reads.
        incidents: of any stores; twice the same counts once.
    """
    asked = tuple(dict.fromkeys(incidents))
    found = _parts(session, asked)
    if sum(part.persons for part in found) < QUICK:
        return _count(session, asked, found)
    with _TURN:  # ten million take seconds: whoever asks the same meanwhile waits for the answer
        known = _ANSWERS.get((asked, found))
        if known is None:
            while len(_ANSWERS) >= _REMEMBERED:
                del _ANSWERS[next(iter(_ANSWERS))]
            known = _ANSWERS[asked, found] = _count(session, asked, found)
    return known


def _count(session: Session, asked: Sequence[tuple[str, str]], found: Sequence[_Part]) -> Distinct:
    parts, missing = _known(found, asked)
    mixed = sum(part.sensitive for part in parts if 0 < part.sensitive < part.persons)
    has_marks = all(part.marks == part.persons * MARK_BYTES for part in parts)
    if has_marks and sum(part.persons for part in parts) <= EXACT:
        persons = _compared(session, parts)
        sensitive = _compared(session, [part for part in parts if part.is_sensitive])
        exact = not missing and not mixed
        return Distinct(exact=exact, persons=persons, sensitive=sensitive + mixed, error=0.0, missing=tuple(missing))
    persons, without = _estimated(session, parts)
    sensitive, _ = _estimated(session, [part for part in parts if part.is_sensitive])
    missing += sorted({part.store for part in without})
    return Distinct(
        exact=False, persons=persons, sensitive=min(persons, sensitive + mixed), error=ERROR, missing=tuple(missing)
    )


def _parts(session: Session, asked: Sequence[tuple[str, str]]) -> tuple[_Part, ...]:
    row = PersonSegment
    wanted = set(asked)
    found: list[_Part] = []
    stores = sorted({store for store, _incident in asked})
    for low in range(0, len(stores), _ASKED):
        query = select(
            row.store_id, row.incident_id, row.part, row.parts, row.round, row.key_id, row.persons, row.sensitive,
            func.length(row.marks), row.sketch.is_not(None), row.received_at,
        ).where(row.store_id.in_(stores[low : low + _ASKED]))  # fmt: skip
        for row_ in session.execute(query):
            store, incident, part, parts, round_, key_id, persons, sensitive, marks, has_sketch, received = row_
            if (store, incident) in wanted:
                found.append(_Part(
                    store=store, incident=incident, part=part, parts=parts, round=round_, key_id=key_id,
                    persons=persons, sensitive=sensitive, marks=marks, has_sketch=bool(has_sketch), received=received,
                ))  # fmt: skip
    return tuple(found)


def _known(found: Iterable[_Part], asked: Sequence[tuple[str, str]]) -> tuple[list[_Part], list[str]]:
    """Parts of whole counts under the keys that most persons were told under, and the stores of all others."""
    sets: dict[tuple[str, str], list[_Part]] = {}
    for part in found:
        sets.setdefault((part.store, part.incident), []).append(part)
    whole = {
        incident: parts
        for incident, parts in sets.items()
        if len({part.round for part in parts}) == 1 and {part.part for part in parts} == set(range(parts[0].parts))
    }
    weight: dict[str, int] = {}
    for parts in whole.values():
        for part in parts:
            weight[part.key_id] = weight.get(part.key_id, 0) + part.persons + 1
    key_id = max(weight, key=lambda name: (weight[name], name), default="")
    kept = [part for parts in whole.values() for part in parts if all(one.key_id == key_id for one in parts)]
    told = {(part.store, part.incident) for part in kept}
    return kept, [store for store, incident in asked if (store, incident) not in told]


def _content(session: Session, part: _Part, *, sketch: bool) -> bytes:
    column = PersonSegment.sketch if sketch else PersonSegment.marks
    query = select(column).where(
        PersonSegment.store_id == part.store,
        PersonSegment.incident_id == part.incident,
        PersonSegment.part == part.part,
    )
    return session.scalar(query) or b""


def _compared(session: Session, parts: Sequence[_Part]) -> int:
    """Distinct marks, range by range of their first word."""
    total = sum(part.persons for part in parts)
    passes = max(1, -(-total // AT_ONCE))
    bounds = [(number << 64) // passes for number in range(passes + 1)]
    count = 0
    for low, high in pairwise(bounds):
        count += _in_range(session, parts, low, high, room=-(-total // passes))
    return count


def _in_range(session: Session, parts: Sequence[_Part], low: int, high: int, room: int) -> int:
    """Distinct marks from `low` to below `high`, in one buffer that grows only where the luck is bad."""
    held = np.empty((room + room // 64 + 1024, 2), np.uint64)
    filled = 0
    for part in parts:
        rows = as_rows(_content(session, part, sketch=False))
        first = rows[:, 0]
        start = int(np.searchsorted(first, np.uint64(low))) if low else 0
        end = int(np.searchsorted(first, np.uint64(high))) if high < 1 << 64 else len(rows)
        if filled + end - start > len(held):
            held = np.concatenate([held[:filled], np.empty((end - start + len(held) // 8, 2), np.uint64)])
        held[filled : filled + end - start] = rows[start:end]
        filled += end - start
    return _distinct(held[:filled], low, high)


def _distinct(rows: Words, low: int, high: int) -> int:
    """Distinct rows, piece by piece, so that sorting needs little beside them."""
    count = 0
    for piece in range(_PIECES):
        from_, until = low + (high - low) * piece // _PIECES, low + (high - low) * (piece + 1) // _PIECES
        chosen = rows[:, 0] >= np.uint64(from_)
        if until < 1 << 64:
            chosen &= rows[:, 0] < np.uint64(until)
        count += _distinct_sorted(rows[chosen])
    return count


def _distinct_sorted(rows: Words) -> int:
    if not len(rows):
        return 0
    rows = rows[np.argsort(rows[:, 0])]
    new = rows[1:, 0] != rows[:-1, 0]
    same = np.flatnonzero(~new)
    differing = same[rows[same + 1, 1] != rows[same, 1]]
    count = 1 + int(new.sum())
    if not len(differing):
        return count
    # two marks that begin alike and are not the same: one chance in 10^5 at ten million
    words = np.unique(rows[differing, 0])
    alike = rows[np.isin(rows[:, 0], words)]
    return count - len(words) + len(np.unique(alike, axis=0))


def _estimated(session: Session, parts: Sequence[_Part]) -> tuple[int, list[_Part]]:
    """By merged sketches; and parts that have none."""
    merged, without = Sketch(), []
    for part in parts:
        try:
            merged.merge(Sketch.unpack(_content(session, part, sketch=True)))
        except ValueError:
            without.append(part)
    return merged.count, without
