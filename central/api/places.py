"""Places of a store's inventory, read section by section: a store with a million of them costs no more memory than
one section of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from central.api.paging import Page, Slice, read_cursor, write_cursor
from central.api.shapes import PlaceShape
from central.models import Section

WHOLE: Final = ("all", "*")
"""Sections that hold places whatever their identifiers begin with (`central.models.Section`)."""


def sections_of(session: Session, store_id: str, first: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The sections of a store that may hold places from the digit `first` on, each with its places by identifier."""
    wanted = or_(Section.section >= first, Section.section.in_(WHOLE))
    after = ""
    while True:
        row = session.execute(
            select(Section.section, Section.document)
            .where(Section.store_id == store_id, Section.section > after, wanted)
            .order_by(Section.section)
            .limit(1)
        ).first()
        if row is None:
            return
        after = row.section
        yield row.section, sorted(msgspec.json.decode(row.document), key=lambda place: str(place.get("id", "")))


def places_of(
    session: Session, store_id: str, wish: Slice, *, level: int | None, state: str | None
) -> Page[PlaceShape]:
    """A page of a store's places. A cursor names the last place, so it stands when sections are cut anew; of places
    of an older agent, which have no names, it says how many were passed.

    Raises:
        ProblemError: the cursor is none of ours.
    """
    last, passed = read_cursor(wish.cursor, (str, int)) if wish.cursor else ("", 0)
    found: list[PlaceShape] = []
    unnamed = 0
    for _section, places in sections_of(session, store_id, last[:1]):
        for place in places:
            name = str(place.get("id", ""))
            unnamed += not name
            if name <= last if name else (bool(last) or unnamed <= passed):
                continue
            if (level is not None and place.get("level") != level) or (
                state is not None and place.get("state") != state
            ):
                continue
            if len(found) == wish.limit:
                return Page(items=found, next=write_cursor((found[-1].id, unnamed - (not name))))
            found.append(place_shape(place))
    return Page(items=found)


def place_shape(place: dict[str, Any]) -> PlaceShape:
    """A place as answered; what an older agent did not send is empty."""
    return PlaceShape(
        id=str(place.get("id", "")), path=str(place.get("path", "")), label=str(place.get("label", "")),
        kind=str(place.get("kind", "")), level=int(place.get("level", 1)), persons=int(place.get("persons", 0)),
        state=str(place.get("state", "")), entities=[str(word) for word in place.get("entities", ())],
    )  # fmt: skip
