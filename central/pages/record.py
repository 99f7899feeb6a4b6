"""The record: who did what, and who looked at what; checked at a button, taken along as a table."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, or_, select
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from central.models import Act, Person, Store, View
from central.pages.doors import Doors, Fields, Shown, Visit
from central.people.record import head_of_record, verify_record
from config.errors import UsageError
from config.text import load_packs

PATH: Final = "/record"
PAGE_SIZE: Final = 100
MOST_EXPORTED: Final = 200_000


class RecordPages:
    """`/record` and what is below it."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the pages."""
        return [
            self._doors.page(PATH, record, "record"),
            self._doors.page(f"{PATH}/views", views, "record"),
            self._doors.page(f"{PATH}/record.csv", export, "record"),
            self._doors.form(f"{PATH}/verify", self.verify, "record", prepare=check),
        ]

    def verify(self, visit: Visit, fields: Fields) -> Response:
        """Say what the check found; that it was made is on record."""
        del fields
        found = visit.prepared
        told = f"whole, {found.entries} entries" if found.broken is None else f"broken at {found.broken}: {found.why}"
        visit.note("record.verified", told)
        return self._doors.show(visit, "record_verified.html", {"found": found, "refresh": 0})


def check(visit: Visit, fields: Fields) -> Any:
    """Read the whole chain, outside of the writer's transaction."""
    del fields
    visit.viewer.require("record")
    return verify_record(visit.session)


def record(visit: Visit) -> Shown:
    """Newest first, by person, store, act and day."""
    wish = _wish(visit)
    found = list(
        visit.session.scalars(
            select(Act).where(*_conditions(visit, wish, Act.id)).order_by(Act.id.desc()).limit(PAGE_SIZE + 1)
        )
    )
    shown = found[:PAGE_SIZE]
    number, head = head_of_record(visit.session)
    older = f"{PATH}?{urlencode(wish | {'before': str(shown[-1].id)})}" if len(found) > PAGE_SIZE else ""
    return "record.html", {
        "acts": shown, "names": _names(visit, {act.actor for act in shown} | _named_in(shown)),
        "stores": _store_names(visit, {act.store_id for act in shown if act.store_id}), "wish": wish, "older": older,
        "csv": f"{PATH}/record.csv?{urlencode({name: value for name, value in wish.items() if name != 'before'})}",
        "last": number, "head": head,
        "called": words_of_acts(visit.language), "refresh": 0,
    }  # fmt: skip


def views(visit: Visit) -> Shown:
    """Who looked at what, newest first."""
    wish = _wish(visit)
    conditions: list[ColumnElement[bool]] = []
    if wish["person"]:
        conditions.append(View.person_id.in_(_people_like(wish["person"])))
    if wish["store"]:
        conditions.append(
            or_(*(View.path.contains(f"/{one}", autoescape=True) for one in _stores_like(visit, wish["store"])))
        )
    conditions += _days(visit, wish, View.at)
    if wish["before"]:
        conditions.append(View.at < _moment(wish["before"]))
    found = list(visit.session.scalars(select(View).where(*conditions).order_by(View.at.desc()).limit(PAGE_SIZE + 1)))
    shown = found[:PAGE_SIZE]
    older = ""
    if len(found) > PAGE_SIZE:
        older = f"{PATH}/views?{urlencode(wish | {'before': shown[-1].at.isoformat()})}"
    return "record_views.html", {
        "views": shown, "names": _names(visit, {view.person_id for view in shown}), "wish": wish, "older": older,
        "refresh": 0,
    }  # fmt: skip


def export(visit: Visit) -> Response:
    """The record as CSV for Excel, oldest first, its head in the last line."""
    wish = _wish(visit)
    conditions = _conditions(visit, wish, Act.id)
    names = _names(visit, None)
    number, head = head_of_record(visit.session)
    sessions, zone = visit.office.sessions, visit.office.timezone
    visit.note("export", "record")

    def lines() -> Iterator[bytes]:
        yield "\ufeff".encode()
        yield _line(["number", "at", "actor", "name", "act", "store", "detail", "digest"])
        with sessions() as session:
            rows = session.execute(
                select(Act).where(*conditions).order_by(Act.id).limit(MOST_EXPORTED).execution_options(yield_per=1000)
            )
            for act in rows.scalars():
                at = act.at.astimezone(zone).isoformat(timespec="milliseconds")
                yield _line(
                    [
                        act.id,
                        at,
                        act.actor,
                        names.get(act.actor, ""),
                        act.act,
                        act.store_id or "",
                        act.detail,
                        act.digest,
                    ]
                )
        yield _line([number, "", "", "", "head", "", "", head])

    headers = {"Content-Disposition": 'attachment; filename="record.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(cells: list[object]) -> bytes:
    """A line whose cells no spreadsheet takes for a formula."""
    buffer = io.StringIO()
    safe = [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t" and cell else cell for cell in cells]
    csv.writer(buffer).writerow(safe)
    return buffer.getvalue().encode()


def _wish(visit: Visit) -> dict[str, str]:
    query = visit.request.query_params
    return {name: query.get(name, "")[:80].strip() for name in ("person", "store", "act", "first", "last", "before")}


def _conditions(visit: Visit, wish: dict[str, str], number: Any) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wish["person"]:
        named = Act.actor == wish["person"]
        conditions.append(or_(named, Act.actor.in_(_people_like(wish["person"]))))
    if wish["store"]:
        conditions.append(Act.store_id.in_(_stores_like(visit, wish["store"])))
    if wish["act"]:
        conditions.append(
            or_(Act.act.startswith(wish["act"], autoescape=True), Act.act.in_(_acts_called(visit, wish["act"])))
        )
    else:
        conditions.append(Act.act != "views")
    if wish["before"]:
        if not wish["before"].isdecimal():
            raise UsageError("hq_people.dates_wrong")
        conditions.append(number < int(wish["before"]))
    return [*conditions, *_days(visit, wish, Act.at)]


def _days(visit: Visit, wish: dict[str, str], column: Any) -> list[ColumnElement[bool]]:
    """From the first day's beginning to the last day's end, in head office's zone."""
    zone = visit.office.timezone
    conditions: list[ColumnElement[bool]] = []
    if wish["first"]:
        conditions.append(column >= datetime.combine(_day(wish["first"]), time(), zone))
    if wish["last"]:
        conditions.append(column < datetime.combine(_day(wish["last"]) + timedelta(days=1), time(), zone))
    return conditions


def _acts_called(visit: Visit, words: str) -> list[str]:
    """Acts whose name in the reader's language has these words."""
    return [act for act, called in words_of_acts(visit.language).items() if words.lower() in called.lower()]


def words_of_acts(language: str) -> dict[str, str]:
    """What the acts of the record are called; one that has no name here is shown as it is kept."""
    mark, packs = "hq_people.did_", load_packs()
    names = {key.removeprefix(mark): told[language] for key, told in packs.items() if key.startswith(mark)}
    return {_act_of(name): told for name, told in names.items()}


def _act_of(name: str) -> str:
    """The act of a text's name: `person_granted` is `person.granted`. Rooms have one word, but for `second_factor`."""
    room = "second_factor" if name.startswith("second_factor_") else name.partition("_")[0]
    rest = name.removeprefix(room).removeprefix("_")
    return f"{room}.{rest}" if rest else room


def _people_like(words: str) -> Any:
    like = Person.name.contains(words, autoescape=True)
    return select(Person.id).where(or_(Person.id == words, Person.login == words, like))


def _stores_like(visit: Visit, words: str) -> list[str]:
    like = Store.name.contains(words, autoescape=True)
    found = visit.session.scalars(select(Store.id).where(or_(Store.id == words, like)).limit(500))
    return list(found) or [words]


def _names(visit: Visit, people: set[str] | None) -> dict[str, str]:
    asked = select(Person.id, Person.name)
    if people is not None:
        asked = asked.where(Person.id.in_(people))
    return {row.id: row.name for row in visit.session.execute(asked)}


def _named_in(acts: list[Act]) -> set[str]:
    """People whose ids stand in the details."""
    return {found for act in acts for found in re.findall(r"\bp-[0-9a-z]{12}\b", act.detail)}


def _store_names(visit: Visit, stores: set[str]) -> dict[str, str]:
    return {row.id: row.name for row in visit.session.execute(select(Store.id, Store.name).where(Store.id.in_(stores)))}


def _day(told: str) -> date:
    try:
        return date.fromisoformat(told)
    except ValueError as error:
        raise UsageError("hq_people.dates_wrong") from error


def _moment(told: str) -> datetime:
    try:
        found = datetime.fromisoformat(told)
    except ValueError as error:
        raise UsageError("hq_people.dates_wrong") from error
    if found.tzinfo is None:
        raise UsageError("hq_people.dates_wrong")
    return found
