"""Who on a list is told by which way, who is not, and why: the same choice for the preview and for sending."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from agent.incident.store import family
from agent.notice.campaign import Campaign, Channel
from agent.notice.lists import Listed
from agent.notice.never import MAIL, PHONE, Never, never_of
from agent.notice.told import Handing, Told, ToldMemory, is_told

if TYPE_CHECKING:
    from agent.wiring import Agent

MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
CHUNK: Final = 500
Skip = Literal["staff", "never", "told_now", "told_before", "call", "unreachable"]
"""Not sent a message: staff and suppliers; the chain's own; told in this incident, or lately in another; a number that
no configured channel reaches; nothing at all."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to one person."""

    channel: Channel
    to: str = field(repr=False)
    used: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be done about one person; `way` is None where nothing is sent, and then `skip` says why."""

    person: Listed = field(repr=False)
    way: Way | None = None
    prints: tuple[bytes, ...] = field(default=(), repr=False)
    skip: Skip | None = None

    def handing(self) -> Handing:
        """For the memory of who was told."""
        assert self.way is not None  # noqa: S101  only called for whom there is a way
        others = tuple(print_ for print_ in self.prints if print_ != self.way.used)
        return Handing(person=self.person.place, channel=self.way.channel, used=self.way.used, others=others)


class Planner:
    """Chooses for one campaign."""

    def __init__(self, agent: Agent, campaign: Campaign, memory: ToldMemory) -> None:
        """Look up whom the incident is one with."""
        self._campaign = campaign
        self._memory = memory
        self._never: Never = never_of(agent)
        self._tries = agent.settings.notice.tries
        self._again_after = 0 if campaign.also_told else agent.settings.notice.again_after_days
        self._together = frozenset(family(agent, campaign.incident))

    def choose(self, people: Iterable[Listed], now: datetime) -> Iterator[Choice]:
        """What to do about each, in order."""
        waiting: list[Listed] = []
        for person in people:
            waiting.append(person)
            if len(waiting) >= CHUNK:
                yield from self._chunk(waiting, now)
                waiting = []
        yield from self._chunk(waiting, now)

    def _chunk(self, people: list[Listed], now: datetime) -> Iterator[Choice]:
        prints = [self._prints(person) for person in people]
        known = self._memory.known([print_ for some in prints for print_ in some])
        for person, some in zip(people, prints, strict=True):
            yield self._choose(person, some, [known[print_] for print_ in some if print_ in known], now)

    def _choose(self, person: Listed, prints: tuple[bytes, ...], told: list[Told], now: datetime) -> Choice:
        if person.side != "customer":
            return Choice(person=person, skip="staff")
        if self._is_own(person):
            return Choice(person=person, skip="never")
        for known in told:
            if is_told(known, self._together, now, self._again_after):
                return Choice(person=person, skip="told_now" if known.incident in self._together else "told_before")
        ways = list(self._ways(person))
        for known in told:
            if known.campaign == self._campaign.name and self._is_exhausted(known):
                ways = [way for way in ways if CHANNEL_ORDER[way.channel] > CHANNEL_ORDER[known.channel]]
        if not ways:
            return Choice(person=person, skip="call" if person.phones else "unreachable", prints=prints)
        return Choice(person=person, way=ways[0], prints=prints)

    def _is_exhausted(self, known: Told) -> bool:
        """Whether a contact reached nobody, and is not tried again."""
        if known.state == "passed":
            return True
        return known.state == "failed" and (known.tries >= self._tries or not is_safe(known.reason))

    def _ways(self, person: Listed) -> Iterator[Way]:
        mobiles = [number for number in person.phones if MOBILE.fullmatch(number)]
        for channel in self._campaign.channels:
            if channel == "mail" and person.mails:
                yield Way(channel=channel, to=person.mails[0], used=self._memory.print_of(MAIL, person.mails[0]))
            elif channel != "mail" and mobiles:
                yield Way(channel=channel, to=mobiles[0], used=self._memory.print_of(PHONE, mobiles[0]))

    def _prints(self, person: Listed) -> tuple[bytes, ...]:
        return (
            *(self._memory.print_of(PHONE, number) for number in person.phones),
            *(self._memory.print_of(MAIL, mailbox) for mailbox in person.mails),
        )

    def _is_own(self, person: Listed) -> bool:
        return any(self._never.covers(PHONE, number) for number in person.phones) or any(
            self._never.covers(MAIL, mailbox) for mailbox in person.mails
        )


CHANNEL_ORDER: Final[dict[str, int]] = {"sms": 0, "mail": 1, "crm": 2}
_SAFE: Final = frozenset({"unreachable", "tls", "login", "busy", "not_configured", "redirected", "refused", ""})


def is_safe(reason: str) -> bool:
    """Whether a try that failed for this reason may be repeated with the same contact: it surely was not taken."""
    return reason in _SAFE
