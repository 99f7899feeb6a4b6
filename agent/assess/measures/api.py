"""What a measure is."""

from __future__ import annotations

from typing import ClassVar, Protocol

from agent.assess.look import Look
from agent.assess.records import Result


class Measure(Protocol):
    """One thing to check. `id` names its data in the pack and its texts (`assess.measure_<id>`)."""

    id: ClassVar[str]

    def measure(self, look: Look) -> Result:
        """Look, and say what was found.

        Raises:
            ClocheError: it could not look: counted as unknown, with the cause.
        """
        ...
