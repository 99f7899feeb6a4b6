"""The keeper's duties here: count who is affected once the files of an incident are known, and go on sending.

Counting reads every file and takes up to a minute for a million persons; so it has a thread of its own, one at a time,
that ends with the daemon. Nobody asked: so only the keys held since the declaration are used, and a set of files is
counted once. Without a daemon a person counts (`cloche incident persons ID --count`).
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING, Final

from agent.incident.records import Incident, Phase
from agent.incident.store import incidents
from agent.notice.persons import count_persons, digest_of_items, last_count
from agent.reporting.persons import is_due
from agent.watch.api import NoWatch
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("notice")
COUNTED: Final[tuple[Phase, ...]] = ("directed", "responding", "cleaning")
_COUNTING: Final = threading.Lock()


def count_due(agent: Agent, now: datetime) -> None:  # noqa: ARG001  what is due is told by the files, not by the time
    """Count the first incident whose files nobody counted yet, beside everything else."""
    if isinstance(agent.watch, NoWatch) or _COUNTING.locked():
        return
    due = next(iter(uncounted(agent)), None)
    if due is not None:
        threading.Thread(target=_count, args=(agent, due.id), name="count-persons", daemon=True).start()


def uncounted(agent: Agent) -> list[Incident]:
    """Declared incidents whose files were not counted as they are now, and can be."""
    found = []
    for incident in incidents(agent).all():
        if incident.phase not in COUNTED or incident.declared_at is None:
            continue
        whole = incidents(agent).get(incident.id)
        counted = last_count(agent, incident.id)
        sealed = any(item.vault_id for item in whole.items)
        items = digest_of_items(whole)
        if not whole.items or (counted is not None and counted.items == items and not is_due(agent, whole.id, items)):
            continue
        if not sealed or agent.keyring.held(incident.id) is not None:
            found.append(whole)
    return found


def _count(agent: Agent, incident_id: str) -> None:
    with _COUNTING:
        try:
            count_persons(agent, incident_id)
        except ClocheError as error:
            log.warning("persons were not counted", incident=incident_id, why=agent.mask(str(error)))
        except Exception as error:  # noqa: BLE001  the boundary of a thread
            log.error("persons were not counted", incident=incident_id, error=describe(error))
