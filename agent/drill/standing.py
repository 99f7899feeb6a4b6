"""When a drill is due: at least once a year (GB/T 35273 ch. 10); the interval is data."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from agent.drill.records import Drill
from agent.drill.scenarios import load_plan
from agent.drill.store import DrillStore
from agent.training.standing import plus_months, today_of

if TYPE_CHECKING:
    from agent.wiring import Agent


def last_drill(agent: Agent) -> Drill | None:
    """The newest drill that was played to its end, with its score; None if there was none."""
    return next(iter(DrillStore(agent).all(states=("done",), most=1)), None)


def due_on(agent: Agent) -> date | None:
    """When the next drill is due; None where none was ever held: it is due now."""
    last = last_drill(agent)
    return None if last is None else plus_months(today_of(agent, last.at), load_plan().interval.months)


def overdue(agent: Agent, now: datetime) -> bool:
    """No drill within the interval."""
    due = due_on(agent)
    return due is None or due < today_of(agent, now)
