"""By which channels somebody is reached: what they have, and what is configured to reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.messages.records import Channel
from config.messaging import Purpose, Robot
from config.schema import Person

if TYPE_CHECKING:
    from agent.wiring import Agent


def channels_of(agent: Agent, person: Person, *, urgent: bool, code: bool = False) -> list[Channel]:
    """Mail where there is a mailbox; SMS where it is urgent, carries a code, or nothing else reaches the person."""
    senders = agent.settings.senders
    if senders.mode == "record":
        found: list[Channel] = ["mail"] if person.email else []
        return [*found, "sms"] if person.phone and (urgent or code or not found) else found or ["mail"]
    by_mail = bool(person.email) and senders.mails
    by_sms = bool(person.phone) and senders.texts("code" if code else "staff")
    channels: list[Channel] = ["mail"] if by_mail else []
    if by_sms and (urgent or code or not by_mail):
        channels.append("sms")
    return channels


def address_of(agent: Agent, name: str, channel: Channel) -> str:
    """Where a message goes, looked up at the moment of sending; '' where there is nothing any more."""
    if channel == "robot":
        return name if any(robot.name == name for robot in agent.settings.senders.robots) else ""
    person = agent.people.named(name)
    if person is None:
        return ""
    return person.email if channel == "mail" else person.phone if channel == "sms" else ""


def robots_for(agent: Agent, purpose: Purpose) -> list[Robot]:
    """The groups that are told about this."""
    return [robot for robot in agent.settings.senders.robots if purpose in robot.purposes]
