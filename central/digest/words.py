"""The two lines, from the figures of the stores that somebody may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from central.models import Store, StoredIncident
from central.people.contacts import unconfirmed
from central.people.rights import Viewer
from config.text import Language, Text

SILENT_SECONDS: Final = 3600
ALERT, FAULT, EXPOSED = 50, 40, 30  # central.ingest.urgency


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the lines are made of."""

    stores: int
    heard: int
    persons: int
    places: int
    sealed: int
    exposed: int
    incidents: int
    alerts: int
    faults: int
    unscanned: int
    deadline: datetime | None
    unconfirmed: int = 0
    """People who have not confirmed their contacts lately, for whoever looks after people."""

    @property
    def silent(self) -> int:
        """Stores that have not been heard from for an hour."""
        return self.stores - self.heard

    @property
    def share(self) -> int:
        """Percent of the places that are sealed, cut; 100 where there are none."""
        return self.sealed * 100 // self.places if self.places else 100


@dataclass(frozen=True, kw_only=True)
class Digest:
    """A subject and two lines."""

    subject: str
    how: str
    needs: str

    @property
    def text(self) -> str:
        """Both lines."""
        return f"{self.how}\n{self.needs}\n"


def figures_of(session: Session, viewer: Viewer, moment: datetime) -> Figures:
    """The figures of now, in two questions."""
    edge = datetime.fromtimestamp(moment.timestamp() - SILENT_SECONDS, moment.tzinfo)

    def count(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    row = session.execute(
        select(
            func.count(), count(Store.heard_at >= edge), func.coalesce(func.sum(Store.persons), 0),
            func.coalesce(func.sum(Store.places), 0), func.coalesce(func.sum(Store.sealed), 0),
            count(Store.exposed > 0), func.coalesce(func.sum(Store.open_alerts), 0), count(Store.faults > 0),
            count(Store.scanned_at.is_(None)),
        ).where(viewer.visible(), Store.revoked_at.is_(None))
    ).one()  # fmt: skip
    incidents, deadline = session.execute(
        select(func.count(), func.min(StoredIncident.deadline_at))
        .join(Store, Store.id == StoredIncident.store_id)
        .where(StoredIncident.is_open, viewer.visible())
    ).one()
    stores, heard, persons, places, sealed, exposed, alerts, faults, unscanned = (int(value) for value in row)
    return Figures(
        stores=stores, heard=heard, persons=persons, places=places, sealed=sealed, exposed=exposed,
        incidents=incidents, alerts=alerts, faults=faults, unscanned=unscanned, deadline=deadline,
        unconfirmed=len(unconfirmed(session, moment)) if viewer.may("people") else 0,
    )  # fmt: skip


def write_digest(figures: Figures, office: str, language: Language, timezone: ZoneInfo, week: str) -> Digest:
    """The lines in somebody's language."""
    say = Text(language)
    how = say(
        "hq_digest.how", stores=f"{figures.stores:,}", heard=f"{figures.heard:,}", persons=f"{figures.persons:,}",
        share=figures.share,
    )  # fmt: skip
    parts = []
    if figures.incidents:
        when = figures.deadline.astimezone(timezone).strftime("%Y-%m-%d %H:%M") if figures.deadline else ""
        key = "hq_digest.need_incidents_until" if when else "hq_digest.need_incidents"
        parts.append(say(key, count=figures.incidents, when=when))
    parts += [
        say(f"hq_digest.need_{name}", count=f"{value:,}")
        for name in ("alerts", "faults", "exposed", "silent", "unscanned", "unconfirmed")
        if (value := getattr(figures, name))
    ]
    needs = say("hq_digest.needs", what=say("hq_digest.comma").join(parts)) if parts else say("hq_digest.nothing")
    return Digest(subject=say("hq_digest.subject", office=office, week=week), how=how, needs=needs)
