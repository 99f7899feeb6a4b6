"""Duties that no incident starts: what to keep how long, what to repeat, what to file when so many persons are held.

A filing is due so many working days after the bound was first seen to be reached; that moment is kept. What Cloche
cannot count (faces) is told as such, never as "not needed".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from agent.incident.clocks import CARDS, iso
from agent.incident.duty_models import StandingRow
from agent.incident.law import Regime, Standing, load_regimes
from agent.incident.wording import Wording
from agent.incident.workdays import after_working_days

if TYPE_CHECKING:
    from agent.wiring import Agent


@dataclass(frozen=True, kw_only=True)
class StandingState:
    """One of them as it holds here. `reached` None: Cloche cannot tell. `due` only where something is to be filed."""

    regime: Regime
    duty: Standing
    reached: bool | None
    since: datetime | None
    due: datetime | None
    verified: bool

    def document(self, wording: Wording) -> dict[str, Any]:
        """As JSON, in one language."""
        language = wording.text.language
        return {
            "key": f"{self.regime.id}/{self.duty.id}", "subject": self.duty.subject, "how": self.duty.how,
            "regime": self.regime.name[language], "title": self.duty.title[language],
            "authority": self.duty.authority[language],
            "note": self.duty.note[language] if self.duty.note else "", "days": self.duty.days,
            "working_days": self.duty.working_days, "reached": self.reached, "since": iso(self.since, wording.zone),
            "due": iso(self.due, wording.zone), "verified": self.verified, "source": self.regime.source,
            "date": self.regime.date,
        }  # fmt: skip


def standing_duties(agent: Agent, now: datetime) -> list[StandingState]:
    """All of them, in the order of the regimes; those that are about card data only where there is any.

    The moment when a bound was first seen to be reached is put down here.
    """
    last = agent.inventory.last_run()
    held = last.persons if last else 0
    cards = has_cards(agent)
    found = []
    for regime in load_regimes():
        for duty in regime.standing:
            if duty.when.card_data and not cards:
                continue
            reached = is_reached(duty, held)
            since = _since(agent, f"{regime.id}/{duty.id}", now) if reached and duty.working_days else None
            due, verified = None, duty.verified
            if since is not None and duty.working_days is not None:
                days = after_working_days(since, duty.working_days, duty.calendar, ZoneInfo(regime.zone or "UTC"))
                due, verified = days.at - timedelta(seconds=1), verified and days.verified
            found.append(
                StandingState(regime=regime, duty=duty, reached=reached, since=since, due=due, verified=verified)
            )
    return found


def is_reached(duty: Standing, held: int) -> bool | None:
    """Whether a bound is reached; True where there is none, None where only people can tell."""
    when = duty.when
    if when.held_persons is not None:
        return held >= when.held_persons
    return None if when.faces is not None else True


def has_cards(agent: Agent) -> bool:
    """Card data was found by a scan."""
    return any(True for name in sorted(CARDS) for _item in agent.inventory.items(entity=name))


def _since(agent: Agent, key: str, now: datetime) -> datetime:
    with agent.inventory.sessions.begin() as session:
        row = session.get(StandingRow, key)
        if row is None:
            row = StandingRow(duty=key, since=now)
            session.add(row)
        return row.since
