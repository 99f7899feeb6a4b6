"""Send an approved campaign: a few at a time, never in quiet hours, nobody twice.

Order of each batch: who is told is written down durably (`handing`) → the batch is sealed for the link → `handed` → the
list's place moves on. Cut off anywhere, the next round finds whoever was `handing` and calls them `uncertain`: they may
have been told, and only a person's word sends to them again. What the gateway surely refused is tried again; a time-out
or an answer that makes no sense may hide a message that went out, and is uncertain as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agent.incident.course import Course
from agent.incident.moments import zone_of
from agent.incident.store import incidents
from agent.notice.campaign import Campaign, Channel, approval, campaign_named, campaigns, change
from agent.notice.lists import Listed, lend_key, list_of, people
from agent.notice.planning import Choice, Planner
from agent.notice.texts import greeting
from agent.notice.told import AGAIN, ToldMemory, ToldState
from config.errors import ClocheError, RefusedError, UsageError

if TYPE_CHECKING:
    from agent.messages.batches import Row
    from agent.messages.records import Answer
    from agent.wiring import Agent
    from containment.keys import Unlocker

RETRY_AFTER: Final = timedelta(minutes=5)
MAY_HAVE_BEEN_TAKEN: Final = frozenset({"timeout", "bad_answer"})
_SENDING: Final = threading.Lock()  # one round at a time: whoever is `handing` at its start was cut off


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round did."""

    handed: int = 0
    ended: bool = False
    waits: str = ""


def start(agent: Agent, campaign: Campaign, unlocker: Unlocker | None, actor: str) -> Campaign:
    """Begin to send, or go on; the keeper goes on from here while the keys are in memory.

    Raises:
        RefusedError: two people have not approved exactly this, or the list's key is missing.
        UsageError: the incident is a false alarm, or nothing is configured to send by.
        CorruptError: the list was changed.
    """
    incident = incidents(agent).get(campaign.incident)
    if incident.phase == "dismissed":
        raise UsageError(agent.text("notice.was_false_alarm", id=incident.id))
    if campaign.state == "decided_not":
        raise UsageError(agent.text("notice.no_draft"))
    if not campaign.channels:
        raise UsageError(agent.text("notice.no_channel"))
    approval(agent, campaign, actor)
    made = list_of(agent, campaign.list_id)
    if unlocker is not None:
        lend_key(agent, made, unlocker)
    with people(agent, made, None):
        pass  # the list opens, is the one that was approved, and nobody needs the key again for 72 h
    if campaign.state == "draft":
        campaign = change(agent, campaign, state="sending")
        Course(agent, incident.id, agent.mask(actor)).record(
            "notice.started", version=campaign.version, digest=campaign.digest, persons=made.persons
        )
    elif campaign.state == "sent":
        campaign = change(agent, campaign, state="sending")
    return campaign


def settle_uncertain(agent: Agent, campaign: Campaign, actor: str, *, resend: bool) -> int:
    """A person's word about those who may have been told: send again (`resend`), or count them as told; how many."""
    memory = ToldMemory(agent)
    with _SENDING:
        memory.leftovers(campaign.name)
    numbers = memory.people(campaign.name, ("uncertain",))
    to: tuple[ToldState, str] = ("lost", "by_word") if resend else ("sent", "by_word")
    moved = memory.move(campaign.name, dict.fromkeys(numbers, to), of=("uncertain",))
    if moved:
        Course(agent, campaign.incident, agent.mask(actor)).record(
            "notice.uncertain_resend" if resend else "notice.uncertain_told", persons=moved
        )
    return moved


def send_due(agent: Agent, now: datetime) -> None:
    """A round of each campaign that is being sent: a duty of the keeper."""
    for campaign in campaigns(agent, "sending"):
        round_of(agent, campaign, now)


def round_of(agent: Agent, campaign: Campaign, now: datetime) -> Round:
    """Hand over as many as may go now.

    Raises:
        ClocheError: the disk refused to write down who is told: nothing was sent.
    """
    if not _SENDING.acquire(timeout=5):
        return Round(waits="busy")
    try:
        return _round(agent, campaign, now)
    finally:
        _SENDING.release()


def _round(agent: Agent, campaign: Campaign, now: datetime) -> Round:
    memory = ToldMemory(agent)
    memory.leftovers(campaign.name)
    silent = now - timedelta(hours=agent.settings.senders.give_up_hours)
    memory.give_up(campaign.name, silent)
    if is_quiet(agent, now):
        return _wait(agent, campaign, "quiet")
    if incidents(agent).get(campaign.incident).phase == "dismissed":
        return _wait(agent, campaign, "dismissed")
    room = min(agent.settings.notice.batch, agent.settings.senders.notice_per_minute) - memory.outstanding(
        campaign.name
    )
    if room <= 0:
        return _wait(agent, campaign, "receipts")
    try:
        with people(agent, list_of(agent, campaign.list_id), None, _first(memory, campaign)) as everybody:
            return _hand_over(agent, campaign, memory, everybody, (room, now))
    except RefusedError:
        return _wait(agent, campaign, "no_key")


def _first(memory: ToldMemory, campaign: Campaign) -> int:
    again = memory.people(campaign.name, AGAIN)
    return min((campaign.position, *again))


def _hand_over(
    agent: Agent, campaign: Campaign, memory: ToldMemory, everybody: Iterator[Listed], bounds: tuple[int, datetime]
) -> Round:
    room, now = bounds
    again = memory.people(campaign.name, AGAIN)
    later = {
        place for place, told in again.items() if told.state == "failed" and now - told.at < RETRY_AFTER * told.tries
    }
    planner = Planner(agent, campaign, memory)
    wanted = (
        person
        for person in everybody
        if person.place >= campaign.position or (person.place in again and person.place not in later)
    )
    chosen: list[Choice] = []
    position, ended = campaign.position, True
    for choice in planner.choose(wanted, now):
        if len(chosen) >= room:
            ended = False
            break
        position = max(position, choice.person.place + 1)
        if choice.way is not None and choice.person.place not in later:
            chosen.append(choice)
    for channel in campaign.channels:
        some = [choice for choice in chosen if choice.way is not None and choice.way.channel == channel]
        if some and (waits := _batch(agent, campaign, memory, channel, some)):
            return _wait(agent, campaign, waits)
    campaign = change(agent, campaign, position=position, waits="")
    if ended and not chosen and not later and not memory.outstanding(campaign.name):
        return _end(agent, campaign, memory)
    return Round(handed=len(chosen))


def _batch(agent: Agent, campaign: Campaign, memory: ToldMemory, channel: Channel, some: list[Choice]) -> str:
    """Hand over one batch; why not, or ''."""
    from agent.messages import send_batch

    memory.hand(campaign.name, campaign.incident, [choice.handing() for choice in some])
    places = [choice.person.place for choice in some]
    try:
        send_batch(agent, campaign.name, channel, [row_of(campaign, choice) for choice in some])
    except RefusedError:
        # nothing was sealed: these were surely not told
        memory.move(campaign.name, dict.fromkeys(places, ("lost", "no_link")), of=("handing",))
        return "no_link"
    except ClocheError:
        memory.move(campaign.name, dict.fromkeys(places, ("uncertain", "disk")), of=("handing",))
        raise
    memory.move(campaign.name, dict.fromkeys(places, ("handed", "")), of=("handing",))
    return ""


def row_of(campaign: Campaign, choice: Choice) -> Row:
    """What the link sends to one person."""
    from agent.messages.batches import Row as Made

    assert choice.way is not None  # noqa: S101  see Choice.handing
    texts, number, to = campaign.texts["texts"], choice.person.place, choice.way.to
    if choice.way.channel == "sms":
        sms: dict[str, Any] = campaign.texts["sms"] or {"text": texts["zh-CN"]["phone"], "parameters": {}}
        return Made(number=number, to=to, text=sms["text"], parameters=sms["parameters"])
    bodies = [
        texts[language]["mail"].replace("{greeting}", greeting(choice.person.name, language))
        for language in ("zh-CN", "en")
    ]
    return Made(number=number, to=to, subject=texts["zh-CN"]["mail_subject"], text="\n\n———\n\n".join(bodies))


def take_receipts(agent: Agent, answer: Answer) -> None:
    """What the link says became of a part: a handler of `agent.messages.inbox`. Strangers' numbers change nothing."""
    campaign = campaign_named(agent, answer.about)
    if campaign is None:
        return
    outcome = answer.fields["outcome"]
    reasons = answer.fields["reasons"].split(",")
    people_: dict[int, tuple[ToldState, str]] = {}
    for number, reason in zip(answer.fields["rows"].split(","), reasons, strict=False):
        if number.isdecimal():
            people_[int(number)] = _state_of(outcome, reason)
    ToldMemory(agent).move(campaign.name, people_, of=("handing", "handed", "uncertain"))


def _state_of(outcome: str, reason: str) -> tuple[ToldState, str]:
    if outcome == "sent":
        return "sent", ""
    if outcome == "lost":
        return "lost", "restarted"
    if outcome == "failed" and reason not in MAY_HAVE_BEEN_TAKEN:
        return "failed", reason
    return "uncertain", reason or "unknown"


def is_quiet(agent: Agent, now: datetime) -> bool:
    """Whether nobody is sent a notice at this time."""
    hours = agent.settings.notice.quiet_hours
    if not hours:
        return False
    begin, _, end = hours.partition("-")
    local = f"{now.astimezone(zone_of(agent.settings.store.timezone)):%H:%M}"
    return begin <= local < end if begin <= end else local >= begin or local < end


def _wait(agent: Agent, campaign: Campaign, why: str) -> Round:
    """Say why nothing goes out; that the key is gone is told to those who have it, once."""
    if campaign.waits != why:
        change(agent, campaign, waits=why)
        if why == "no_key":
            from agent.messages import tell

            subject = agent.text("notice.stopped_subject", id=campaign.incident)
            text = agent.text("notice.stopped_text", id=campaign.incident)
            tell(
                agent,
                ["response_lead", "customer_service"],
                subject,
                text,
                purpose="notice",
                incident=campaign.incident,
            )
    return Round(waits=why)


def _end(agent: Agent, campaign: Campaign, memory: ToldMemory) -> Round:
    """Everybody on the list was dealt with; who may have been told and who could not be is on record."""
    counts = memory.counts(campaign.name)
    total = {
        state: sum(by_state.get(state, 0) for by_state in counts.values())
        for state in ("sent", "failed", "uncertain", "lost")
    }
    change(agent, campaign, state="sent", waits="")
    Course(agent, campaign.incident, "cloche").record(
        "notice.sent", version=campaign.version, persons=total["sent"], failed=total["failed"] + total["lost"],
        uncertain=total["uncertain"], channels=counts,
    )  # fmt: skip
    return Round(ended=True)
