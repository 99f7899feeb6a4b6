"""What has to be looked at again and again: reminders, escalations, messages to send, things that ran out.

Each duty is a function of the agent and the time; it does what is due, once each, and keeps in the database what it
did. The daemon calls `tick` every half minute; without a daemon each command that changes something does.
"""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("keeper")

DUTIES: Final[tuple[str, ...]] = (
    "agent.direction.carrying:keep",
    "agent.incident.reminders:keep_clocks",
    "agent.incident.standing:keep_standing",
    "agent.reports.drafting:keep_drafts",
    "agent.reports.final:keep_final",
    "agent.reports.improvements:remind",
    "agent.audit.retention:keep_records",
    "agent.isolation.carrying:look_after",
    "agent.purge.carrying:look_after",
    "agent.cleaning.acting:note_purged",
    "agent.security_check.checking:make_first_baseline",
    "agent.incident.life:carry_on",
    "agent.incident.orders:give_missing",
    "agent.incident.orders:remind",
    "agent.messages.delivering:tick",
    "agent.link.renewal:look_after",
    "agent.notice.idle:count_due",
    "agent.notice.idle:send_due",
    "agent.training.reminders:remind",
    "agent.drill.reminders:remind",
    "agent.vendors.duties:look_after",
    "agent.assess.regular:keep_assessing",
    "agent.reporting.due:tell_due",
)
"""`module:function` of each duty, in the order they are done: an explicit list, imported when first needed."""


def tick(agent: Agent, now: datetime) -> None:
    """Do what is due; a duty that fails is logged and tried again at the next tick, and the others go on."""
    for name in DUTIES:
        module, _, function = name.partition(":")
        try:
            getattr(importlib.import_module(module), function)(agent, now)
        except ClocheError as error:
            log.warning("a duty failed", duty=function, why=agent.mask(str(error)))
        except Exception as error:  # noqa: BLE001  one bad record must not keep the other clocks from ringing
            log.error("a duty failed", duty=name, error=describe(error))
