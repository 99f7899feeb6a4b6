"""What is new: what differs from how far it was told.

Nobody has to think of telling when something changes: every few seconds the present state is compared with the marks
of what was told. So nothing is lost while an instance is down, and nothing is told twice (a mark is written in the
transaction that makes the deliveries). The price: a state that lasted shorter than the pause between two looks may be
passed over (a phase between two others), and an alert that was closed before it arrived is no news.

What goes out is figures, identifiers and words of closed lists; no text of a store, no name of a file or person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from central.models import Delivery, Fault, NewsMark, Order, Store, StoredAlert, StoredIncident

Topic = Literal[
    "incident.opened", "incident.phase", "alert.high", "store.silent", "clock.due", "order.refused", "fault.clone"
]
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)
SILENT_AFTER: Final = timedelta(hours=1)
SOON: Final = timedelta(hours=24)
TROUBLE_KEPT: Final = timedelta(days=3)
MARKS_KEPT: Final = timedelta(days=30)
MOST: Final = 500
HIGH: Final = frozenset({"critical", "high"})


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that differs from its mark. `topic` None: to be marked, and no news."""

    kind: str
    subject: str
    state: str
    topic: Topic | None
    data: dict[str, Any] = field(default_factory=dict)


def find_news(session: Session, moment: datetime, since: datetime) -> list[Item]:
    """What is new at this moment; `since` is when this instance began to look (it heard nothing before)."""
    return [
        *_incidents(session),
        *_alerts(session),
        *_silent(session, moment, since),
        *_clocks(session, moment),
        *_orders(session, moment),
        *_clones(session),
    ]


def _differs(kind: str, subject: Any, state: Any) -> Any:
    """A join with the mark of a subject, and the condition that it says something else or nothing."""
    joined = and_(NewsMark.topic == kind, NewsMark.subject == subject)
    return joined, or_(NewsMark.state.is_(None), NewsMark.state != state)


def _incidents(session: Session) -> Iterator[Item]:
    subject = StoredIncident.store_id + "/" + StoredIncident.incident_id
    joined, differs = _differs("incident", subject, StoredIncident.phase)
    query = (
        select(StoredIncident, Store.name, NewsMark.state)
        .join(Store, Store.id == StoredIncident.store_id)
        .outerjoin(NewsMark, joined)
        .where(differs)
        .limit(MOST)
    )
    for row, name, before in session.execute(query):
        said = row.document
        yield Item(
            kind="incident", subject=f"{row.store_id}/{row.incident_id}", state=row.phase,
            topic="incident.opened" if before is None else "incident.phase",
            data={
                "store": row.store_id, "name": name, "incident": row.incident_id, "case": row.case_id,
                "kind": row.kind, "phase": row.phase, "before": before, "open": row.is_open,
                "discovered_at": row.discovered_at.isoformat(), "files": _count(said, "files"),
                "persons": _count(said, "persons"),
            },
        )  # fmt: skip


def _alerts(session: Session) -> Iterator[Item]:
    subject = StoredAlert.store_id + "/" + StoredAlert.alert_id
    joined = _differs("alert", subject, "")[0]
    query = (
        select(StoredAlert, Store.name)
        .join(Store, Store.id == StoredAlert.store_id)
        .outerjoin(NewsMark, joined)
        .where(Store.open_alerts > 0, StoredAlert.is_open, NewsMark.state.is_(None))
        .limit(MOST)
    )
    for row, name in session.execute(query):
        severity = str(row.document.get("severity", ""))
        yield Item(
            kind="alert", subject=f"{row.store_id}/{row.alert_id}", state="told",
            topic="alert.high" if severity in HIGH else None,
            data={
                "store": row.store_id, "name": name, "alert": row.alert_id, "kind": str(row.document.get("kind", "")),
                "severity": severity, "at": row.at.isoformat(),
            },
        )  # fmt: skip


def _silent(session: Session, moment: datetime, since: datetime) -> Iterator[Item]:
    if moment - since < SILENT_AFTER:
        return  # head office itself was away: it cannot tell who was silent
    joined = _differs("silent", Store.id, "")[0]
    query = (
        select(Store, NewsMark.state)
        .outerjoin(NewsMark, joined)
        .where(Store.revoked_at.is_(None), Store.heard_at < moment - SILENT_AFTER)
        .limit(MOST * 20)
    )
    for store, before in session.execute(query):
        state = store.heard_at.isoformat() if store.heard_at else ""
        if before != state:
            yield Item(
                kind="silent", subject=store.id, state=state, topic="store.silent",
                data={"store": store.id, "name": store.name, "heard_at": state},
            )  # fmt: skip


def _clocks(session: Session, moment: datetime) -> Iterator[Item]:
    query = (
        select(StoredIncident, Store.name, NewsMark.state)
        .join(Store, Store.id == StoredIncident.store_id)
        .outerjoin(NewsMark, _differs("clock", StoredIncident.store_id + "/" + StoredIncident.incident_id, "")[0])
        .where(StoredIncident.is_open, StoredIncident.deadline_at <= moment + SOON)
        .order_by(StoredIncident.deadline_at)
        .limit(MOST * 4)
    )
    for row, name, before in session.execute(query):
        deadline = row.deadline_at
        if deadline is None:
            continue
        stage = "over" if deadline <= moment else "soon"
        state = f"{stage} {deadline.isoformat()}"
        if before != state:
            yield Item(
                kind="clock", subject=f"{row.store_id}/{row.incident_id}", state=state, topic="clock.due",
                data={
                    "store": row.store_id, "name": name, "incident": row.incident_id, "stage": stage,
                    "deadline": deadline.isoformat(), "phase": row.phase,
                },
            )  # fmt: skip


def _orders(session: Session, moment: datetime) -> Iterator[Item]:
    query = (
        select(Delivery, Order.kind, Store.name)
        .join(Order, Order.id == Delivery.order_id)
        .join(Store, Store.id == Delivery.store_id)
        .outerjoin(NewsMark, and_(NewsMark.topic == "order", NewsMark.subject == Delivery.store_id + "/" + Order.id))
        .where(
            Delivery.state.in_(("refused", "failed")), Delivery.acknowledged_at > moment - TROUBLE_KEPT,
            NewsMark.state.is_(None),
        )
        .limit(MOST)
    )  # fmt: skip
    for row, kind, name in session.execute(query):
        yield Item(
            kind="order", subject=f"{row.store_id}/{row.order_id}", state=row.state, topic="order.refused",
            data={
                "store": row.store_id, "name": name, "order": row.order_id, "kind": kind, "state": row.state,
                "at": row.acknowledged_at.isoformat() if row.acknowledged_at else None,
            },
        )  # fmt: skip


def _clones(session: Session) -> Iterator[Item]:
    query = (
        select(Fault, Store.name, NewsMark.state)
        .join(Store, Store.id == Fault.store_id)
        .outerjoin(NewsMark, and_(NewsMark.topic == "clone", NewsMark.subject == Fault.store_id))
        .where(Fault.kind == "clone", Fault.settled_at.is_(None))
        .limit(MOST)
    )
    for fault, name, before in session.execute(query):
        state = f"{fault.last_at:%Y-%m-%d}"  # two machines take turns all day: said once a day
        if before != state:
            yield Item(
                kind="clone", subject=fault.store_id, state=state, topic="fault.clone",
                data={
                    "store": fault.store_id, "name": name, "count": fault.count,
                    "first_at": fault.first_at.isoformat(), "at": fault.last_at.isoformat(),
                },
            )  # fmt: skip


def forget_old_marks(session: Session, moment: datetime) -> None:
    """Marks of what can no longer come up again."""
    still_open = select(StoredAlert.store_id + "/" + StoredAlert.alert_id).where(StoredAlert.is_open)
    old = NewsMark.at < moment - MARKS_KEPT
    session.execute(delete(NewsMark).where(NewsMark.topic == "alert", old, NewsMark.subject.not_in(still_open)))
    session.execute(delete(NewsMark).where(NewsMark.topic.in_(("order", "digest")), old))


def _count(document: dict[str, Any], name: str) -> int:
    value = document.get(name, 0)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
