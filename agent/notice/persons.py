"""Affected persons of an incident: counted once each, and listed under seal for those who tell them.

Counting needs no value: workers say fingerprints under a key of that run, which is forgotten. A list needs the contacts
themselves; they pass through memory and are written sealed only (`agent.notice.lists`). A file that cannot be read is
named and counted; the count is then not complete, and an incident's persons never fall because of it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from agent.incident.course import Course
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.notice.counting import FilesReader, Unreadable, never_prints, sensitive_entities, sensitive_together
from agent.notice.models import CountRow
from agent.notice.never import never_of
from config.errors import ClocheError
from config.log import get_logger

if TYPE_CHECKING:
    from agent.notice.identities import Joined
    from agent.wiring import Agent
    from containment.keys import Unlocker

log = get_logger("notice")
NAMED: Final = 200
"""Files that a count names; all are counted."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A count. `customers`, `staff` and `suppliers` make up `persons`; `virtual` and `masked` numbers are nobody.

    `own` records belonged to people of the plan, canaries or the chain itself. `unread` names at most `NAMED` of
    `unreadable` files and parts of files. `complete`: everything was read and told apart exactly.
    """

    persons: int
    sensitive: int
    virtual: int
    unreadable: int
    complete: bool
    types: dict[str, int] = field(default_factory=dict)
    customers: int = 0
    staff: int = 0
    suppliers: int = 0
    reachable: int = 0
    masked: int = 0
    own: int = 0
    files: int = 0
    unread: tuple[Unreadable, ...] = ()
    at: datetime
    by: str = ""
    items: str = ""


def count_persons(
    agent: Agent,
    incident_id: str,
    unlocker: Unlocker | None = None,
    actor: str = "cloche",
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Counted:
    """Count the persons of an incident, keep the count, and grade the incident by it.

    Args:
        agent: all parts.
        incident_id: or a beginning of it.
        unlocker: opens what is sealed; None uses the keys held in memory since the declaration (72 h at most).
        actor: for the record.
        progress: files read and all files.

    Raises:
        UsageError: no such incident.
        ClocheError: a worker does not start, or the count cannot be kept.
    """
    from agent.reporting import persons as reports

    incident, group = incidents(agent).get(incident_id), agent.reporting.group
    run_key = reports.run_key(group) if group is not None else secrets.token_bytes(32)
    with FilesReader(agent, incident.items, unlocker or agent.keyring.held(incident.id), run_key) as reader:
        joined, counted = count_with(agent, incident, reader, (run_key, actor), progress)
    kept = keep(agent, incident, counted)
    if group is not None:
        pack = agent.settings.detect.levels
        sensitive = joined.is_sensitive(sensitive_entities(pack), sensitive_together(pack))
        try:
            reports.tell_persons(agent, incident.id, counted.items, joined, sensitive, group)
        except ClocheError as error:  # the count stands; what head office lacks is counted again
            log.warning("persons were not told", incident=incident.id, why=agent.mask(str(error)))
    return kept


def count_with(
    agent: Agent,
    incident: Incident,
    reader: FilesReader,
    run: tuple[bytes, str],
    progress: Callable[[int, int], None],
) -> tuple[Joined, Counted]:
    """Read every file of the incident once: who is in them, and the count. `run` is the run's key and the actor.

    Raises:
        ClocheError: a worker does not start.
    """
    from agent.notice.identities import Identities

    run_key, actor = run
    identities = Identities(never_prints(never_of(agent), run_key))
    unread = reader.read(
        lambda _file, entities, records, _values: identities.add(entities, records),
        on_file=lambda done: progress(done, len(incident.items)),
    )
    reader.rest()
    joined = identities.join()
    pack = agent.settings.detect.levels
    totals = joined.totals(sensitive_entities(pack), sensitive_together(pack))
    counted = Counted(
        persons=totals.persons, sensitive=totals.sensitive, virtual=totals.virtual, masked=totals.masked,
        unreadable=len(unread), complete=not unread and totals.exact, types=totals.types,
        customers=totals.customers, staff=totals.staff, suppliers=totals.suppliers, reachable=totals.reachable,
        own=identities.left_out, files=len(incident.items), unread=tuple(unread[:NAMED]), at=agent.now(),
        by=agent.mask(actor), items=digest_of_items(incident),
    )  # fmt: skip
    return joined, counted


def keep(agent: Agent, incident: Incident, counted: Counted) -> Counted:
    """Keep a count, put it on the timeline and grade the incident anew."""
    from agent.incident.levels import regrade

    values = asdict(counted)
    values["types"] = json.dumps(counted.types)
    values["unread"] = json.dumps([[part.name, part.reason] for part in counted.unread])
    with agent.inventory.sessions.begin() as session:
        session.add(CountRow(incident=incident.id, **values))
    if counted.files:
        persons = counted.persons if counted.complete else max(counted.persons, incident.persons)
        incidents(agent).change(
            incident.id, persons=persons, sensitive=counted.sensitive, virtual=counted.virtual,
            counted_at=counted.at, types=tuple(sorted({*incident.types, *counted.types})),
        )  # fmt: skip
    why = {} if counted.complete else {"reason_key": "notice.count_reason"}
    Course(agent, incident.id, counted.by).record(
        "notice.counted", ok=counted.complete, **why, persons=counted.persons, customers=counted.customers,
        staff=counted.staff + counted.suppliers, sensitive=counted.sensitive, virtual=counted.virtual,
        masked=counted.masked, unreadable=counted.unreadable, files=counted.files,
        unread=[f"{part.name}: {part.reason}" for part in counted.unread[:20]],
    )  # fmt: skip
    if counted.files:
        regrade(agent, incident.id, counted.by)
    return counted


def last_count(agent: Agent, incident_id: str) -> Counted | None:
    """The newest count of an incident; None if nobody counted."""
    with agent.inventory.reading() as session:
        row = session.scalars(
            select(CountRow).where(CountRow.incident == incident_id).order_by(CountRow.id.desc()).limit(1)
        ).first()
        if row is None:
            return None
        values = {name: getattr(row, name) for name in Counted.__dataclass_fields__ if name not in ("types", "unread")}
        unread = tuple(Unreadable(name=name, reason=reason) for name, reason in json.loads(row.unread))
        return Counted(**values, types=json.loads(row.types), unread=unread)


def digest_of_items(incident: Incident) -> str:
    """Tells one set of files from another."""
    digest = hashlib.sha256()
    for path in sorted(item.path for item in incident.items):
        digest.update(len(path).to_bytes(4, "big") + path)
    return digest.hexdigest()
