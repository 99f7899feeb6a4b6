"""五.2 人员培训: people learn, sign what they have to know, and have tried it."""

from __future__ import annotations

from typing import ClassVar, Literal

from agent.assess.look import SHOWN, Look
from agent.assess.records import Result, bad, good, partial, say, unknown
from scanners.masking import mask_name


class Training:
    """Courses: nobody overdue."""

    id: ClassVar[str] = "training"

    def measure(self, look: Look) -> Result:
        """See the class."""
        return owed(look, "course", "assess.ev_training")


class Policies:
    """Policies, also that access is watched: everybody has acknowledged the version in force."""

    id: ClassVar[str] = "policies"

    def measure(self, look: Look) -> Result:
        """See the class."""
        return owed(look, "policy", "assess.ev_policies")


class Drills:
    """A drill within the year (GB/T 35273 ch. 10), and it was passed."""

    id: ClassVar[str] = "drills"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.drill import last_drill, overdue

        drill = last_drill(look.agent)
        if drill is None:
            return unknown("cloche drill run", say("assess.ev_never_drilled"))
        evidence = say("assess.ev_drilled", date=look.day(drill.at), score=round(drill.score))
        if overdue(look.agent, look.now):
            return bad("cloche drill run", evidence)
        if not drill.passed:
            return partial(drill.score / 100, "cloche drill run", evidence, say("assess.ev_drill_failed"))
        return good(evidence)


def owed(look: Look, kind: Literal["course", "policy"], key: str) -> Result:
    """By the share of staff who owe nothing overdue of this kind."""
    from agent.training.standing import standing

    now = standing(look.agent, look.now)
    if not now.staff:
        return unknown("cloche training staff import FILE", say("assess.ev_no_staff"))
    late = [due for due in now.overdue if due.kind == kind]
    people = {due.staff.number for due in late}
    evidence = say(key, done=now.staff - len(people), of=now.staff, late=len(late))
    if not late:
        return good(evidence)
    named = tuple(
        say("assess.ev_overdue", name=mask_name(due.staff.name), what=due.id, due=due.due.isoformat())
        for due in late[:SHOWN]
    )
    score = 1 - len(people) / now.staff
    command = "cloche training due"
    return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)
