"""Places of a store's inventory, read section by section: a store with a million of them costs no more memory than
one section of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.api.paging import Page, Slice, read_cursor, write_cursor
from central.api.shapes import PlaceShape
from central.models import Section


def sections_of(session: Session, store_id: str, first: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The sections of a store from one on, each with its places by identifier."""
    after, is_first = first, True
    while True:
        beyond = Section.section >= after if is_first else Section.section > after
        row = session.execute(
            select(Section.section, Section.document)
            .where(Section.store_id == store_id, beyond)
            .order_by(Section.section)
            .limit(1)
        ).first()
        if row is None:
            return
        after, is_first = row.section, False
        yield row.section, sorted(json.loads(row.document), key=lambda place: str(place.get("id", "")))


def places_of(
    session: Session, store_id: str, wish: Slice, *, level: int | None, state: str | None
) -> Page[PlaceShape]:
    """A page of a store's places. A cursor names a section and how far into it the last page went.

    Raises:
        ProblemError: the cursor is none of ours.
    """
    section, passed = read_cursor(wish.cursor, (str, int)) if wish.cursor else ("", 0)
    found: list[PlaceShape] = []
    for name, places in sections_of(session, store_id, section):
        for place_number, place in enumerate(places):
            if name == section and place_number < passed:
                continue
            if (level is not None and place.get("level") != level) or (state is not None and place["state"] != state):
                continue
            if len(found) == wish.limit:
                return Page(items=found, next=write_cursor((name, place_number)))
            found.append(place_shape(place))
    return Page(items=found)


def place_shape(place: dict[str, Any]) -> PlaceShape:
    """A place as answered; what an older agent did not send is empty."""
    return PlaceShape(
        id=str(place.get("id", "")), path=str(place.get("path", "")), label=str(place.get("label", "")),
        kind=str(place.get("kind", "")), level=int(place.get("level", 1)), persons=int(place.get("persons", 0)),
        state=str(place.get("state", "")), entities=[str(word) for word in place.get("entities", ())],
    )  # fmt: skip
