"""What the keeper has told of everything that is no picture of the inventory: what is new since the last time.

Nothing here is told before the store is enrolled; what is then there already of events is past.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from agent.link.outbox import FullError
from agent.reporting.alerts import tell_alerts
from agent.reporting.drills import tell_drills
from agent.reporting.events import tell_events
from agent.reporting.group import keep_group_key
from agent.reporting.papers import tell_papers
from agent.reporting.standings import tell_assessment, tell_training, tell_vendors
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("reporting")

Teller = Callable[["Agent", datetime], object]
TELLERS: Final[tuple[tuple[str, float, Teller], ...]] = (
    ("alerts", 0.0, lambda agent, _now: tell_alerts(agent)),
    ("events", 60.0, lambda agent, _now: tell_events(agent)),
    ("assessment", 0.0, tell_assessment),
    ("drills", 0.0, tell_drills),
    ("papers", 0.0, tell_papers),
    ("group key", 0.0, keep_group_key),
    ("vendors", 300.0, tell_vendors),
    ("training", 600.0, tell_training),
)
"""Name, seconds that lie between two looks at least, and who looks: an explicit list."""


def tell_due(agent: Agent, now: datetime) -> None:
    """Put what is due; a part that fails is logged and tried again, and the others go on."""
    if not agent.outbox.enrolled_as():
        return
    for name, apart, teller in TELLERS:
        if not agent.reporting.is_time(name, apart):
            continue
        try:
            teller(agent, now)
        except FullError:
            continue  # status, doctor and health say it
        except ClocheError as error:
            log.warning("a report was not put", what=name, why=agent.mask(str(error)))
        except Exception as error:  # noqa: BLE001  one bad record must not keep the others from being told
            log.error("a report was not put", what=name, error=describe(error))
