"""What becomes of each kind of report, in an explicit list. An applier changes its batch, never the database: what it
has to say about the report itself goes through `Batch.fault`. Only orders and persons write for themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from central.ingest.batch import Batch, Figures, Incoming
from central.ingest.kinds import (
    alert,
    assessment,
    audit,
    drill,
    events,
    health,
    incident,
    inventory,
    order,
    paper,
    persons,
    training,
    vendors,
)  # fmt: skip
from central.wire import Kind

Applier = Callable[[Batch, Figures, Incoming], None]
APPLIERS: Final[dict[Kind, Applier]] = {
    "inventory": inventory.apply, "health": health.apply, "alert": alert.apply, "incident": incident.apply,
    "audit": audit.apply, "order": order.apply, "events": events.apply, "assessment": assessment.apply,
    "drill": drill.apply, "training": training.apply, "vendors": vendors.apply, "paper": paper.apply,
    "persons": persons.apply,
}  # fmt: skip
