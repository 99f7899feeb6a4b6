"""Remind of training: the people themselves where they can be reached, and whoever sees to it; once a stage.

A course is nobody's emergency: it is told by day, in one message for all that came due. Staff are named masked, with
their number: a message goes through other people's servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Final

from agent.incident.moments import zone_of
from agent.training.catalogue import pack
from agent.training.records import Due
from agent.training.standing import standing
from agent.training.store import Register
from scanners.masking import mask_name

if TYPE_CHECKING:
    from agent.wiring import Agent

BY_DAY: Final = (time(9, 0), time(20, 0))
LISTED: Final = 12
"""Lines of a message: a WeCom text ends at 2,048 bytes."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Told `days` after the due day to holders of the roles `to`."""

    name: str
    days: int
    to: tuple[str, ...]


def stages() -> tuple[Stage, ...]:
    """The pack's stages, earliest first."""
    found = [Stage(name=row["stage"], days=row["days"], to=tuple(row["to"])) for row in pack()["reminders"]]
    return tuple(sorted(found, key=lambda stage: stage.days))


def remind(agent: Agent, now: datetime) -> None:
    """The keeper's duty: tell what reached a stage since the last look, at most one look a day.

    After a time without a daemon only the latest stage is told. A stage that nobody could be told of is told as soon
    as somebody holds one of its roles.

    Raises:
        ClocheError: it could not be queued; the next tick tries again.
    """
    local = now.astimezone(zone_of(agent.settings.store.timezone))
    register = Register(agent)
    if not BY_DAY[0] <= local.time() < BY_DAY[1] or not register.look_due(local.date()):
        return
    told = register.reminded()
    fresh: dict[Stage, list[Due]] = {}
    for entry in standing(agent, now).owed:
        reached = [stage for stage in stages() if entry.days_left(local.date()) <= -stage.days]
        if reached and (entry.staff.number, entry.kind, entry.id, entry.due, reached[-1].name) not in told:
            fresh.setdefault(reached[-1], []).append(entry)
    for stage, entries in fresh.items():
        if _tell(agent, register, stage, entries):
            register.remember(stage.name, entries, now)
            agent.audit.append("training.reminded", "cloche", stage=stage.name, count=len(entries))
    register.looked(local.date(), now)


def _tell(agent: Agent, register: Register, stage: Stage, entries: Sequence[Due]) -> bool:
    """Whether anybody could be told."""
    from agent.messages import tell

    text = agent.text
    words = Titles(agent, register)
    sent = False
    holders = agent.people.holding(stage.to)  # type: ignore[arg-type]  # a role of the pack; a test checks them
    if holders:
        lines = [words.line(entry) for entry in entries[:LISTED]]
        if len(entries) > LISTED:
            lines.append(text("training.more_due", count=len(entries) - LISTED))
        subject = text(f"training.remind_{stage.name}", count=len(entries), store=agent.settings.store.name)
        body = "\n".join((text(f"training.remind_{stage.name}_lead"), *lines))
        sent = bool(tell(agent, [person.name for person in holders], subject, body, purpose="training"))
    leaders = {person.name for person in holders}
    for name, own in _by_name(entries).items():
        person = agent.people.named(name)
        if person is not None and name not in leaders:
            subject = text("training.remind_own", count=len(own))
            body = "\n".join(words.line(entry, own=True) for entry in own)
            sent = bool(tell(agent, [name], subject, body, purpose="training")) or sent
    return sent


def _by_name(entries: Iterable[Due]) -> dict[str, list[Due]]:
    found: dict[str, list[Due]] = {}
    for entry in entries:
        found.setdefault(entry.staff.name, []).append(entry)
    return found


class Titles:
    """Words for what is due."""

    def __init__(self, agent: Agent, register: Register) -> None:
        self._agent = agent
        self._courses, self._policies = register.catalogue()

    def of(self, entry: Due) -> str:
        """The title of the course or policy, in the store's language."""
        language = self._agent.text.language
        if entry.kind == "course":
            return self._courses[entry.id].title[language]
        policy = self._policies[entry.id]
        return self._agent.text("training.sign", title=policy.title[language], version=policy.version)

    def line(self, entry: Due, *, own: bool = False) -> str:
        """One line of a message."""
        values = {"what": self.of(entry), "due": entry.due.isoformat()}
        if own:
            return self._agent.text("training.line_own", **values)
        who = f"{mask_name(entry.staff.name)} ({self._agent.mask(entry.staff.number)})"
        return self._agent.text("training.line_due", who=who, **values)
