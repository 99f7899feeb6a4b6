"""Head office hears of an incident whenever its timeline moves, whoever moved it: by command, code, page or order.

Every step marks its incident as moved (`Course.record`); the daemon tells of those soon after: at once what somebody
did, and what goes on by itself for long ever less often, for each telling holds the whole incident. After a start each
open incident is told once, so that a crash between a step and its telling leaves head office behind for no longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.incident.store import incidents
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("incident")
SHORTEST: Final = 1.0
LONGEST: Final = 30.0


class Pace:
    """When to tell next: at once after a quiet time, then after pauses that double while it goes on. In seconds."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._pause = SHORTEST

    def is_time(self, seconds: float) -> bool:
        """Whether the pause is over by a clock that nobody can set; True begins the next one."""
        since = seconds - self._last
        if since < self._pause:
            return False
        self._pause = SHORTEST if since > 2 * self._pause else min(2 * self._pause, LONGEST)
        self._last = seconds
        return True


def put(agent: Agent, incident_id: str) -> int:
    """Put an incident as it stands into the outbox; the report's number. What is told later was read later. One that
    cannot be put stays marked as moved.

    Raises:
        ClocheError: it cannot be read, or the outbox is full or cannot be written.
    """
    from agent.incident.office_view import for_head_office  # an idle daemon without an incident loads none of it

    with agent.telling:
        agent.moved.discard(incident_id)  # before it is read: what moves meanwhile is told again
        try:
            document = for_head_office(agent, incidents(agent).get(incident_id), agent.now())
            return agent.outbox.put("incident", document)
        except Exception:
            agent.moved.add(incident_id)
            raise


def tell_moved(agent: Agent) -> int:
    """Put each incident that moved into the outbox as it stands; how many. One that fails is tried again."""
    told = 0
    for incident_id in sorted(agent.moved):
        try:
            put(agent, incident_id)
            told += 1
        except ClocheError as error:
            log.warning("head office could not be told", incident=incident_id, why=agent.mask(describe(error)))
    return told


def mark_open(agent: Agent) -> None:
    """Mark every incident that is not ended, at a start: a crash may have come between a step and its telling."""
    agent.moved.update(item.id for item in incidents(agent).all() if item.phase not in ("closed", "dismissed"))
