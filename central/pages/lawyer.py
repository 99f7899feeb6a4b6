"""The lawyer's page: what is due, to whom, until when and what is missing, over all stores; and what comes again."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from central.api.exports.writing import MEDIA, as_csv
from central.law import standing
from central.moments import now
from central.pages.doors import Doors, Visit
from central.pages.duties import SHOWS, DutyLine, Show, all_lines, chosen, missing_words
from central.pages.paging import page_of
from central.pages.recurring import Calendar, Coming, calendar_of
from central.pages.remembered import Remembered, sight_of
from config.text import Language, Text

LINES: Final = 60
REMEMBERED: Final = 120.0
"""Seconds for which the calendar of standing duties, which is one of days, is not made anew."""
COLUMNS: Final = (
    "entity", "code", "province", "duty", "regime", "office", "state", "deadline", "submitted", "missing", "stores",
    "incidents", "case", "verified", "source",
)  # fmt: skip


def routes(doors: Doors) -> list[Route]:
    """Paths of the lawyer's pages."""
    return [doors.page("/law", what_is_due, "law"), doors.page("/law.csv", as_file, "law"),
            doors.page("/law/standing", partial(what_comes_again, Remembered(REMEMBERED)), "law")]  # fmt: skip


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


def what_comes_again(remembered: Remembered[Calendar], visit: Visit) -> tuple[str, dict[str, Any]]:
    """Duties that no incident starts: when they are due next, as far as stores tell, up to two minutes old."""
    zone = visit.office.timezone
    calendar = remembered.get(
        sight_of(visit.viewer), lambda: calendar_of(visit.session, visit.viewer.visible("law"), zone)
    )
    dated = [item for item in calendar.coming if item.due is not None]
    paging = page_of(visit.request, len(dated), size=LINES)
    months: dict[str, list[Coming]] = defaultdict(list)
    for item in dated[paging.offset : paging.offset + paging.size]:
        months[f"{item.due:%Y-%m}"].append(item)
    return "law_standing.html", {
        "months": list(months.items()),
        "paging": paging,
        "undated": [item for item in calendar.coming if item.due is None],
        "every": standing(),
        "done": calendar.done,
        "told": calendar.told,
        "stores": calendar.stores,
        "today": now().astimezone(zone).date(),
        "refresh": 0,
    }
