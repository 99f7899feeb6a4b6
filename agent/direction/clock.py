"""What time it is, put right by head office's signed word.

A store's clock may be a year off. Head office signs its time together with a challenge that this process made: an old
word fits no new challenge. Between challenge and word some seconds passed, which the steady count tells, so the true
time lies between the word and the word plus those seconds. Without such a word the machine's clock has to do, but
never one that lies before the latest moment that head office is known to have signed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agent.direction.box import Told
from agent.direction.facts import LATEST, read_fact, write_fact
from agent.link.signed import is_time
from agent.link.trust import Trust

if TYPE_CHECKING:
    from agent.wiring import Agent

WAIT_FOR_TIME: Final = 120.0
"""Seconds after a start for which an order that looks expired by the machine's clock waits for head office's word."""
NOTABLE: Final = 300.0
"""Seconds by which the machine's clock may be off before it is put on record."""


def hear_time(agent: Agent, trust: Trust, word: Any) -> bool:
    """Take head office's time, if it is for the open challenge; whether it was."""
    box = agent.orders
    try:
        body, signature = str(word["body"]), str(word["signature"])
        if not is_time(trust.order_key, body, signature):
            return False
        said = json.loads(body)
        if not box.challenge or said["challenge"] != box.challenge:
            return False
        moment = datetime.fromisoformat(said["now"])
        if moment.tzinfo is None:
            return False
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    late = max(0.0, agent.steady().seconds - box.challenged_at)
    offset = (moment - agent.now()).total_seconds()
    known, box.told = box.told, Told(offset=offset, late=late)
    box.renew_challenge(agent)
    note_signed(agent, moment)
    if abs(offset) > NOTABLE and (known is None or abs(known.offset - offset) > NOTABLE):
        agent.audit.append("direction.clock", "cloche", ok=False, off_seconds=round(-offset))
    return True


def note_signed(agent: Agent, moment: datetime) -> None:
    """Head office was at this moment once: it is not earlier now."""
    known = read_fact(agent, LATEST)
    if not known or datetime.fromisoformat(known) < moment:
        write_fact(agent, LATEST, moment.astimezone(UTC).isoformat())


def is_over(agent: Agent, expires_at: datetime) -> bool | None:
    """Whether an order's time is over; None where head office's word has to be waited for."""
    box = agent.orders
    if box.told is not None:
        latest = agent.now() + timedelta(seconds=box.told.offset)
        return latest >= expires_at
    known = read_fact(agent, LATEST)
    floor = datetime.fromisoformat(known) if known else None
    if floor is not None and floor >= expires_at:
        return True
    if agent.now() < expires_at:
        return False
    box.started = agent.steady().seconds if box.started is None else box.started
    return True if agent.steady().seconds - box.started > WAIT_FOR_TIME else None


def right_now(agent: Agent) -> datetime:
    """The time, as well as it is known."""
    told = agent.orders.told
    return agent.now() + timedelta(seconds=told.offset) if told else agent.now()
