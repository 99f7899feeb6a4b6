"""Points for what was measured: all of them at the target, half within a few times of it, none beyond.

Points and bounds are data (`config/data/drill/plan.toml`). Measures that a scenario does not have are left out, and
the rest make up a hundred, so that scenarios can be compared with their own last time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.drill.records import AT_MOST, Measure, MeasureName
from agent.drill.scenarios import Plan, Scenario

ALWAYS: tuple[MeasureName, ...] = ("restored", "recorded")


def judge(
    scenario: Scenario, plan: Plan, measured: Mapping[MeasureName, float | None], *, asked: int
) -> tuple[tuple[Measure, ...], float]:
    """Every measure of the scenario, and the score from 0 to 100.

    Args:
        scenario: its targets.
        plan: points and bounds.
        measured: seconds, counts, shares; None or absent where it did not come about.
        asked: how many people were to acknowledge; with none of them it is not judged.
    """
    targets: dict[MeasureName, float] = {**scenario.targets, **dict.fromkeys(ALWAYS, 1.0)}
    if asked:
        targets["acknowledged"] = 1.0
    if scenario.head_office == "unreachable":
        targets["queued"] = 1.0
    if scenario.absent:
        targets["escalated"] = 1.0
    if scenario.actor == "vendor" and "traced" in measured:
        targets["traced"] = 1.0
    worth = {name: plan.points[name] for name in targets}
    whole = sum(worth.values())
    measures = tuple(
        _one(name, measured.get(name), target, 100 * worth[name] / whole, plan) for name, target in targets.items()
    )
    return measures, round(sum(measure.points for measure in measures), 1)


def _one(name: MeasureName, value: float | None, target: float, worth: float, plan: Plan) -> Measure:
    if value is None:
        share = 0.0
    elif name in AT_MOST:
        share = 1.0 if value <= target else 0.5 if value <= target * plan.judging.half_within else 0.0
    else:
        share = max(0.0, min(1.0, value / target))
    return Measure(name=name, value=value, target=target, points=share * worth, worth=worth, met=share >= 1)


def compared(now: Sequence[Measure], before: Sequence[Measure]) -> dict[MeasureName, float]:
    """How each measure changed since last time; of those that both have."""
    known = {measure.name: measure.value for measure in before}
    return {
        measure.name: measure.value - old
        for measure in now
        if measure.value is not None and (old := known.get(measure.name)) is not None
    }
