"""Head office hears of an incident whenever its timeline moves, whoever moved it: by command, code, page or order.

Every step marks its incident as moved (`Course.record`); the daemon tells of those soon after, and what goes on for
long is told ever less often, for each telling holds the whole incident. After a start each open incident is told once,
so that a crash between a step and its telling leaves head office behind for no longer than that.
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


def tell_moved(agent: Agent) -> int:
    """Put each incident that moved into the outbox as it stands; how many. One that fails is tried again."""
    from agent.incident.office_view import for_head_office  # an idle daemon without an incident loads none of it

    told = 0
    for incident_id in sorted(agent.moved):
        agent.moved.discard(incident_id)  # before it is read: what moves meanwhile is told again
        try:
            document = for_head_office(agent, incidents(agent).get(incident_id), agent.now())
            agent.outbox.put("incident", document)
            told += 1
        except Exception as error:
            agent.moved.add(incident_id)
            if not isinstance(error, ClocheError):
                raise
            log.warning("head office could not be told", incident=incident_id, why=agent.mask(describe(error)))
    return told


def mark_open(agent: Agent) -> None:
    """Mark every incident that is not ended, at a start: a crash may have come between a step and its telling."""
    agent.moved.update(item.id for item in incidents(agent).all() if item.phase not in ("closed", "dismissed"))
