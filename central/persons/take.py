"""Take a store's part of an incident's persons in: opened before the database is asked, written in a transaction.

A later count (`round`) of an incident replaces an earlier one whole, and an earlier one that arrives late changes
nothing. What cannot be opened or contradicts itself is a fault of the report, which is kept all the same; of a part
that cannot be opened the sketch still counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeGuard

from sqlalchemy import Connection, delete, func, insert, select

from central.documents import Persons
from central.home import HeadOfficeHome
from central.models import PersonSegment
from central.moments import now
from central.persons.keys import PersonsKeys, persons_keys

if TYPE_CHECKING:  # numpy with it: loaded when a store tells of persons
    from central.persons.segments import Segment

_ROW: Final = PersonSegment.__table__


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A report of persons, opened; `segment` None and a word for what is wrong where it contradicts itself."""

    segment: Segment | None = field(repr=False)
    wrong: str | None = None


class Opener:
    """Opens what stores sealed. The keys are read once, when the first report of persons comes."""

    def __init__(self, home: HeadOfficeHome) -> None:
        self._home = home
        self._keys: PersonsKeys | None = None

    def open(self, store_id: str, document: Persons) -> Opened:
        """Open a report: a fifth of a second for the most that one holds. Threads may call it together.

        Raises:
            ClocheError: a key's file is damaged.
        """
        from central.persons.segments import SegmentError, open_segment

        if self._keys is None:
            self._keys = persons_keys(self._home)
        try:
            return Opened(segment=open_segment(self._keys, store_id, document))
        except SegmentError as error:
            return Opened(segment=None, wrong=f"{error} does not fit")


def is_persons(document: object) -> TypeGuard[Persons]:
    """Whether it has to be opened before it is taken in."""
    return isinstance(document, Persons)


def apply(connection: Connection, store_id: str, number: int, opened: Opened | Persons) -> str | None:
    """Keep a part within the caller's transaction; what is wrong with it, or None."""
    if not isinstance(opened, Opened):
        return "not opened"
    segment = opened.segment
    if segment is None:
        return opened.wrong
    mine = (_ROW.c.store_id == store_id) & (_ROW.c.incident_id == segment.incident)
    newest = connection.execute(select(func.max(_ROW.c.round)).where(mine)).scalar()
    if newest is not None and newest > segment.round:
        return None
    connection.execute(delete(_ROW).where(mine & (_ROW.c.round < segment.round)))  # type: ignore[arg-type]
    connection.execute(delete(_ROW).where(mine & (_ROW.c.part == segment.part)))  # type: ignore[arg-type]
    connection.execute(
        insert(PersonSegment).values(
            store_id=store_id, incident_id=segment.incident, part=segment.part, parts=segment.parts,
            round=segment.round, number=number, key_id=segment.key_id, persons=segment.persons,
            sensitive=segment.sensitive, received_at=now(), marks=segment.marks, sketch=segment.sketch,
        )
    )  # fmt: skip
    return None if segment.marks is not None else "sealed to other keys: only its sketch counts"
