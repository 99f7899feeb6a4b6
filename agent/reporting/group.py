"""The chain's key of fingerprints: asked for at the start and once a day, in this process's memory only."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from agent.watch.api import NoWatch
from config.log import get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

ASK_AGAIN: Final = 600.0
"""Seconds before a question that nobody answered is asked anew."""
FRESH: Final = 86_400.0

log = get_logger("reporting")


def keep_group_key(agent: Agent, _now: datetime) -> None:
    """Take the key if it came; ask for it if it is time. A single command without a daemon needs none.

    Raises:
        ClocheError: the disk refused it, or what was pinned is damaged.
    """
    if isinstance(agent.watch, NoWatch) or not agent.outbox.enrolled_as():
        return
    look_for_key(agent, time.monotonic())


def look_for_key(agent: Agent, at: float) -> None:
    """See `keep_group_key`. `at` is the monotonic clock."""
    from agent.link import fingerprints, trust

    state, pinned = agent.reporting, trust.load(agent.home)
    if pinned is None or pinned.persons_key is None:
        return
    if state.group_asked is not None:
        said = fingerprints.answered(agent)
        if said is not None:
            asked, state.group_asked = state.group_asked, None
            found = fingerprints.read_key(pinned, asked, said)
            if found is None:
                log.warning("what came is not the key of fingerprints", word=str(said.get("error", ""))[:40])
            else:
                state.group = found
            return
    last = state.group_at
    apart = FRESH if state.group is not None else ASK_AGAIN
    if last is None or at - last >= apart:
        state.group_asked, state.group_at = fingerprints.ask_key(agent), at
