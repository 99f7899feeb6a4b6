"""Remind whoever leads security that a drill is due: by day, once a stage. A store that never held one is told by
`assess`, not by a message every morning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.drill.scenarios import load_plan
from agent.drill.standing import due_on
from agent.drill.store import DrillStore
from agent.incident.moments import zone_of
from agent.training.reminders import BY_DAY

if TYPE_CHECKING:
    from agent.wiring import Agent


def remind(agent: Agent, now: datetime) -> None:
    """The keeper's duty: tell the latest stage that was reached and not told.

    Raises:
        ClocheError: it could not be queued; the next tick tries again.
    """
    local = now.astimezone(zone_of(agent.settings.store.timezone))
    if not BY_DAY[0] <= local.time() < BY_DAY[1]:
        return
    due = due_on(agent)
    if due is None:
        return
    stages = sorted(load_plan().reminders, key=lambda stage: stage.days)
    reached = [stage for stage in stages if local.date() >= due + timedelta(days=stage.days)]
    store = DrillStore(agent)
    if not reached or (due.isoformat(), reached[-1].stage) in store.reminded():
        return
    people = [person.name for person in agent.people.holding(reached[-1].to)]
    if not people:
        return
    from agent.messages import tell

    text, stage = agent.text, reached[-1].stage
    subject = text(f"drill.remind_{stage}", store=agent.settings.store.name, due=due.isoformat())
    tell(agent, people, subject, text("drill.remind_text", due=due.isoformat()), purpose="training")
    store.remember(due.isoformat(), [stage.stage for stage in reached], now)
    agent.audit.append("drill.reminded", "cloche", stage=stage, due=due.isoformat())
