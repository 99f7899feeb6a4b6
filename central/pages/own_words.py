"""What somebody gives at a store in person from head office: a word, an answer to an order, what a report lacks.

Who may, the store decides by its own list of people; here only what this viewer is asked for is offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from central.documents import Approval, Incident, Task
from central.models import Store
from central.pages.doors import Fields, Visit
from central.pages.incident_view import roles_at
from central.people.rights import Viewer
from config.errors import UsageError
from config.forms import FIELDS, IN_SETTINGS, FieldName
from config.orders import APPROVED_BY_ORDER, MOST_FIELDS
from config.text import Language, Text

OPEN: Final = frozenset({"open", "acknowledged", "late"})
MOST_FILLED: Final = 2000


def asked_of(viewer: Viewer, store: Store, incident: Incident) -> list[Approval]:
    """Approvals that lack this viewer's word, and for which a word from here counts."""
    roles = roles_at(viewer, store)
    return [
        approval
        for approval in incident.approvals
        if approval.missing
        and approval.act in APPROVED_BY_ORDER
        and not roles.isdisjoint(approval.roles)
        and all(word.person != viewer.name for word in approval.given)
    ]


def version_of(approval: Approval) -> str:
    """Which version of what: the value of a form's field."""
    return f"{approval.id}#{approval.digest}"


def open_orders(viewer: Viewer, store: Store, incident: Incident) -> list[Task]:
    """Orders of the incident that are not over, the viewer's own first."""
    roles = roles_at(viewer, store)

    def is_others(task: Task) -> bool:
        return task.person != viewer.name if task.person else task.role not in roles

    return sorted((task for task in incident.orders if task.state in OPEN), key=is_others)


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """Fields that reports lack: those that can be filled from here, and those that stand in the store's settings."""

    fields: tuple[FieldName, ...]
    elsewhere: tuple[FieldName, ...]


def lacking(incident: Incident, duty: str = "") -> Lacking:
    """What the reports of an incident lack, of one duty or of all, in the order of the forms."""
    named = {
        gap.field
        for clock in incident.clocks
        if not duty or clock.key == duty
        for side in clock.entities
        for gap in side.missing
    }
    known = [name for name in FIELDS if name in named]
    return Lacking(
        fields=tuple(name for name in known if name not in IN_SETTINGS),
        elsewhere=tuple(name for name in known if name in IN_SETTINGS),
    )


def offer(visit: Visit, kind: str, store: Store, incident: Incident) -> dict[str, Any]:
    """What the form of one of these acts needs."""
    asked = visit.request.query_params
    match kind:
        case "approve":
            waiting = asked_of(visit.viewer, store, incident)
            return {"versions": [(version_of(one), one) for one in waiting], "chosen": asked.get("approval", "")[:160]}
        case "ack":
            return {"tasks": open_orders(visit.viewer, store, incident), "chosen": asked.get("order", "")[:120]}
        case "fill":
            duty = asked.get("duty", "")[:120]
            found = lacking(incident, duty)
            if not found.fields:
                duty, found = "", lacking(incident)
            return {"lacking": found, "duty": duty, "most_filled": MOST_FILLED}
    return {}


def is_offered(viewer: Viewer, kind: str, store: Store, incident: Incident) -> bool:
    """Whether there is anything of this kind for this viewer."""
    return kind != "approve" or bool(asked_of(viewer, store, incident))


def read(visit: Visit, kind: str, store: Store, incident: Incident, fields: Fields) -> dict[str, Any]:
    """Parameters of the order, from its form.

    Raises:
        UsageError: what was chosen is not asked of this viewer (any more), or nothing was filled in.
    """
    text = Text(cast("Language", visit.language))
    match kind:
        case "approve":
            chosen = fields.text("approval", most=160)
            if chosen not in map(version_of, asked_of(visit.viewer, store, incident)):
                raise UsageError(text("hq_incident.changed_since"))
            approval, _, digest = chosen.rpartition("#")
            return {"approval": approval, "digest": digest}
        case "ack":
            order = fields.text("order", most=120)
            if order not in {task.id for task in open_orders(visit.viewer, store, incident)}:
                raise UsageError(text("hq_incident.changed_since"))
            return {"order": order, "done": fields.text("answer", most=10) == "done", "note": fields.optional("note")}
        case _:
            duty = fields.optional("duty", most=120)
            filled = _filled(fields, lacking(incident).fields)
            if not filled:
                raise UsageError(text("hq_incident.fill_nothing"))
            return {"fields": filled, "duty": duty}


def _filled(fields: Fields, names: Sequence[FieldName]) -> dict[str, str]:
    given = {name: fields.optional(f"field_{name}", most=MOST_FILLED).replace("\r\n", "\n") for name in names}
    return dict([(name, words) for name, words in given.items() if words][:MOST_FIELDS])
