"""Duties that no incident starts: what to keep how long, what to repeat, what to file when so many persons are held.

A filing is due so many working days after the bound was first seen to be reached; a repetition so long after it was
last done, as far as that is on record. What Cloche cannot count (faces) is told as such, never as "not needed".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select

from agent.incident.clocks import CARDS, iso
from agent.incident.duties import LONGEST_WORD
from agent.incident.duty_models import RingRow, StandingDoneRow, StandingRow
from agent.incident.law import Regime, Standing, load_regimes
from agent.incident.rings import load_schedule
from agent.incident.wording import Wording
from agent.incident.workdays import after_working_days
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent

BEFORE_DAYS: Final = (30, 7, 1, 0)
AFTER_DAYS: Final = (7, 14, 28)
NO_INCIDENT: Final = ""
LOOKED: Final = ""
"""The row that says when all of them were last looked at."""
EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Done:
    """When a standing duty was last done."""

    at: datetime
    by: str
    receipt: str


@dataclass(frozen=True, kw_only=True)
class StandingState:
    """One of them as it holds here. `reached` None: Cloche cannot tell. `due` None: nothing, or it is not known."""

    regime: Regime
    duty: Standing
    reached: bool | None
    since: datetime | None
    done: Done | None
    due: datetime | None
    verified: bool

    @property
    def key(self) -> str:
        """`<regime>/<duty>`, stable."""
        return f"{self.regime.id}/{self.duty.id}"

    def document(self, wording: Wording) -> dict[str, Any]:
        """As JSON, in one language."""
        language = wording.text.language
        return {
            "key": self.key, "subject": self.duty.subject, "how": self.duty.how,
            "regime": self.regime.name[language], "title": self.duty.title[language],
            "authority": self.duty.authority[language],
            "note": self.duty.note[language] if self.duty.note else "", "days": self.duty.days,
            "working_days": self.duty.working_days, "reached": self.reached, "since": iso(self.since, wording.zone),
            "done_at": iso(self.done.at, wording.zone) if self.done else None,
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
    done = last_done(agent)
    return [
        _state(agent, regime, duty, held, done.get(f"{regime.id}/{duty.id}"), now)
        for regime in load_regimes()
        for duty in regime.standing
        if cards or not duty.when.card_data
    ]


def _state(agent: Agent, regime: Regime, duty: Standing, held: int, done: Done | None, now: datetime) -> StandingState:
    reached = is_reached(duty, held)
    since = _since(agent, f"{regime.id}/{duty.id}", now) if reached and duty.working_days else None
    due, verified = None, duty.verified
    if since is not None and duty.working_days is not None and done is None:
        days = after_working_days(since, duty.working_days, duty.calendar, ZoneInfo(regime.zone or "UTC"))
        due, verified = days.at - timedelta(seconds=1), verified and days.verified
    elif duty.how == "repeat" and done is not None and duty.days and reached:
        due = done.at + timedelta(days=duty.days)
    return StandingState(regime=regime, duty=duty, reached=reached, since=since, done=done, due=due, verified=verified)


def is_reached(duty: Standing, held: int) -> bool | None:
    """Whether a bound is reached; True where there is none, None where only people can tell."""
    when = duty.when
    if when.held_persons is not None:
        return held >= when.held_persons
    return None if when.faces is not None else True


def has_cards(agent: Agent) -> bool:
    """Card data was found by a scan."""
    return any(True for name in sorted(CARDS) for _item in agent.inventory.items(entity=name))


def last_done(agent: Agent) -> dict[str, Done]:
    """The last time that each was done, by its key."""
    with agent.inventory.reading() as session:
        rows = session.scalars(select(StandingDoneRow).order_by(StandingDoneRow.at, StandingDoneRow.id))
        return {row.duty: Done(at=row.at, by=row.by, receipt=row.receipt) for row in rows}


def record_done(agent: Agent, key: str, actor: str, at: datetime, receipt: str) -> None:
    """Put down that a standing duty was done.

    Raises:
        UsageError: there is no such duty.
    """
    known = {f"{regime.id}/{duty.id}" for regime in load_regimes() for duty in regime.standing}
    if key not in known:
        raise UsageError(agent.text("law.no_duty", key=agent.mask(key[:LONGEST_WORD]), names=", ".join(sorted(known))))
    words = agent.mask(receipt.strip()[:LONGEST_WORD])
    with agent.inventory.sessions.begin() as session:
        session.add(StandingDoneRow(duty=key, at=at, recorded_at=agent.now(), by=actor, receipt=words))
    agent.audit.append("law.done", agent.mask(actor), duty=key, at=at.isoformat(timespec="seconds"), receipt=words)


def keep_standing(agent: Agent, now: datetime) -> None:
    """Keeper: remind of what is to be filed or repeated, each time once, before and after it is due; hourly."""
    from agent.messages import tell

    if not _is_hour_over(agent, now):
        return
    with agent.inventory.reading() as session:
        rows = session.scalars(select(RingRow).where(RingRow.incident == NO_INCIDENT))
        given = {(row.duty, row.ring) for row in rows}
    for state in standing_duties(agent, now):
        ripe = [(name, at) for name, at in moments(state) if at <= now and (state.key, name) not in given]
        if not ripe or state.due is None:
            continue
        circle = load_schedule().roles
        over = now > state.due
        people = agent.people.holding([*circle.owners, *(circle.level_1 if over else ())])
        told = tell(
            agent, [person.name for person in people] or circle.owners,
            agent.text("law.standing_subject", store=agent.settings.store.name),
            agent.text(
                "law.standing_text", title=state.duty.title[agent.text.language],
                to=state.duty.authority[agent.text.language],
                due=Wording(agent.text, ZoneInfo(agent.settings.store.timezone)).with_offset(state.due),
                flag="" if state.verified else agent.text("law.flag"), key=state.key,
            ),
            purpose="escalation" if over else "reminder",
        )  # fmt: skip
        with agent.inventory.sessions.begin() as session:
            for name, at in ripe:
                session.add(
                    RingRow(
                        incident=NO_INCIDENT, duty=state.key, ring=name, level=int(over), due_at=at, sent_at=now,
                        late=False, told=len(told),
                    )
                )  # fmt: skip
        agent.audit.append("law.reminded", "cloche", duty=state.key, rings=[name for name, _at in ripe])


def moments(state: StandingState) -> Iterator[tuple[str, datetime]]:
    """When people are reminded of a standing duty, each under a name of its own."""
    if state.due is None:
        return
    for days in BEFORE_DAYS:
        yield f"{state.due:%Y%m%d}-{days}d", state.due - timedelta(days=days)
    for days in AFTER_DAYS:
        yield f"{state.due:%Y%m%d}+{days}d", state.due + timedelta(days=days)


def _is_hour_over(agent: Agent, now: datetime) -> bool:
    """An hour has gone by since this was last asked, or the clock went back; asking starts the next hour."""
    with agent.inventory.reading() as session:
        row = session.get(StandingRow, LOOKED)
        if row is not None and timedelta() <= now - row.since < EVERY:
            return False
    with agent.inventory.sessions.begin() as session:
        session.merge(StandingRow(duty=LOOKED, since=now))
    return True


def _since(agent: Agent, key: str, now: datetime) -> datetime:
    with agent.inventory.reading() as session:
        row = session.get(StandingRow, key)
        if row is not None:
            return row.since
    with agent.inventory.sessions.begin() as session:
        session.add(StandingRow(duty=key, since=now))
    return now
