"""Places that head office names: by identifiers of the inventory it was told, never by paths."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

from agent.reporting import places
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


def paths_of(agent: Agent, wanted: Collection[str]) -> list[str]:
    """The paths behind them, as operations take them.

    Raises:
        UsageError: one of them is not there any more: whoever ordered it looked at an older picture.
    """
    if not wanted:
        return []
    found = places.paths_of(agent, wanted)
    missing = set(wanted) - found.keys()
    if missing:
        raise UsageError(agent.text("direction.no_places", count=len(missing), ids=", ".join(sorted(missing)[:5])))
    return [os.fsdecode(found[name]) for name in wanted]
