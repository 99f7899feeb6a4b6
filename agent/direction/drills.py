"""Drills that head office ordered: played now, or kept until their time has come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.direction.ordered import Ordered
from config.orders import Drill


def play_or_plan(one: Ordered, form: Drill, now: datetime) -> dict[str, Any]:
    """Play it. Whoever calls has seen that its time has come (`is_due`).

    Raises:
        RefusedError: another one is being played.
        UsageError: no such scenario.
        ClocheError: it could not be carried out.
    """
    document = one.call("drill.run", {"scenario": form.scenario, "live": form.live}).document
    return {
        "drill": document["id"], "state": document["state"], "score": document.get("score"),
        "passed": document.get("passed"), "at": now.isoformat(),
    }  # fmt: skip


def is_due(form: Drill, now: datetime) -> bool:
    """Whether its time has come."""
    return form.at is None or form.at <= now
