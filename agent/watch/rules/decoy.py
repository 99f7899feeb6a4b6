"""A decoy was opened: a file that looks like a member list and is nobody's to open."""

from __future__ import annotations

from agent.inventory.records import Severity
from agent.watch.api import Crossing
from agent.watch.rules.api import Action, Wording


class Decoy:
    """One touch is enough: no work needs this file. Backup programs must be exempt by policy."""

    def severity(self, crossing: Crossing) -> Severity:  # noqa: ARG002  the protocol's parameter
        """Always `critical`."""
        return "critical"

    def words(self, crossing: Crossing, wording: Wording, action: Action) -> str:
        """Who, with what, which file, and what was done."""
        return wording.text(
            "watch.decoy",
            who=wording.who(crossing.event),
            program=wording.program(crossing.event),
            path=wording.path(crossing.event),
            done=wording.done(action, crossing),
        )
