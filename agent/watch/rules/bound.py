"""Too many distinct customer files, or too many estimated persons, for one session or one account in the window."""

from __future__ import annotations

from agent.inventory.records import Severity
from agent.watch.api import Crossing
from agent.watch.rules.api import Action, Wording


class Bound:
    """The usual leak: a copy of the share, or one big member list."""

    def severity(self, crossing: Crossing) -> Severity:
        """`critical` where the policy stops or declares, `warning` where it only tells."""
        return "warning" if crossing.response == "alert" else "critical"

    def words(self, crossing: Crossing, wording: Wording, action: Action) -> str:
        """Who, with what, how much they got, and what was done."""
        return wording.text(
            "watch.bound",
            who=wording.who(crossing.event),
            program=wording.program(crossing.event),
            files=len(crossing.keys),
            persons=crossing.persons,
            done=wording.done(action, crossing),
        )
