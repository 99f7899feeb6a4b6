"""An incident as a document: for `--json` and for the documents' folder. Masked throughout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.documents.write import missing_formats
from agent.incident.clocks import Clock, iso
from agent.incident.duties import known_clocks
from agent.incident.first_report import deeds_of
from agent.incident.law import load_plan
from agent.incident.moments import zone_of
from agent.incident.orders import Order, orders_of
from agent.incident.records import Incident
from agent.incident.wording import Wording

if TYPE_CHECKING:
    from agent.wiring import Agent


def wording_of(agent: Agent) -> Wording:
    """Words in the store's language, times in its zone."""
    return Wording(agent.text, zone_of(agent.settings.store.timezone))


def clocks_of(agent: Agent, incident: Incident, now: datetime) -> list[Clock]:
    """The incident's clocks, with the regimes that this store's settings add and what was submitted."""
    return known_clocks(agent, incident, now)


def summary(incident: Incident, zone: tzinfo) -> dict[str, Any]:
    """A line of the list."""
    return {
        "id": incident.id, "kind": incident.kind, "phase": incident.phase, "machine": incident.machine,
        "summary": incident.summary, "place": incident.place, "types": list(incident.types), "by": incident.by,
        "scope": incident.scope, "discovered_at": iso(incident.discovered_at, zone),
        "occurred_at": iso(incident.occurred_at, zone), "reported_at": iso(incident.reported_at, zone),
        "declared_at": iso(incident.declared_at, zone), "handling_ended_at": iso(incident.handling_ended_at, zone),
        "closed_at": iso(incident.closed_at, zone), "files": incident.files, "persons": incident.persons,
        "left_files": incident.left_files, "left_persons": incident.left_persons,
        "left_seconds": incident.left_seconds, "level": incident.level, "law_grade": incident.law_grade,
        "sensitive": incident.sensitive, "virtual": incident.virtual, "counted_at": iso(incident.counted_at, zone),
        "merged_into": incident.merged_into,
    }  # fmt: skip


def full(agent: Agent, incident: Incident, now: datetime) -> dict[str, Any]:
    """`cloche.incident/1`."""
    wording, language = wording_of(agent), agent.text.language
    zone = wording.zone
    return {
        "schema": "cloche.incident/1",
        **summary(incident, zone),
        "complete": incident.complete,
        "failures": [wording.step(step) for step in incident.failures],
        "items": [
            {
                "name": item.name, "persons": item.persons, "types": list(item.types), "state": item.state,
                "vault_id": item.vault_id,
            }
            for item in incident.items
        ],
        "steps": [
            {
                "at": iso(step.time, zone), "act": step.act, "actor": step.actor, "ok": step.ok,
                "detail": wording.step(step),
            }
            for step in incident.steps
        ],
        "orders": [order_document(agent, order) for order in orders_of(agent, incident.id)],
        "who": deeds_of(incident),
        "clocks": [clock.document(language, zone) for clock in clocks_of(agent, incident, now)],
        "next": [
            {
                "roles": list(duty.roles), "what": duty.text(language),
                "people": wording.people(duty.roles, agent.settings.people),
            }
            for duty in load_plan()
            if duty.phase == incident.phase
        ],
        "documents": [str(path) for path in papers(agent.home.documents / incident.id)],
        "documents_note": missing_formats(papers(agent.home.documents / incident.id), agent.text),
        "evidence": [str(path) for path in bundles(agent.home.evidence / incident.id)],
    }  # fmt: skip


def order_document(agent: Agent, order: Order) -> dict[str, Any]:
    """An order as JSON."""
    zone = zone_of(agent.settings.store.timezone)
    return {
        "id": order.id, "phase": order.phase, "role": order.role, "owner": order.owner, "what": order.what,
        "command": order.command, "by": order.issued_by, "issued_at": iso(order.issued_at, zone),
        "due_at": iso(order.due_at, zone), "acknowledged_at": iso(order.acknowledged_at, zone),
        "acknowledged_by": order.acknowledged_by, "acknowledged_how": order.acknowledged_how,
        "ended_at": iso(order.ended_at, zone), "ended_by": order.ended_by, "ended_how": order.ended_how,
        "note": order.note, "late": order.is_open and agent.now() > order.due_at, "reminders": order.stage,
    }  # fmt: skip


def papers(folder: Path) -> Sequence[Path]:
    """Documents written for an incident."""
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else ()


def bundles(folder: Path) -> Sequence[Path]:
    """Evidence bundles of an incident."""
    return sorted(folder.glob("bundle-*")) if folder.is_dir() else ()
