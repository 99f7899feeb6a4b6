"""Drills that ended: what was played, how fast it was seen, contained and reported, and whether it passed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agent.reporting.state import note_reported, reported, said_of

if TYPE_CHECKING:
    from agent.drill.records import Drill
    from agent.wiring import Agent

KIND: Final = "drill"
RECENT: Final = 20
FINAL_AFTER: Final = timedelta(days=30)
"""Until then somebody who acknowledges late may change the score."""
LONGEST: Final = 4000


def tell_drills(agent: Agent, now: datetime) -> int:
    """Put the drills that ended since, and those whose score changed; how many.

    Raises:
        FullError: too much waits; nothing is lost.
        ClocheError: the disk refused it.
    """
    from agent.drill.store import DrillStore

    told = 0
    for drill in reversed(DrillStore(agent).all(states=("done", "cut", "failed"), most=RECENT)):
        if drill.ended_at is None or now - drill.ended_at > FINAL_AFTER:
            continue
        document = drill_document(agent, drill)
        said = said_of(document)
        if reported(agent, KIND, drill.id) != said:
            agent.outbox.put(KIND, document)
            note_reported(agent, KIND, drill.id, said)
            told += 1
    return told


def drill_document(agent: Agent, drill: Drill) -> dict[str, Any]:
    """One drill; seconds are null where something did not come about."""
    from agent.drill.view import document_of

    shown = document_of(agent, drill)
    seconds = {measure.name: measure.value for measure in drill.measures}
    words = [shown["title"], *shown["findings"], *shown["notes"]]
    return {
        "id": drill.id, "scenario": drill.scenario, "at": drill.at.isoformat(),
        "ended_at": drill.ended_at.isoformat() if drill.ended_at else None,
        "ok": drill.state == "done" and drill.passed, "score": round(drill.score, 1),
        "detect_seconds": seconds.get("detect"), "contain_seconds": seconds.get("contain"),
        "report_seconds": seconds.get("report_draft"),
        "text": agent.mask("\n".join(str(word) for word in words))[:LONGEST],
    }  # fmt: skip
