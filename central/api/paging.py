"""Pages of a long list, by cursor: where the last page ended, not how many came before.

A cursor is the sort key of the last row in base64url. It only moves the start within what the caller may see: the
conditions of the question hold on every page, so a made-up cursor shows nothing more. Rows that come or go between
two pages are neither shown twice nor hide others, for the key does not count places.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from central.api.problems import ProblemError
from central.wire import decode, encode

MOST: Final = 500
LARGEST: Final = 2**63 - 1
Item = TypeVar("Item")
Key = tuple[InstrumentedAttribute[Any] | ColumnElement[Any], bool, type]
"""Column, whether it falls, and the type of its values in a cursor."""


class Page(BaseModel, Generic[Item]):
    """Some rows, and where to go on: pass `next` as `cursor`; null means that this was the last page."""

    items: list[Item]
    next: str | None = None


Cursor = Annotated[str | None, Query(max_length=600, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="rows on a page")]


@dataclass(frozen=True)
class Slice:
    """Which page of a list, by the query of a request."""

    cursor: Cursor = None
    limit: Limit = 100


Sliced = Annotated[Slice, Depends()]


@dataclass(frozen=True, kw_only=True)
class Pager:
    """How a list is sorted: by columns that together name a row."""

    keys: Sequence[Key]

    def read(self, session: Session, query: Any, wish: Slice) -> tuple[list[Any], str | None]:
        """A page of rows, and the next cursor. The key's columns are added to each row's end.

        Raises:
            ProblemError: the cursor is none of ours.
        """
        columns = [column for column, _falls, _kind in self.keys]
        order = [column.desc() if falls else column.asc() for column, falls, _kind in self.keys]
        if wish.cursor:
            query = query.where(self._after(read_cursor(wish.cursor, [kind for _column, _falls, kind in self.keys])))
        rows: list[Any] = list(session.execute(query.add_columns(*columns).order_by(*order).limit(wish.limit + 1)))
        if len(rows) <= wish.limit:
            return rows, None
        return rows[: wish.limit], write_cursor(rows[wish.limit - 1][-len(columns) :])

    def _after(self, values: list[Any]) -> ColumnElement[bool]:
        """Rows behind those values: (a > x) or (a = x and b > y) …"""
        parts: list[ColumnElement[bool]] = []
        for place, (column, falls, _kind) in enumerate(self.keys):
            same = [before == values[at] for at, (before, _falls, _type) in enumerate(self.keys[:place])]
            parts.append(and_(*same, column < values[place] if falls else column > values[place]))
        return or_(*parts)


def write_cursor(values: Sequence[Any]) -> str:
    """A cursor for a key."""
    plain = [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in values]
    return encode(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode())


def read_cursor(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The key of a cursor.

    Raises:
        ProblemError: it is none of ours.
    """
    try:
        values = json.loads(decode(cursor))
        if not isinstance(values, list) or len(values) != len(kinds):
            raise ValueError("length")
        return [_value(value, kind) for value, kind in zip(values, kinds, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProblemError(400, "cursor", "the cursor is none that this list gave") from error


def _value(value: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("zone")
        return moment.astimezone(UTC)
    if isinstance(value, int) and kind is int and not isinstance(value, bool) and abs(value) <= LARGEST:
        return value
    if isinstance(value, str) and kind is str and "\0" not in value:
        value.encode()  # a lone surrogate is no text
        return value
    raise ValueError("type")


def page_of(rows: list[Any], cursor: str | None, shape: Callable[[Any], Item]) -> Page[Item]:
    """A page of shapes; each row's first column is handed to `shape` alone, or the row where it has more."""
    return Page(items=[shape(row) for row in rows], next=cursor)
