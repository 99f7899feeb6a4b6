"""The first page: stores by what needs somebody, sums over all of them, and what changed since yesterday."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse
from starlette.routing import Route

from central.models import Entity, Region, Store
from central.moments import now
from central.pages.attention import ORDER, Urgency, sums, tiles, urgency_at
from central.pages.changes import Change, changes
from central.pages.doors import Doors, Shown, Visit
from central.pages.manager import is_of_one_store
from central.pages.paging import page_of
from central.pages.remembered import Remembered, sight_of

Changes = tuple[date | None, list[Change]]
REMEMBERED: Final = 15.0
"""Seconds."""
MAX_TEXT: Final = 80
LOUD: Final[tuple[Urgency, ...]] = ("incident", "alert", "fault")
"""Shown as tiles; the others are lines of a table."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a reader narrows the list to; '' for no narrowing."""

    region: str = ""
    entity: str = ""
    urgency: str = ""
    text: str = ""

    @property
    def is_set(self) -> bool:
        """Anything."""
        return bool(self.region or self.entity or self.urgency or self.text)


def routes(doors: Doors) -> list[Route]:
    """Path of the first page."""
    remembered: Remembered[Changes] = Remembered(REMEMBERED)
    return [doors.page("/", partial(overview, remembered))]


def overview(remembered: Remembered[Changes], visit: Visit) -> Shown:
    """Stores by what needs attention; what changed since yesterday is up to a quarter of a minute old.

    Whoever has one store only begins with the simple page of it.
    """
    if is_of_one_store(visit.viewer) and not visit.request.query_params:
        return RedirectResponse("/my", status_code=303)
    session, moment = visit.session, now()
    visible = and_(visit.viewer.visible(), Store.revoked_at.is_(None))
    wish = read_filter(visit)
    narrowed = and_(visible, condition_of(wish)) if wish.is_set else visible
    all_sums = sums(session, visible, moment)
    shown = sums(session, narrowed, moment) if wish.is_set else all_sums
    needed = and_(narrowed, urgency_is(wish.urgency, moment)) if wish.urgency else narrowed
    total = _count(shown.counts, wish.urgency)
    paging = page_of(visit.request, total)
    found = tiles(session, needed, moment, limit=paging.size, offset=paging.offset)
    today = moment.astimezone(visit.office.timezone).date()
    is_first = not wish.is_set and paging.number == 1
    since, changed = (
        remembered.get((sight_of(visit.viewer), today), lambda: changes(session, visible, moment, today))
        if is_first
        else (None, [])
    )
    return "overview.html", {
        "sums": all_sums,
        "counts": shown.counts,
        "urgencies": [word for word in ORDER if word != "fine"],
        "loud": [tile for tile in found if tile.urgency in LOUD],
        "quiet": [tile for tile in found if tile.urgency not in LOUD],
        "paging": paging,
        "wish": wish,
        "regions": choices(session, Region, Store.region_id, visible),
        "entities": choices(session, Entity, Store.entity_id, visible),
        "since": since,
        "changes": changed,
        "is_first": is_first,
    }


def read_filter(visit: Visit) -> Filter:
    """From the address; too long or unknown values narrow nothing."""
    query = visit.request.query_params
    urgency = query.get("urgency", "")
    return Filter(
        region=query.get("region", "")[:40], entity=query.get("entity", "")[:40],
        urgency=urgency if urgency in ORDER or urgency == "needing" else "", text=query.get("q", "").strip()[:MAX_TEXT],
    )  # fmt: skip


def condition_of(wish: Filter) -> ColumnElement[bool]:
    """SQL condition of all but the urgency."""
    parts: list[ColumnElement[bool]] = []
    if wish.region:
        parts.append(Store.region_id == wish.region)
    if wish.entity:
        parts.append(Store.entity_id == wish.entity)
    if wish.text:
        parts.append(named_like(wish.text))
    return and_(*parts) if parts else Store.id.is_not(None)


def named_like(text: str) -> ColumnElement[bool]:
    """Stores with a text in their name, or whose identifier begins so."""
    return or_(Store.name.icontains(text, autoescape=True), Store.id.istartswith(text, autoescape=True))


def urgency_is(wish: str, moment: Any) -> ColumnElement[bool]:
    """SQL condition: this urgency, or (`needing`) any but fine."""
    urgency = urgency_at(moment)
    if wish == "needing":
        return urgency > ORDER["fine"]
    return urgency == {str(word): number for word, number in ORDER.items()}[wish]


def choices(session: Session, table: Any, column: Any, visible: ColumnElement[bool]) -> list[tuple[str, str]]:
    """Regions or entities that have stores the viewer may see."""
    held = select(column).where(visible, column.is_not(None)).distinct()
    rows = session.execute(select(table.id, table.name).where(table.id.in_(held)).order_by(table.name))
    return [(identifier, name) for identifier, name in rows]


def _count(counts: dict[Urgency, int], wish: str) -> int:
    if wish == "needing":
        return sum(count for word, count in counts.items() if word != "fine")
    return sum(count for word, count in counts.items() if not wish or word == wish)
