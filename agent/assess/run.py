"""Carry out an assessment: each measure by itself, so that one that fails hides no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.assess.look import Look
from agent.assess.measures import MEASURES
from agent.assess.measures.api import Measure
from agent.assess.records import Assessment, Measured, Result, say, unknown
from agent.assess.store import AssessmentStore, Kept
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("assess")


def assess(look: Look, actor: str) -> Assessment:
    """Look at everything. Nothing is changed and nothing kept."""
    measured = []
    for measure in MEASURES:
        weighed = look.pack.weighed(measure.id)
        measured.append(
            Measured(
                id=measure.id, row=weighed.row, risks=weighed.risks, weight=weighed.weight,
                result=_result(measure, look),
            )
        )  # fmt: skip
    return Assessment(at=look.now, actor=actor, pack=look.pack.version, measured=tuple(measured))


def _result(measure: Measure, look: Look) -> Result:
    """What a measure says; that it could not look, if it could not: unknown, never good."""
    try:
        return measure.measure(look)
    except ClocheError as error:
        reason = look.agent.mask(str(error))
    except Exception as error:  # noqa: BLE001  one broken room must not keep the others from being looked at
        log.error("a measure failed", measure=measure.id, error=describe(error))
        reason = type(error).__name__
    return unknown("cloche doctor", say("assess.ev_failed", reason=reason))


def assess_and_keep(agent: Agent, actor: str, look: Look | None = None) -> Kept:
    """Assess, keep it, and put its digest on record.

    Raises:
        ClocheError: it cannot be recorded.
    """
    look = look or Look(agent=agent, now=agent.now())
    kept = AssessmentStore(agent.inventory.sessions).keep(assess(look, actor))
    agent.audit.append("assess.run", actor, number=kept.id, score=kept.score, sha256=kept.sha256)
    return kept
