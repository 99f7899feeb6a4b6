"""What the room remembers across starts, as text by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.direction.models import DirectionRow

if TYPE_CHECKING:
    from agent.wiring import Agent

AFTER: Final = "after"
"""The number of the delivery that was taken last (not the highest: head office may come back from a backup)."""
LATEST: Final = "latest_signed"
"""The latest moment that head office is known to have signed, ISO 8601."""


def read_fact(agent: Agent, key: str, default: str = "") -> str:
    """What is remembered of it."""
    with agent.inventory.reading() as session:
        row = session.get(DirectionRow, key)
        return default if row is None else row.value


def write_fact(agent: Agent, key: str, value: str) -> None:
    """Remember it.

    Raises:
        ClocheError: the disk refused it.
    """
    with agent.inventory.sessions.begin() as session:
        session.merge(DirectionRow(key=key, value=value))


def last_taken(agent: Agent) -> int:
    """The number of the delivery that was taken last."""
    value = read_fact(agent, AFTER, "0")
    return int(value) if value.isdecimal() else 0
