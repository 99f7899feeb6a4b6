"""The record of what was done at head office: append-only, each entry chained to the one before.

`digest` of an entry is SHA-256 over the digest before it and the entry's fields as JSON: an entry that was changed,
removed or put in between shows at the next one. An act is written when its transaction commits, not before: what was
undone is not on record, and the chain is held only for the moment of the commit, so several processes may write to one
database. Limit: whoever can write to the database can write a whole new chain or cut its tail; its head stands on
every export, which is kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, event, func, insert, select, text, update
from sqlalchemy.orm import Session, SessionTransaction

from central.models import Act, Fact, View
from central.moments import now

CHAIN_LOCK: Final = 0x436C6F636865  # of PostgreSQL's advisory locks: any number that nobody else takes
_WAITING: Final = "cloche.acts"
_MARKS: Final = "cloche.acts.marks"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An act that is not chained yet."""

    at: datetime
    actor: str
    act: str
    detail: str
    store_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What a check of the record found: `broken` is the first entry that does not fit, `why` one of changed,
    missing and views."""

    entries: int
    head: str
    broken: int | None = None
    why: str = ""


def note_act(session: Session, actor: str, act: str, detail: str = "", *, store_id: str | None = None) -> None:
    """Record what somebody did; `actor` is a person's id, an address or `cloche-hq`. Written at the commit."""
    if not session.in_transaction():
        session.begin()
    entry = Entry(
        at=now(), actor=plain(actor, 120), act=plain(act, 40), detail=plain(detail, 300), store_id=store_id
    )  # fmt: skip
    session.info.setdefault(_WAITING, []).append(entry)


def append_acts(connection: Connection, entries: Sequence[Entry]) -> None:
    """Chain acts to the record, inside the connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CHAIN_LOCK})
    else:  # changes nothing, and takes SQLite's one write lock before the last entry is read
        connection.execute(update(Act).where(Act.id == -1).values(act=""))
    last = connection.execute(select(Act.id, Act.digest).order_by(Act.id.desc()).limit(1)).one_or_none()
    number, digest = (last.id, last.digest) if last else (0, "")
    rows: list[dict[str, Any]] = []
    for entry in entries:
        number += 1
        digest = entry_digest(digest, number, entry)
        rows.append(
            {
                "id": number, "at": entry.at, "actor": entry.actor, "act": entry.act, "store_id": entry.store_id,
                "detail": entry.detail, "digest": digest,
            }
        )  # fmt: skip
    connection.execute(insert(Act), rows)


def entry_digest(before: str, number: int, entry: Entry | Act) -> str:
    """The digest that belongs to an entry after one with digest `before`."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [before, number, at, entry.actor, entry.act, entry.store_id, entry.detail]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def view_rows_digest(rows: Sequence[tuple[str, datetime, str, str]]) -> str:
    """The digest of views (id, time, person, path) in the order of their ids."""
    told = [[one, at.astimezone(UTC).isoformat(timespec="microseconds"), who, path] for one, at, who, path in rows]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def verify_record(session: Session) -> Verified:
    """Check the whole chain, and the views that its acts `views` stand for."""
    number, digest = 0, ""
    views: list[tuple[int, str]] = []
    asked = select(Act).order_by(Act.id).execution_options(yield_per=1000, populate_existing=True)
    with session.execute(asked) as acts:
        for act in acts.scalars():
            if act.id != number + 1:
                return Verified(entries=number, head=digest, broken=number + 1, why="missing")
            number, digest = act.id, entry_digest(digest, act.id, act)
            if digest != act.digest:
                return Verified(entries=number, head=digest, broken=number, why="changed")
            if act.act == "views":
                views.append((act.id, act.detail))
            session.expunge(act)
    total = 0
    for place, detail in views:
        flush, count, told = [*detail.split(" "), "", ""][:3]
        expected = view_ids(flush, int(count) if count.isdecimal() else 0)
        total += len(expected)
        if view_rows_digest(_view_rows(session, expected)) != told:
            return Verified(entries=number, head=digest, broken=place, why="views")
    kept = session.scalar(select(func.count()).select_from(View)) or 0
    if kept > total and head_of_record(session)[0] == number:  # some that no act stands for
        return Verified(entries=number, head=digest, broken=number, why="views")
    return Verified(entries=number, head=digest)


def view_ids(flush: str, count: int) -> list[str]:
    """The ids of the views that were written together."""
    return [f"{flush}-{place:05d}" for place in range(count)]


def _view_rows(session: Session, ids: Sequence[str]) -> list[tuple[str, datetime, str, str]]:
    """Those of them that are there, in the order of their ids."""
    rows: list[tuple[str, datetime, str, str]] = []
    for start in range(0, len(ids), 500):
        asked = select(View.id, View.at, View.person_id, View.path).where(View.id.in_(ids[start : start + 500]))
        rows += [(row.id, row.at, row.person_id, row.path) for row in session.execute(asked)]
    return sorted(rows)


def head_of_record(session: Session) -> tuple[int, str]:
    """Number and digest of the last entry; (0, '') of an empty record."""
    last = session.execute(select(Act.id, Act.digest).order_by(Act.id.desc()).limit(1)).one_or_none()
    return (last.id, last.digest) if last else (0, "")


def read_fact(session: Session, key: str, default: str) -> str:
    """A setting of this head office."""
    fact = session.get(Fact, key)
    return fact.value if fact else default


def read_zone(session: Session) -> ZoneInfo:
    """The time zone where head office is."""
    return ZoneInfo(read_fact(session, "timezone", "Asia/Shanghai"))


def plain(words: str, most: int) -> str:
    """Text of one line without control characters, at most `most` characters."""
    return "".join(letter if letter.isprintable() else " " for letter in words)[:most]


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    """Chain what waits; savepoints wait for the transaction around them."""
    if session.in_nested_transaction():
        return
    waiting = session.info.pop(_WAITING, None)
    if waiting:
        session.flush()
        append_acts(session.connection(), waiting)


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info[_MARKS][transaction] = len(session.info.get(_WAITING, ()))
    else:
        session.info[_MARKS] = {}


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """What was undone is not on record."""
    del session.info.get(_WAITING, [])[session.info.get(_MARKS, {}).get(transaction, 0) :]
