"""What the page of an incident shows, put together from what the store told and what head office ordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from central.documents import Approval, Following, Incident, Step, Task, Unmet
from central.models import Delivery, Order, Paper, Store, StoredIncident
from central.pages.doors import Visit
from central.people.rights import Viewer
from config.errors import UsageError
from config.orders import OrderBody, read_order
from config.text import FORMATTER, Language, load_packs

PHASES: Final = ("reported", "directed", "responding", "cleaning", "reviewing", "closed")
ENDED: Final = frozenset({"closed", "dismissed"})
LATEST_ORDERS: Final = 300
PICTURES: Final = frozenset({"image/svg+xml", "image/png", "image/jpeg"})


def read_incident(row: StoredIncident) -> Incident:
    """The document of a stored incident."""
    return Incident.model_validate(row.document)


def find(visit: Visit) -> tuple[Store, StoredIncident, Incident]:
    """The store and incident of a path.

    Raises:
        HTTPException: 404: there is none, or it may not be looked at.
    """
    store = visit.store()
    row = visit.session.get(StoredIncident, (store.id, visit.request.path_params["incident"]))
    if row is None:
        raise HTTPException(404)
    return store, row, read_incident(row)


def roles_at(viewer: Viewer, store: Store) -> frozenset[str]:
    """Roles that somebody holds for this store."""
    reaching = {("all", ""), ("region", store.region_id), ("entity", store.entity_id), ("store", store.id)}
    return frozenset(
        right.role
        for right in viewer.rights
        if (right.scope, "" if right.scope == "all" else right.scope_id) in reaching
    )


@dataclass(frozen=True, kw_only=True)
class MyTasks:
    """What this viewer is asked for: orders to their roles, words that are missing, what the plan says."""

    orders: tuple[Task, ...]
    approvals: tuple[Approval, ...]
    duties: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing is asked of them."""
        return not (self.orders or self.approvals or self.duties)


def tasks_of(incident: Incident, viewer: Viewer, roles: frozenset[str], language: Language) -> MyTasks:
    """The viewer's tasks; an order that names somebody else of their role is not theirs."""
    return MyTasks(
        orders=tuple(
            task
            for task in incident.orders
            if task.state in ("open", "acknowledged", "late")
            and (task.person == viewer.name or (task.role in roles and not task.person))
        ),
        approvals=tuple(
            approval
            for approval in incident.approvals
            if approval.missing
            and not roles.isdisjoint(approval.roles)
            and all(word.person != viewer.name for word in approval.given)
        ),
        duties=tuple(
            part.texts.get(language) or next(iter(part.texts.values()), "")
            for part in incident.tasks
            if not roles.isdisjoint(part.roles)
        ),
    )


def unmet_words(unmet: Unmet, language: Language) -> str:
    """What holds a phase up, in the reader's language; the store's words where ours do not fit."""
    versions = load_packs().get(f"incident.unmet_{unmet.key}")
    if versions is None:
        return unmet.text
    try:
        return (
            FORMATTER.vformat(versions[language], (), unmet.values).partition(" (cloche ")[0].partition("（cloche ")[0]
        )
    except (KeyError, ValueError, IndexError):
        return unmet.text


def following(incident: Incident, language: Language) -> list[tuple[Following, list[str]]]:
    """Phases that may follow, each with what holds it up in words."""
    return [(after, [unmet_words(unmet, language) for unmet in after.unmet]) for after in incident.next]


@dataclass(frozen=True, kw_only=True)
class GivenOrder:
    """An order of head office as this store has it. `state` is the delivery's, or `signatures` while officers lack."""

    id: str
    kind: str
    reason: str
    by: str
    made_at: datetime
    expires_at: datetime
    state: str
    said: str
    acknowledged_at: datetime | None
    is_waiting: bool
    params: dict[str, Any]


def orders_for(
    session: Session, store: Store, moment: datetime, *, incident: str, case: str | None
) -> list[GivenOrder]:
    """Orders to a store about an incident or its case, newest first, with what became of each."""
    delivered = session.execute(
        select(Order, Delivery)
        .join(Delivery, Delivery.order_id == Order.id)
        .where(Delivery.store_id == store.id)
        .order_by(Delivery.number.desc())
        .limit(LATEST_ORDERS)
    ).all()
    unsent = session.scalars(
        select(Order).where(Order.sent_at.is_(None), Order.officers_needed > 0, Order.expires_at > moment)
    ).all()
    found = []
    for order, delivery in [*((order, None) for order in unsent), *delivered]:
        body = _body(order)
        if body is None or not body.names(store.id):
            continue
        named = body.params.get("incident")
        if named == incident or (case is not None and order.case_id == case and not named):
            found.append(_given(order, body, delivery, moment))
    return sorted(found, key=lambda order: order.made_at, reverse=True)


def _body(order: Order) -> OrderBody | None:
    try:
        return read_order(order.body)
    except UsageError:  # of a version with other kinds: it is shown on the orders' page as it stands
        return None


def _given(order: Order, body: OrderBody, delivery: Delivery | None, moment: datetime) -> GivenOrder:
    if delivery is None:
        state = "withdrawn" if order.withdrawn_at else "signatures"
    else:
        state = delivery.state
        if state in ("waiting", "told") and order.expires_at < moment:
            state = "expired"
    return GivenOrder(
        id=order.id, kind=order.kind, reason=body.reason, by=body.by.name, made_at=order.made_at,
        expires_at=order.expires_at, state=state, said=delivery.reason if delivery else "",
        acknowledged_at=delivery.acknowledged_at if delivery else None,
        is_waiting=state in ("waiting", "told", "received", "signatures"), params=body.params,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PaperLine:
    """A document of an incident: as the store lists it, and whether it is here to be looked at."""

    name: str
    size: int
    sha256: str
    is_here: bool
    is_same: bool
    media: str = ""
    title: str = ""


def papers_of(session: Session, store_id: str, incident: Incident) -> list[PaperLine]:
    """Documents in the order of their names; those that came here are compared with the store's digest."""
    rows = session.execute(
        select(Paper.name, Paper.media, Paper.sha256, func.length(Paper.content)).where(
            Paper.store_id == store_id, Paper.incident_id == incident.id
        )
    ).all()
    here = {name: (media, sha256, size) for name, media, sha256, size in rows}
    listed = {paper.name: paper for paper in incident.documents}
    lines = []
    for name in sorted({*here, *listed}):
        paper = listed.get(name)
        media, sha256, size = here.get(name, ("", "", 0))
        lines.append(
            PaperLine(
                name=name, size=size or (paper.size if paper else 0), sha256=(paper.sha256 if paper else sha256),
                is_here=name in here, is_same=paper is None or name not in here or paper.sha256 == sha256, media=media,
            )
        )  # fmt: skip
    return lines


def area_of(step: Step) -> str:
    """Which room an act belongs to, for the filter."""
    return step.act.rpartition(".")[0] or "incident"


def areas_of(steps: Sequence[Step]) -> list[tuple[str, int]]:
    """Rooms with the number of their steps, most first."""
    return Counter(area_of(step) for step in steps).most_common(12)
