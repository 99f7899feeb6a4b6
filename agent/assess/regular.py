"""Regular assessment (五.3) without anybody asking: once a week by the daemon, so that the history has no holes.

It counts as no person's review. A single command without a daemon does not stop to assess.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.assess.run import assess_and_keep
from agent.assess.store import AssessmentStore
from agent.schedule import is_trading

if TYPE_CHECKING:
    from agent.wiring import Agent

EVERY: Final = timedelta(days=7)


def keep_assessing(agent: Agent, now: datetime) -> None:
    """Assess where the last assessment, by whomever, is a week old; with a clock set back, at once.

    Not while the store trades, unless a second week passed: it is some seconds of a core, and asks the package manager.

    Raises:
        ClocheError: it cannot be recorded.
    """
    if agent.watch.tier == "none":
        return
    last = next(iter(AssessmentStore(agent.inventory.sessions).assessments(limit=1)), None)
    if last is not None and last.at <= now < last.at + 2 * EVERY and is_trading(agent.settings, now):
        return
    if last is None or not last.at <= now < last.at + EVERY:
        assess_and_keep(agent, "cloche")
