"""Alerts, one report each, as they come and as they close. What could not be put is put as soon as it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, select

from agent.inventory.models import AlertRow
from agent.inventory.records import Alert
from agent.inventory.rows import to_alert
from agent.reporting.models import ReportedRow
from agent.reporting.state import note_reported, reported

if TYPE_CHECKING:
    from agent.wiring import Agent

KIND: Final = "alert"
FIRST: Final = "first"
A_TIME: Final = 200
BEING_TOLD: Final = 5.0
"""Seconds for whoever made the alert to put it himself."""


def report_alert(agent: Agent, alert: Alert) -> int:
    """Put one alert as it stands, open or closed; the report's number.

    Raises:
        ClocheError: the disk refused it; `tell_alerts` tries again.
    """
    number = agent.outbox.put("alert", alert_document(agent, alert))
    note_reported(agent, KIND, str(alert.id), "open" if alert.open else "closed")
    return number


def tell_alerts(agent: Agent) -> int:
    """Put the alerts that no report was put for (a full disk, a crash between the two); how many.

    Raises:
        ClocheError: the disk refused it.
    """
    first = reported(agent, KIND, FIRST)
    if first is None:  # an older agent told its alerts and kept no count of them
        with agent.inventory.reading() as session:
            note = session.scalar(select(func.max(AlertRow.id))) or 0
        note_reported(agent, KIND, FIRST, str(note))
        return 0
    query = select(AlertRow).where(AlertRow.id > int(first)).order_by(AlertRow.id).limit(A_TIME)
    now = agent.now()
    with agent.inventory.reading() as session:
        alerts = [
            alert
            for alert in map(to_alert, session.scalars(query))
            if not 0 <= (now - alert.at).total_seconds() < BEING_TOLD
        ]
        keys = [str(alert.id) for alert in alerts]
        known = set(session.scalars(select(ReportedRow.key).where(ReportedRow.kind == KIND, ReportedRow.key.in_(keys))))
    missing = [alert for alert in alerts if str(alert.id) not in known]
    for alert in missing:
        report_alert(agent, alert)
    if alerts and alerts[-1].id > int(first):
        note_reported(agent, KIND, FIRST, str(alerts[-1].id))
        with agent.inventory.sessions.begin() as session:  # what lies below the mark needs no note of its own
            session.execute(delete(ReportedRow).where(ReportedRow.kind == KIND, ReportedRow.key.in_(keys)))
    return len(missing)


def alert_document(agent: Agent, alert: Alert) -> dict[str, Any]:
    """One alert, masked."""
    return {
        "id": str(alert.id), "at": alert.at.isoformat(), "kind": alert.kind, "severity": alert.severity,
        "text": agent.mask(alert.text), "program": agent.mask(alert.program), "user": agent.mask(alert.user),
        "action": alert.action, "stop_ms": alert.stop_ms, "open": alert.open, "files": len(alert.keys),
    }  # fmt: skip
