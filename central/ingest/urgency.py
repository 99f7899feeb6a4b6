"""Which store needs somebody first, as a number kept with the store: an open incident before alerts, before what is
wrong with what it sends, before data lying open, before what was never scanned. Silence is judged when asked
(`heard_at` older than `SILENT_AFTER`): nothing comes in that could say so."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

INCIDENT: Final = 60
ALERT: Final = 50
FAULT: Final = 40
EXPOSED: Final = 30
UNSCANNED: Final = 10
FINE: Final = 0
SILENT_AFTER: Final = timedelta(hours=1)

URGENCY_SQL: Final = (
    f"CASE WHEN {{incidents}} > 0 THEN {INCIDENT} WHEN {{alerts}} > 0 THEN {ALERT} WHEN {{faults}} > 0 THEN {FAULT} "
    f"WHEN {{exposed}} > 0 OR {{unread}} > 0 THEN {EXPOSED} WHEN {{scanned_at}} IS NULL THEN {UNSCANNED} "
    f"ELSE {FINE} END"
)
"""The same in SQL, over values named as the columns of a store."""


def urgency(*, incidents: int, alerts: int, faults: int, exposed: int, unread: int, is_scanned: bool) -> int:
    """A store's place in the list, higher first."""
    if incidents:
        return INCIDENT
    if alerts:
        return ALERT
    if faults:
        return FAULT
    if exposed or unread:
        return EXPOSED
    return FINE if is_scanned else UNSCANNED
