"""The lawyer's page: what is due, to whom, until when and what is missing, over all stores; and what comes again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

import msgspec
from sqlalchemy import Text as SqlText
from sqlalchemy import cast as as_sql
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from central.api.exports.writing import MEDIA, as_csv
from central.documents import Part, StandingDuty
from central.law import Standing, standing
from central.models import Snapshot, Store
from central.moments import now
from central.pages.doors import Doors, Visit
from central.pages.duties import SHOWS, DutyLine, Show, all_lines, chosen, missing_words
from central.pages.paging import page_of
from config.text import Language, Text

LINES: Final = 60
NAMED: Final = 3
COLUMNS: Final = (
    "entity", "code", "province", "duty", "regime", "office", "state", "deadline", "submitted", "missing", "stores",
    "incidents", "case", "verified", "source",
)  # fmt: skip


def routes(doors: Doors) -> list[Route]:
    """Paths of the lawyer's pages."""
    return [doors.page("/law", what_is_due, "law"), doors.page("/law.csv", as_file, "law"),
            doors.page("/law/standing", what_comes_again, "law")]  # fmt: skip


def _asked(request: Request) -> tuple[Show, str]:
    show = request.query_params.get("show", "due")
    return (show if show in SHOWS else "due"), request.query_params.get("entity", "")[:200]


def what_is_due(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Duties of incidents."""
    language, moment = cast("Language", visit.language), now()
    show, entity = _asked(visit.request)
    every = all_lines(visit.session, visit.viewer, language, moment)
    entities = sorted({line.entity for line in every if line.entity})
    of_entity = [line for line in every if not entity or line.entity == entity]
    lines = chosen(of_entity, show, moment, visit.office.timezone)
    paging = page_of(visit.request, len(lines), size=LINES)
    return "law.html", {
        "lines": [(line, missing_words(line, language)) for line in lines[paging.offset : paging.offset + paging.size]],
        "paging": paging,
        "shows": [(name, len(chosen(of_entity, name, moment, visit.office.timezone))) for name in SHOWS],
        "show": show,
        "entities": entities,
        "entity": entity,
        "overdue": sum(line.clock.state == "over" for line in every),
        "refresh": 30,
    }


def as_file(visit: Visit) -> StreamingResponse:
    """The chosen lines as CSV."""
    language, moment = cast("Language", visit.language), now()
    text = Text(language)
    show, entity = _asked(visit.request)
    every = all_lines(visit.session, visit.viewer, language, moment)
    lines = chosen([line for line in every if not entity or line.entity == entity], show, moment, visit.office.timezone)
    visit.note("export", f"law.csv {show} ({len(lines)})")
    headings = [text(f"hq_law.column_{name}") for name in COLUMNS]
    content = as_csv(headings, [_row(line, text) for line in lines], visit.office.timezone)
    name = f"law-{moment.astimezone(visit.office.timezone):%Y%m%d-%H%M}.csv"
    return StreamingResponse(
        content, media_type=MEDIA["csv"], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _row(line: DutyLine, text: Text) -> tuple[Any, ...]:
    clock = line.clock
    return (
        line.entity, line.code, line.province, clock.title, clock.regime, line.office,
        clock.words or text(f"hq_incident.clock_{clock.state}"), clock.deadline,
        max((entry.at for entry in line.submissions), default=clock.submitted_at),
        text("hq.comma").join(missing_words(line, text.language)),
        text("hq.comma").join(sorted({told.store.name for told in line.told})),
        text("hq.comma").join(told.incident.id for told in line.told), line.case_id or "",
        text("hq_law.yes" if clock.verified else "hq_incident.unverified"), f"{clock.source} ({clock.date})",
    )  # fmt: skip


class _Standing(Part, frozen=True, kw_only=True):
    """The part of a health report that is about standing duties."""

    standing: tuple[StandingDuty, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Coming:
    """A standing duty that some stores have to do by a day (None: they do not know a day)."""

    duty: Standing
    due: date | None
    stores: tuple[Store, ...]
    is_over: bool


def what_comes_again(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Duties that no incident starts: when they are due next, as far as stores tell."""
    session, today = visit.session, now().astimezone(visit.office.timezone).date()
    rows = session.execute(
        select(Store, as_sql(Snapshot.document, SqlText))
        .join(Snapshot, Snapshot.store_id == Store.id)
        .where(Snapshot.kind == "health", visit.viewer.visible("law"))
        .order_by(Store.name)
    ).all()
    known = {duty.key: duty for duty in standing()}
    found: dict[tuple[str, date | None], list[Store]] = defaultdict(list)
    done: dict[str, int] = defaultdict(int)
    told = 0
    for store, document in rows:
        health = msgspec.json.decode(document, type=_Standing)
        told += bool(health.standing)
        for entry in health.standing:
            if entry.key not in known or entry.reached is False:
                continue
            done[entry.key] += entry.done_at is not None
            due = entry.due.astimezone(visit.office.timezone).date() if entry.due else None
            if due is not None or entry.reached is None or entry.done_at is None:
                found[entry.key, due].append(store)
    coming = [
        Coming(duty=known[key], due=due, stores=tuple(stores), is_over=due is not None and due < today)
        for (key, due), stores in found.items()
    ]
    dated = sorted((item for item in coming if item.due), key=lambda item: (item.due or today, item.duty.key))
    months: dict[str, list[Coming]] = defaultdict(list)
    for item in dated:
        months[f"{item.due:%Y-%m}"].append(item)
    return "law_standing.html", {
        "months": list(months.items()),
        "undated": [item for item in coming if item.due is None],
        "every": standing(),
        "done": done,
        "told": told,
        "stores": len(rows),
        "named": NAMED,
        "today": today,
        "refresh": 0,
    }
