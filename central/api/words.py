"""The word for how urgently a store needs somebody, as the first page sorts them (central.ingest.urgency)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from central.models import Store

SILENT_AFTER: Final = timedelta(hours=1)
WORDS: Final = ((60, "incident"), (50, "alert"), (40, "fault"), (30, "exposed"))
"""Place in the list from which on a word holds; below them silence counts, which is judged when asked."""


def is_silent(store: Store, moment: datetime) -> bool:
    """Not heard from for over an hour."""
    return store.heard_at is None or store.heard_at + SILENT_AFTER < moment


def urgency(store: Store, moment: datetime) -> str:
    """The most urgent thing about a store."""
    for place, word in WORDS:
        if store.urgency >= place:
            return word
    if is_silent(store, moment):
        return "silent"
    return "unscanned" if store.urgency or store.scanned_at is None else "fine"
