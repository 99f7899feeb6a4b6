"""Drills (应急演练): the real code path on made-up customers, timed and scored, and nothing real within reach."""

from agent.drill.records import Drill
from agent.drill.standing import due_on, last_drill, overdue

__all__ = ["Drill", "due_on", "last_drill", "overdue"]
