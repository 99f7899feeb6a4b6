"""Stores from a table: `name, entity, region`, by comma or, as copied from a spreadsheet, by tab.

Entities and regions stand there by name or id and have to be known. Every line becomes a store that has not enrolled
yet, with a token. With the first line that does not fit nothing of it is done; all lines that do not are named.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.models import Entity, Region, Store
from central.moments import now
from central.people.record import note_act
from central.people.rights import Viewer
from central.stores.enrol import ForStore, make_token
from central.stores.register import TOKEN_LASTS, administered, name_of, new_store
from central.tables import Columns, TableError, read_table
from config.errors import ClocheError, RefusedError, UsageError

COLUMNS: Final = Columns(
    names=("name", "entity", "region"),
    most_lines=5000,
    aliases={"门店": "name", "名称": "name", "法人": "entity", "主体": "entity", "区域": "region"},
)
MOST_NAMED: Final = 20
TOKEN_COLUMNS: Final = ("name", "store", "token", "expires_at")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A store that was added, and its token, which is shown once."""

    store_id: str
    name: str
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Importing:
    """With what tokens are made, how long they work, and how an error is said to the one who imports."""

    pin: bytes
    lasts: timedelta = TOKEN_LASTS
    words: Callable[[str], str] = str


def import_stores(session: Session, by: Viewer, table: str, importing: Importing) -> list[Arrival]:
    """Add the stores of a table.

    Raises:
        UsageError: the heading or lines do not fit; their numbers and why.
        RefusedError: they are not theirs to add.
    """
    rows = _read(table, importing.words)
    entities = _names(session, Entity)
    regions = _names(session, Region)
    known = set(session.scalars(select(Store.name)))
    wrong: list[str] = []
    chosen: list[tuple[str, str | None, str | None]] = []
    for number, row in rows:
        name = row["name"]
        try:
            name = name_of(name)
            chosen.append((name, _find(entities, row["entity"], "entity"), _find(regions, row["region"], "region")))
            if name in known:
                raise UsageError("hq_register.name_taken")
            known.add(name)
        except ClocheError as error:
            wrong.append(f"{number}: {importing.words(str(error))}")
    if wrong:
        more = f" (+{len(wrong) - MOST_NAMED})" if len(wrong) > MOST_NAMED else ""
        raise UsageError("; ".join(wrong[:MOST_NAMED]) + more)
    moment = now()
    stores = [new_store(name, entity_id=entity, region_id=region) for name, entity, region in chosen]
    session.add_all(stores)
    session.flush()
    added = [store.id for store in stores]
    theirs = select(func.count()).select_from(Store).where(Store.id.in_(added), administered(by))
    if session.scalar(theirs) != len(added):
        raise RefusedError("stores")
    arrivals = []
    for store in stores:
        note_act(session, by.person_id, "store.added", store.name, store_id=store.id)
        token, _row = make_token(
            session, importing.pin, lasts=importing.lasts, whom=ForStore(store_id=store.id), actor=by.person_id
        )
        arrivals.append(Arrival(store_id=store.id, name=store.name, token=token, expires_at=moment + importing.lasts))
    session.flush()
    return arrivals


def as_csv(arrivals: Iterable[Arrival]) -> bytes:
    """Tokens as a table that spreadsheets open (UTF-8 with a mark); a name is never taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(TOKEN_COLUMNS)
    for one in arrivals:
        name = f"'{one.name}" if one.name.startswith(_FORMULA) else one.name
        writer.writerow([name, one.store_id, one.token, one.expires_at.isoformat(timespec="seconds")])
    return text.getvalue().encode("utf-8-sig")


def _read(table: str, words: Callable[[str], str]) -> list[tuple[int, dict[str, str]]]:
    try:
        return read_table(table, COLUMNS)
    except TableError as error:
        raise UsageError(error.said(words, COLUMNS)) from error


def _names(session: Session, table: type[Entity | Region]) -> dict[str, str]:
    """Ids by name and by id."""
    found = {row.name: row.id for row in session.execute(select(table.id, table.name))}
    return found | {identifier: identifier for identifier in found.values()}


def _find(known: dict[str, str], told: str, what: str) -> str | None:
    if not told:
        return None
    if told not in known:
        raise UsageError(f"hq_register.no_{what}")
    return known[told]
