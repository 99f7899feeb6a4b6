"""Ways out of the store: mail, SMS gateway, robots of groups, the CRM's webhook.

Each way is a small class in an explicit list; it takes a letter and says how it went. None of them logs a letter, an
address or an answer.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from agent.link.senders.gateway import Crm, Sms, SmsStatus
from agent.link.senders.mail import Mail
from agent.link.senders.outcome import Outcome
from agent.link.senders.robots import Robots
from config.messaging import SendersSettings


class Way(Protocol):
    """Sends one letter."""

    def __init__(self, settings: SendersSettings) -> None:
        """Made from the settings that the daemon sealed for us."""
        ...

    def send(self, letter: dict[str, Any]) -> Outcome:
        """Try once; never raises for what the other side does."""
        ...


WAYS: Final[dict[str, type[Way]]] = {"mail": Mail, "sms": Sms, "sms_status": SmsStatus, "robot": Robots, "crm": Crm}
"""By a letter's channel."""
